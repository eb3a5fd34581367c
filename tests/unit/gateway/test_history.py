import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.assistant.types import StoredToolCall, StoredTurn
from services.gateway.sessions.circuit import Circuit
from services.gateway.sessions.history import decode, encode, trimmed, turn_tokens

TURNS = st.lists(st.builds(StoredTurn, user=st.text(max_size=60), assistant=st.text(max_size=60)))


def test_a_stored_turn_has_the_agreed_shape_and_keeps_bytes() -> None:
    call = StoredToolCall("f", msgspec.Raw(b'{"a": 1}'), msgspec.Raw('{"价":"1.00"}'.encode()), "t")
    data = encode([StoredTurn("q", "a", (call,))])
    assert data.decode() == (
        '[{"user":"q","assistant":"a","tool_calls":[{"name":"f","arguments":{"a": 1},'
        '"result":{"价":"1.00"},"at":"t"}],"source":"model"}]'
    )
    assert encode(decode(data)) == data


@given(TURNS, st.integers(1, 6), st.integers(0, 120))
def test_the_newest_turns_within_both_limits_are_kept(
    turns: list[StoredTurn], most_turns: int, most_tokens: int
) -> None:
    kept = trimmed(turns, most_turns, most_tokens)
    assert kept == turns[len(turns) - len(kept) :]
    assert len(kept) <= most_turns
    assert len(kept) <= 1 or sum(map(turn_tokens, kept)) <= most_tokens
    assert bool(kept) == bool(turns and most_tokens)


def test_a_circuit_lets_one_try_after_a_pause() -> None:
    circuit = Circuit(60)
    assert circuit.allows()
    circuit.failed()
    assert not circuit.allows()
    eager = Circuit(0)
    eager.failed()
    assert not eager.closed
    assert eager.allows()
    eager.worked()
    assert eager.closed
