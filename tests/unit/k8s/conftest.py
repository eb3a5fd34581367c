from collections.abc import Callable
from copy import deepcopy

import pytest

from deploy.manifests import render, tools
from deploy.manifests.render import Build, Document

Change = Callable[[Document], object]


@pytest.fixture(scope="session")
def kubectl() -> str:
    return tools.kubectl()


@pytest.fixture(scope="session")
def builds(kubectl: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Build]:
    """Every overlay, bare and with all it may have; the rest is `make manifests`' business."""
    copy = tmp_path_factory.mktemp("manifests")
    found = render.build_all(kubectl, render.K8S, copy, render.extremes())
    return {build.name: build for build in found}


@pytest.fixture
def edge(builds: dict[str, Build]) -> Build:
    return deepcopy(builds["edge"])
