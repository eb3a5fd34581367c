"""Requests made up from the published schema, against a gateway with its fakes."""

import uuid
from typing import Any

import hypothesis.strategies as st

from tests.support.fake_model import FakeModel, say
from tests.support.gateway import ServerThread, headers
from tests.support.schema_cases import play

CHATS = frozenset({"/v1/chat/completions", "/chat"})


def _aim(data: st.DataObject, case: Any) -> None:
    """Made-up texts rarely make a whole conversation: often give one that is."""
    if (
        case.operation.path in CHATS
        and isinstance(case.body, dict)
        and data.draw(st.sampled_from([True, True, False]))
    ):
        text = data.draw(st.text(min_size=1, max_size=60))
        if case.operation.path == "/chat":
            case.body = {"query": text}
        else:
            stream = data.draw(st.booleans())
            case.body = {"messages": [{"role": "user", "content": text}], "stream": stream}


def _visitor() -> dict[str, str]:
    # A session of its own: a second message in one would wait for the first.
    return headers(session=uuid.uuid4().hex)


def test_answers_are_as_published(gateway: ServerThread, model: FakeModel) -> None:
    model.always(say("好的。"))
    url = gateway.url
    seen = play(
        f"{url}/schema",
        url,
        _visitor,
        cases=24,
        change=_aim,
    )
    answered = seen["POST /v1/chat/completions"] | seen["POST /chat"]
    assert answered >= {200, 400, 401}
