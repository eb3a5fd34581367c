"""The real stack, started once for all end-to-end tests."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.support.stack import Stack, running_stack

# Assembling the model and loading it on a machine that is busy with something else.
READY_S = 600


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Real vLLM, router, tools, Redis and gateway on free ports; nothing is left afterwards."""
    data_dir: Path = tmp_path_factory.mktemp("stack")
    with running_stack(data_dir, READY_S) as running:
        yield running
    assert running.left_over() == []


@pytest.fixture(scope="session")
def shop_key(stack: Stack) -> str:
    return stack.key()


@pytest.fixture(scope="session")
def tokens(stack: Stack) -> dict[str, str]:
    """Customer tokens by name."""
    return {name: stack.token(name) for name in ("alice", "bob")}


@pytest.fixture
def client(stack: Stack, shop_key: str) -> Iterator[openai.OpenAI]:
    """The official client, as a shop's page would configure it: an anonymous visitor."""
    with openai.OpenAI(
        base_url=f"{stack.url}/v1", api_key=shop_key, timeout=60, max_retries=0
    ) as made:
        yield made


@pytest.fixture
def alice(client: openai.OpenAI, tokens: dict[str, str]) -> openai.OpenAI:
    return client.with_options(default_headers={"X-Customer-Token": tokens["alice"]})


@pytest.fixture
def bob(client: openai.OpenAI, tokens: dict[str, str]) -> openai.OpenAI:
    return client.with_options(default_headers={"X-Customer-Token": tokens["bob"]})
