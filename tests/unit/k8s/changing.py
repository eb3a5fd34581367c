"""Rendered builds with something broken, for tests that a check sees it."""

from collections.abc import Callable
from copy import deepcopy

from deploy.manifests.render import Build, Document, label


def pick(build: Build, which: str) -> Document:
    """Return the object `Kind/name`."""
    return next(document for document in build.documents if label(document) == which)


def changed(build: Build, which: str, change: Callable[[Document], object]) -> Build:
    """Return a copy in which `change` was made to the object `Kind/name`."""
    copy = Build(build.name, deepcopy(build.documents))
    change(pick(copy, which))
    return copy


def without(build: Build, which: str) -> Build:
    """Return a copy that lacks the object `Kind/name`."""
    kept = tuple(one for one in build.documents if label(one) != which)
    assert len(kept) < len(build.documents)
    return Build(build.name, kept)
