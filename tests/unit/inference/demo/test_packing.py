import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from services.inference.demo.packing import (
    ATTENTION,
    NO_TARGET,
    SHAPE_MULTIPLE,
    Encoded,
    SharedPrefixAttention,
    cut_reply,
    fill_blocks,
    pack,
)

PREFIX = list(range(5, 75))


def _model(attention: str) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=128, hidden_size=48, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=512,
    )  # fmt: skip
    config._attn_implementation = attention
    model = LlamaForCausalLM(config)  # type: ignore[no-untyped-call]
    model.train(mode=False)
    return model


def _dialogue(start: int, length: int) -> Encoded:
    ids = [(start + 7 * n) % 120 + 4 for n in range(length)]
    return Encoded(ids, [n % 3 == 0 and n > 0 for n in range(length)])


def test_packed_logits_equal_those_of_each_dialogue_alone() -> None:
    attention = SharedPrefixAttention()
    dialogues = [_dialogue(1, 30), _dialogue(9, 20), _dialogue(17, 41), _dialogue(33, 13)]
    filled = fill_blocks(dialogues, blocks=2, block_tokens=64)
    step = pack(PREFIX, filled, block_tokens=64, pad_id=0)
    packed_model, plain_model = _model(ATTENTION), _model("eager")
    plain_model.load_state_dict(packed_model.state_dict())
    attention.step = step
    with torch.no_grad():
        packed = packed_model(
            input_ids=step.ids,
            position_ids=step.position_ids,
            attention_mask=torch.zeros(1, 1, 1, 1),
            use_cache=False,
        ).logits[0, step.positions_of]
        expected, targets = [], []
        for block in filled:
            for dialogue in block:
                logits = plain_model(torch.tensor([PREFIX + dialogue.ids])).logits[0]
                for offset, said in enumerate(dialogue.said):
                    if said:
                        expected.append(logits[len(PREFIX) + offset - 1])
                        targets.append(dialogue.ids[offset])
    padding = len(step.targets) - len(targets)
    assert 0 <= padding < SHAPE_MULTIPLE
    assert step.targets.tolist() == targets + [NO_TARGET] * padding
    # The layout's bias is bf16, hence the tolerance.
    torch.testing.assert_close(packed[: len(targets)], torch.stack(expected), atol=2e-3, rtol=2e-3)


def test_a_dialogue_that_fits_no_block_is_left_out() -> None:
    filled = fill_blocks([_dialogue(1, 50), _dialogue(2, 50), _dialogue(3, 20)], 1, 64)
    assert [len(d.ids) for d in filled[0]] == [50]


def test_attention_without_a_step_says_so() -> None:
    nothing = torch.zeros(1, 2, 3, 4)
    with pytest.raises(RuntimeError, match="step"):
        SharedPrefixAttention()(torch.nn.Identity(), nothing, nothing, nothing, None)


def test_a_reply_is_cut_soon_after_it_begins() -> None:
    said = [False, True, True, False, False, True, True, True, False]
    cut = cut_reply(Encoded(list(range(9)), said), 2)
    assert cut == Encoded([0, 1, 2, 3, 4, 5, 6], said[:7])
    assert cut_reply(Encoded(list(range(9)), said), 5).ids == list(range(8))
