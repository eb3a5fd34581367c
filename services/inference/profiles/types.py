"""What a profile is: a model, where it comes from, what it runs on, and vLLM's settings for it.

Plain data without behaviour beyond the KV cache's arithmetic; the profiles themselves are in
:mod:`services.inference.profiles.catalogue`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class KvShape:
    """The dimensions that decide what a token costs in the KV cache.

    Attributes:
        layers: ``num_hidden_layers`` of the model's config.json.
        kv_heads: ``num_key_value_heads``.
        head_dim: ``head_dim``, or ``hidden_size / num_attention_heads``.
    """

    layers: int
    kv_heads: int
    head_dim: int

    def bytes_per_token(self, kv_cache_dtype: str) -> int:
        """Bytes of one token's keys and values: layers x heads x dim x 2 x element size."""
        element_bytes = 1 if kv_cache_dtype.startswith("fp8") else 2
        return self.layers * self.kv_heads * self.head_dim * 2 * element_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """A model that ``fetch`` takes from the hub.

    Attributes:
        repo: ``owner/name`` on the hub.
        revision: branch, tag or commit to record on first use; later fetches use the recorded
            commit.
        weights_bytes: size of all ``*.safetensors`` files.
        largest_file_bytes: size of the largest of them.
        licence: the licence the weights come under.
        third_party: True where the quantized weights are published by somebody other than the
            model's makers.
    """

    repo: str
    revision: str = "main"
    weights_bytes: int
    largest_file_bytes: int
    licence: str
    third_party: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AssembledModel:
    """A model that is put together on this machine.

    Attributes:
        remedy: the command that assembles it.
        weights_bytes: size of all ``*.safetensors`` files.
        licence: the licence the weights come under.
    """

    remedy: str
    weights_bytes: int
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTarget:
    """An NVIDIA card.

    Attributes:
        card_gib: memory of the card that the profile is sized for, in GiB.
        utilization: share of the card that vLLM may use; the rest is left to the CUDA context
            and the display.
        workspace_bytes: reserve for activations, sampling, CUDA graphs and the attention
            backend's workspace. vLLM measures the real figure when it starts.
    """

    card_gib: float
    utilization: float
    workspace_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTarget:
    """The machine's own cores and memory.

    Attributes:
        kv_gib: KV cache in whole GiB, as vLLM's ``VLLM_CPU_KVCACHE_SPACE`` counts it.
        worker_bytes: what vLLM's worker process holds beside weights and KV cache.
    """

    kv_gib: int
    worker_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NgramSpeculation:
    """Guess the next tokens from what the prompt already holds, and verify them in one step.

    Answers copy names and numbers from tool results, so most guesses are right.

    Attributes:
        tokens: tokens guessed at a time.
        lookup_min: shortest run of tokens that is looked up in the prompt.
        lookup_max: longest such run.
    """

    tokens: int
    lookup_min: int
    lookup_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One way to serve one model.

    Attributes:
        name: what the command line calls it.
        summary: one line for the list of profiles.
        target: the card or processor it is sized for.
        source: where the model comes from.
        directory: the model's folder below ``MODEL_DIR``.
        kv: dimensions of the KV cache.
        max_model_len: longest prompt and answer together, in tokens.
        max_num_seqs: most sequences decoded at once.
        max_num_batched_tokens: most tokens of one step; bounds the activations' memory.
        typical_tokens: prompt and answer of an ordinary question, for the plan's "sequences at
            once" only.
        dtype: element type of activations.
        tool_parser: vLLM's parser for this model's tool calls, or None where it makes none.
        served_name: what clients call the model. One name for all that answer, so that the
            gateway need not know which one does.
        quantization: vLLM's quantization method, or None.
        kv_cache_dtype: ``auto`` (two bytes an element) or an fp8 type (one byte).
        chat_template: file in ``profiles/templates``, or None for the model's own.
        tokenizer_mode: vLLM's tokenizer mode.
        attention_backend: vLLM attention backend, or None to let vLLM choose.
        hf_overrides: changes to the model's config.json, or None.
        enforce_eager: no compilation and no CUDA graphs.
        speculation: n-gram speculation, or None.
        unverified: why nobody should rely on this profile yet; None for one that may be.
    """

    name: str
    summary: str
    target: GpuTarget | CpuTarget
    source: HubModel | AssembledModel
    directory: str
    kv: KvShape
    max_model_len: int
    max_num_seqs: int
    max_num_batched_tokens: int
    typical_tokens: int
    dtype: Literal["float16", "bfloat16"]
    tool_parser: Literal["hermes", "llama3_json", "mistral"] | None
    served_name: str = "xiaoer"
    quantization: Literal["awq"] | None = None
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    chat_template: str | None = None
    tokenizer_mode: Literal["auto", "hf"] = "auto"
    attention_backend: Literal["FLASHINFER"] | None = None
    hf_overrides: Mapping[str, Any] | None = None
    enforce_eager: bool = False
    speculation: NgramSpeculation | None = None
    unverified: str | None = None
