"""The profiles that ship, with the arithmetic behind their numbers.

Sizes common to the 12 GB profiles. An RTX 3060 has 12 GiB. vLLM may use 90 % of it (10.8 GiB);
the rest is the CUDA context's and the display's. Of the 10.8 GiB, 1 GiB is reserved for what is
neither weights nor KV cache: activations of 2,048 batched tokens through the widest layer of
Qwen2.5-7B (2,048 x 2 x 18,944 x 2 B = 155 MB, several alive at a time), 32 rows of logits in
fp32 with their sorted copies (32 x 152,064 x 4 B x 3 = 58 MB) and CUDA graphs (0.3 to 0.5 GiB).

`quantization="awq"`: vLLM 0.32 has one AWQ method behind the names awq, awq_marlin and
auto_awq (`AutoAWQConfig`). It takes the Marlin kernels where the card has them, which an RTX
3060 does, and the CPU's own int4 kernel on a processor, so one flag serves the production card
and the tests.
"""

from services.inference.profiles.types import (
    GIB,
    AssembledModel,
    CpuTarget,
    GpuTarget,
    HubModel,
    KvShape,
    NgramSpeculation,
    Profile,
)

# The longest message the gateway lets through is 8,000 characters, at worst a token each in
# Chinese. With the prompt, five stored turns and the answer that stays below 16,384.
_CONTEXT_TOKENS = 16_384

# Prompt with tools (about 700), five short turns (about 700), a question and its answer.
_TYPICAL_TOKENS = 1_800

_RTX_3060 = GpuTarget(card_gib=12.0, utilization=0.90, workspace_bytes=1 * GIB)

# Qwen2.5-7B's config.json: 28 layers, 4 KV heads, 3,584 / 28 = 128; 57,344 B a token in fp16.
_QWEN_7B = HubModel(
    repo="Qwen/Qwen2.5-7B-Instruct-AWQ",
    weights_bytes=5_570_000_000,
    largest_file_bytes=4_480_000_000,
    licence="Apache-2.0",
)
_QWEN_7B_KV = KvShape(layers=28, kv_heads=4, head_dim=128)

EDGE_GPU = Profile(
    name="edge-gpu",
    summary="Qwen2.5-7B-Instruct, AWQ 4-bit, on a 12 GB card: the production profile",
    target=_RTX_3060,
    source=_QWEN_7B,
    directory="Qwen2.5-7B-Instruct-AWQ",
    kv=_QWEN_7B_KV,
    max_model_len=_CONTEXT_TOKENS,
    max_num_seqs=32,
    max_num_batched_tokens=2_048,
    typical_tokens=_TYPICAL_TOKENS,
    dtype="float16",
    quantization="awq",
    tool_parser="hermes",
)

# The model card: up to 131,072 tokens with YaRN, factor 4 over 32,768. vLLM 0.32 takes the
# longest context from max_position_embeddings and does not multiply it by YaRN's factor, so
# that is overridden too. rope_theta is the model's own: `rope_parameters` replaces the whole
# entry. The KV cache in fp8 costs 28,672 B a token, 3.5 GiB for one full-length sequence.
# Triton attention refuses fp8 below SM89 and FlashAttention below SM90; an RTX 3060 is SM86, so
# FlashInfer is named. Its workspace is 394 MB (vLLM's default), hence the larger reserve.
EDGE_GPU_LONG = Profile(
    name="edge-gpu-long",
    summary="the same model with its 131,072-token context: fp8 KV cache, YaRN, FlashInfer",
    target=GpuTarget(card_gib=12.0, utilization=0.92, workspace_bytes=GIB * 3 // 2),
    source=_QWEN_7B,
    directory="Qwen2.5-7B-Instruct-AWQ",
    kv=_QWEN_7B_KV,
    max_model_len=131_072,
    max_num_seqs=8,
    max_num_batched_tokens=2_048,
    typical_tokens=_TYPICAL_TOKENS,
    dtype="float16",
    quantization="awq",
    kv_cache_dtype="fp8",
    attention_backend="FLASHINFER",
    hf_overrides={
        "max_position_embeddings": 131_072,
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": 1_000_000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 32_768,
        },
    },
    tool_parser="hermes",
    unverified="nobody has run fp8 KV cache with FlashInfer on an RTX 3060 (SM86) yet; "
    "static YaRN may also cost accuracy on short prompts",
)

# The first Llama-3 has no tool format; 3.1 has. AWQ weights by Hugging Face's "hugging-quants"
# group, not by Meta. 32 layers, 8 KV heads, 128: 131,072 B a token. The template is ours: the
# model's own refuses a turn with two tool calls and starts with today's date, which would
# empty the prefix cache every midnight.
LLAMA_31_8B_AWQ = Profile(
    name="llama-3.1-8b-awq",
    summary="Llama-3.1-8B-Instruct, AWQ 4-bit by a third party, on a 12 GB card",
    target=_RTX_3060,
    source=HubModel(
        repo="hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
        weights_bytes=5_740_000_000,
        largest_file_bytes=4_680_000_000,
        licence="Llama 3.1 Community License",
        third_party=True,
    ),
    directory="Meta-Llama-3.1-8B-Instruct-AWQ-INT4",
    kv=KvShape(layers=32, kv_heads=8, head_dim=128),
    max_model_len=_CONTEXT_TOKENS,
    max_num_seqs=16,
    max_num_batched_tokens=2_048,
    typical_tokens=_TYPICAL_TOKENS,
    dtype="float16",
    quantization="awq",
    tool_parser="llama3_json",
    chat_template="llama-3.1.jinja",
    unverified="weights by a third party, not run by us on a card",
)

# AWQ weights by "solidrust", not by Mistral AI, in the Transformers layout and without Mistral's
# own tokenizer file, so the tokenizer mode is hf. The template is ours: the published one
# predates the model's tool format in Transformers.
MISTRAL_7B_V03_AWQ = Profile(
    name="mistral-7b-v0.3-awq",
    summary="Mistral-7B-Instruct-v0.3, AWQ 4-bit by a third party, on a 12 GB card",
    target=_RTX_3060,
    source=HubModel(
        repo="solidrust/Mistral-7B-Instruct-v0.3-AWQ",
        weights_bytes=4_160_000_000,
        largest_file_bytes=4_160_000_000,
        licence="Apache-2.0",
        third_party=True,
    ),
    directory="Mistral-7B-Instruct-v0.3-AWQ",
    kv=KvShape(layers=32, kv_heads=8, head_dim=128),
    max_model_len=_CONTEXT_TOKENS,
    max_num_seqs=16,
    max_num_batched_tokens=2_048,
    typical_tokens=_TYPICAL_TOKENS,
    dtype="float16",
    quantization="awq",
    tool_parser="mistral",
    tokenizer_mode="hf",
    chat_template="mistral-v0.3.jinja",
    unverified="weights by a third party, not run by us on a card",
)

# The guard beside the answers (the gateway's MODEL_RAIL_URL). Qwen3-0.6B: 28 layers, 8 KV heads,
# 128: 114,688 B a token in fp16; 752 million parameters of 2 B, the output layer's own included.
# The longest message is 8,000 tokens at worst, the guard's instructions about 600, a verdict 20;
# 10,240 of them take 1.09 GiB. Workspace: 2,048 x 2 x 3,072 x 2 B of activations (25 MB), 16 rows
# of fp32 logits (16 x 151,936 x 4 B x 3 = 29 MB) and CUDA graphs (0.3 to 0.5 GiB). All of it fits
# a card of 4 GiB; the 12 GB card of edge-gpu has nothing left for it.
GUARD = Profile(
    name="guard",
    summary="Qwen3Guard-Gen-0.6B, fp16: judges messages beside the answers, on a card of its own",
    target=GpuTarget(card_gib=4.0, utilization=0.85, workspace_bytes=GIB * 3 // 4),
    source=HubModel(
        repo="Qwen/Qwen3Guard-Gen-0.6B",
        weights_bytes=1_504_000_000,
        largest_file_bytes=1_504_000_000,
        licence="Apache-2.0",
    ),
    directory="Qwen3Guard-Gen-0.6B",
    kv=KvShape(layers=28, kv_heads=8, head_dim=128),
    max_model_len=10_240,
    max_num_seqs=16,
    max_num_batched_tokens=2_048,
    typical_tokens=700,
    dtype="float16",
    tool_parser=None,
    served_name="Qwen/Qwen3Guard-Gen-0.6B",
    unverified="not run by us on a card; the sizes are worked out, not measured",
)

# SmolLM2-135M: 30 layers, 3 KV heads, 576 / 9 = 64: 23,040 B a token in bf16, so 1 GiB holds
# 46,600 tokens. Worker memory: 2.3 GB resident were measured with 1 GiB of KV cache, 0.27 GB of
# which are weights. Eager: ready in 25 s instead of 103 s for a fifth of the decoding speed.
# Speculation: measured 1.35 -> 0.94 s (English) and 1.80 -> 1.14 s (Chinese) a turn with a tool.
CPU_DEMO = Profile(
    name="cpu-demo",
    summary="the demonstration model (SmolLM2-135M tuned on shop dialogues) on a processor",
    target=CpuTarget(kv_gib=1, worker_bytes=960 * (1 << 20)),
    source=AssembledModel(
        remedy="python -m services.inference.demo assemble",
        weights_bytes=270_000_000,
        licence="Apache-2.0",
    ),
    directory="cpu-demo",
    kv=KvShape(layers=30, kv_heads=3, head_dim=64),
    max_model_len=4_096,
    max_num_seqs=64,
    max_num_batched_tokens=2_048,
    typical_tokens=900,
    dtype="bfloat16",
    tool_parser="hermes",
    enforce_eager=True,
    speculation=NgramSpeculation(tokens=5, lookup_min=2, lookup_max=4),
)

ALL = (EDGE_GPU, EDGE_GPU_LONG, CPU_DEMO, LLAMA_31_8B_AWQ, MISTRAL_7B_V03_AWQ, GUARD)
