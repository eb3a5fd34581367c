"""A Qwen2 checkpoint of a few hundred kilobytes with random 4-bit AWQ weights.

Same architecture, quantization layout, special tokens and chat template as
Qwen2.5-7B-Instruct-AWQ, so that vLLM takes the production path on any processor. It says nothing
sensible.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from services.inference.demo.base import CHAT_TEMPLATE

HIDDEN = 256
INTERMEDIATE = 512
LAYERS = 2
HEADS = 4
KV_HEADS = 2
HEAD_DIM = HIDDEN // HEADS
GROUP = 128
PACK = 8  # 4-bit values in an int32

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TOOL_MARKS = ("<tool_call>", "</tool_call>")


def write_tiny_awq(folder: Path) -> Path:
    """Write the checkpoint to ``folder`` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder)
    _write_weights(folder, vocabulary)
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "vocab_size": vocabulary,
        "max_position_embeddings": 32_768,
        "rope_theta": 1_000_000.0,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "bos_token_id": 0,
        "eos_token_id": 2,
        "quantization_config": {
            "quant_method": "awq",
            "bits": 4,
            "group_size": GROUP,
            "version": "gemm",
            "zero_point": True,
            "modules_to_not_convert": None,
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    return folder


def _write_tokenizer(folder: Path) -> int:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["where is my order", "我的订单到哪了", '{"name": "x"}'], trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, special=False) for text in TOOL_MARKS])
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer_config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "model_max_length": 131_072,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "chat_template": CHAT_TEMPLATE.read_text(),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=1))
    # The weights' rows are padded as published checkpoints pad theirs.
    return -(-tokenizer.get_vocab_size() // 64) * 64


def _write_weights(folder: Path, vocabulary: int) -> None:
    generator = torch.Generator().manual_seed(20)
    tensors: dict[str, torch.Tensor] = {}

    def dense(name: str, *shape: int) -> None:
        values = torch.randn(*shape, generator=generator) * 0.05
        tensors[name] = values.to(torch.float16).contiguous()

    def quantized(name: str, inputs: int, outputs: int) -> None:
        def packed(rows: int) -> torch.Tensor:
            shape = (rows, outputs // PACK)
            return torch.randint(-(2**31), 2**31 - 1, shape, generator=generator, dtype=torch.int32)

        tensors[f"{name}.qweight"] = packed(inputs)
        tensors[f"{name}.qzeros"] = packed(inputs // GROUP)
        scales = torch.rand(inputs // GROUP, outputs, generator=generator) * 0.01 + 0.001
        tensors[f"{name}.scales"] = scales.to(torch.float16)

    dense("model.embed_tokens.weight", vocabulary, HIDDEN)
    dense("lm_head.weight", vocabulary, HIDDEN)
    tensors["model.norm.weight"] = torch.ones(HIDDEN, dtype=torch.float16)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{prefix}.{norm}.weight"] = torch.ones(HIDDEN, dtype=torch.float16)
        for name, outputs in (
            ("q_proj", HEADS * HEAD_DIM),
            ("k_proj", KV_HEADS * HEAD_DIM),
            ("v_proj", KV_HEADS * HEAD_DIM),
        ):
            quantized(f"{prefix}.self_attn.{name}", HIDDEN, outputs)
            dense(f"{prefix}.self_attn.{name}.bias", outputs)
        quantized(f"{prefix}.self_attn.o_proj", HEADS * HEAD_DIM, HIDDEN)
        quantized(f"{prefix}.mlp.gate_proj", HIDDEN, INTERMEDIATE)
        quantized(f"{prefix}.mlp.up_proj", HIDDEN, INTERMEDIATE)
        quantized(f"{prefix}.mlp.down_proj", INTERMEDIATE, HIDDEN)
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
