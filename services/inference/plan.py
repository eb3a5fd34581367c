"""Will it fit? The memory of a profile, worked out before anything is loaded.

On a card: memory = what vLLM may not touch + weights + workspace + KV cache, and the KV cache
must hold one sequence of full length. On the host: processes, and for a card the page cache that
the weights are read through. Everything is in bytes and is printed in GiB (2^30).
"""

from dataclasses import dataclass

from services.inference.errors import PlanRefusedError
from services.inference.host import Card, HostMemory
from services.inference.modelfiles import ModelFolder
from services.inference.profiles.types import GIB, CpuTarget, GpuTarget, HubModel, Profile

# Resident memory of vLLM's API server and of its engine process, each, as measured with the CPU
# build (0.6 GB).
API_SERVER_BYTES = 600_000_000
CPU_ENGINE_BYTES = 600_000_000

# With a card, engine and worker are one process that maps the CUDA libraries and their context:
# an estimate on the safe side, with the compile workers of the first start beside it.
GPU_ENGINE_BYTES = 3 * GIB
COMPILE_WORKERS_BYTES = 1 * GIB

# Operating system, gateway, tools, router and Redis on the same host. Only counted for a stated
# host: on a real one they are not in the available memory to begin with.
OTHER_SERVICES_BYTES = 2 * GIB

# What the CUDA context, and the display where there is one, take outside vLLM's share.
CUDA_CONTEXT_BYTES = GIB * 2 // 5


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the arithmetic.

    Attributes:
        label: what it is.
        size_bytes: its size; negative where it is taken away; None for a line of text.
        note: where the number comes from.
    """

    label: str
    size_bytes: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The arithmetic of one profile on one machine.

    Attributes:
        profile: whose.
        rows: line by line.
        kv_tokens: tokens that the KV cache holds; 0 if there is no room for one.
        refusals: why it cannot run, a sentence each; empty if it can.
    """

    profile: Profile
    rows: tuple[Row, ...]
    kv_tokens: int
    refusals: tuple[str, ...]

    @property
    def full_sequences(self) -> int:
        """Sequences of ``max_model_len`` that the KV cache holds at once."""
        return self.kv_tokens // self.profile.max_model_len

    @property
    def typical_sequences(self) -> int:
        """Ordinary questions that the KV cache holds at once, up to ``max_num_seqs``."""
        return min(self.kv_tokens // self.profile.typical_tokens, self.profile.max_num_seqs)

    def table(self) -> str:
        """The arithmetic as aligned text."""
        lines = [f"Memory plan of {self.profile.name}: {self.profile.summary}"]
        width = max(len(row.label) for row in self.rows)
        for row in self.rows:
            size = f"{row.size_bytes / GIB:9.2f} GiB" if row.size_bytes is not None else " " * 13
            lines.append(f"  {row.label:<{width}} {size}  {row.note}".rstrip())
        if self.profile.unverified:
            lines.append(f"  UNVERIFIED: {self.profile.unverified}.")
        lines += [f"  REFUSED: {reason}" for reason in self.refusals]
        return "\n".join(lines)

    def enforce(self) -> None:
        """Stop here if it cannot fit.

        Raises:
            PlanRefusedError: with all reasons and the table.
        """
        if self.refusals:
            raise PlanRefusedError(" ".join(self.refusals), self.table())


def make_plan(
    profile: Profile,
    host: HostMemory,
    card: Card | None = None,
    folder: ModelFolder | None = None,
    kv_gib: int | None = None,
) -> Plan:
    """Work out whether the profile fits.

    Args:
        profile: what to serve.
        host: this machine's memory, or a stated one.
        card: the card; None: a card of the size the profile is made for.
        folder: the model's real sizes where it is on disk; None: the profile's figures.
        kv_gib: KV cache of a CPU profile instead of its own.
    """
    target = profile.target
    if isinstance(target, CpuTarget):
        return _cpu_plan(profile, target, host, folder, kv_gib or target.kv_gib)
    return _gpu_plan(profile, target, host, card, folder)


def _gpu_plan(
    profile: Profile,
    target: GpuTarget,
    host: HostMemory,
    card: Card | None,
    folder: ModelFolder | None,
) -> Plan:
    stated = Card(
        name="stated by the profile", total_bytes=int(target.card_gib * GIB), free_bytes=None
    )
    card = card or stated
    weights, weights_note = _weights(profile, folder)
    budget = int(card.total_bytes * target.utilization)
    kv_bytes = budget - weights - target.workspace_bytes
    kv_rows, kv_tokens, token_bytes = _kv_rows(profile, folder, kv_bytes)
    rows = (
        Row("card", card.total_bytes, card.name),
        Row(
            "- CUDA context, display",
            budget - card.total_bytes,
            f"vLLM may use {target.utilization:.0%}",
        ),
        Row("- weights", -weights, weights_note),
        Row(
            "- workspace",
            -target.workspace_bytes,
            "activations, sampling, CUDA graphs, attention backend",
        ),
        *kv_rows,
    )
    missing = profile.max_model_len * token_bytes - kv_bytes
    host_rows, host_refusals = _gpu_host(profile, host, folder)
    return Plan(
        profile=profile,
        rows=rows + host_rows,
        kv_tokens=kv_tokens,
        refusals=(*_card_refusals(profile, card, budget, missing), *host_refusals),
    )


def _card_refusals(profile: Profile, card: Card, budget: int, missing: int) -> list[str]:
    """Say what of the card does not suffice; ``missing`` bytes of one sequence's KV cache."""
    refusals = []
    if missing > 0:
        refusals.append(
            f"The card is {missing / GIB:.2f} GiB short of one sequence of "
            f"{profile.max_model_len:,} tokens; use a larger card, or a profile with a shorter "
            "context or smaller weights."
        )
    if card.total_bytes - budget < CUDA_CONTEXT_BYTES:
        refusals.append(
            f"Only {(card.total_bytes - budget) / GIB:.2f} GiB are left to the CUDA context, which "
            f"needs {CUDA_CONTEXT_BYTES / GIB:.2f} GiB; use a larger card."
        )
    if card.free_bytes is not None and card.free_bytes < budget:
        refusals.append(
            f"Only {card.free_bytes / GIB:.2f} GiB of the card are free and vLLM wants "
            f"{budget / GIB:.2f} GiB; stop the other processes that `nvidia-smi` lists."
        )
    return refusals


def _gpu_host(
    profile: Profile, host: HostMemory, folder: ModelFolder | None
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    if folder is not None:
        cache = folder.largest_file_bytes
    elif isinstance(profile.source, HubModel):
        cache = profile.source.largest_file_bytes
    else:
        cache = profile.source.weights_bytes
    needs = (
        Row("- vLLM API server", -API_SERVER_BYTES, "measured"),
        Row("- vLLM engine and worker", -GPU_ENGINE_BYTES, "CUDA libraries and context"),
        Row("- compile workers", -COMPILE_WORKERS_BYTES, "first start only"),
        Row("- page cache", -cache, "largest weights file, given back after loading"),
        Row("- swap, offload", 0, "none: weights and KV cache stay on the card"),
    )
    return _host_rows(host, needs)


def _cpu_plan(
    profile: Profile,
    target: CpuTarget,
    host: HostMemory,
    folder: ModelFolder | None,
    kv_gib: int,
) -> Plan:
    weights, weights_note = _weights(profile, folder)
    kv_bytes = kv_gib * GIB
    kv_rows, kv_tokens, token_bytes = _kv_rows(profile, folder, kv_bytes)
    needs = (
        Row("- weights", -weights, weights_note),
        Row("- KV cache", -kv_bytes, "VLLM_CPU_KVCACHE_SPACE"),
        Row("- vLLM worker", -target.worker_bytes, "libraries and activations, measured"),
        Row("- vLLM engine", -CPU_ENGINE_BYTES, "measured"),
        Row("- vLLM API server", -API_SERVER_BYTES, "measured"),
    )
    host_rows, refusals = _host_rows(host, needs)
    if kv_tokens < profile.max_model_len:
        needed = -(-profile.max_model_len * token_bytes // GIB)
        refusals = (
            *refusals,
            f"A KV cache of {kv_gib} GiB holds {kv_tokens:,} tokens and one sequence may have "
            f"{profile.max_model_len:,}; set INFERENCE_KV_GIB={needed}.",
        )
    return Plan(
        profile=profile, rows=(*kv_rows, *host_rows), kv_tokens=kv_tokens, refusals=refusals
    )


def _host_rows(host: HostMemory, needs: tuple[Row, ...]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    if host.available_bytes is None:
        start = Row("host", host.total_bytes, "stated")
        needs = (Row("- system, other services", -OTHER_SERVICES_BYTES), *needs)
    else:
        start = Row(
            "host, available now", host.available_bytes, f"of {host.total_bytes / GIB:.2f} GiB"
        )
    left = (start.size_bytes or 0) + sum(row.size_bytes or 0 for row in needs)
    rows = (start, *needs, Row("= left on the host", left))
    if left >= 0:
        return rows, ()
    return rows, (
        f"The host is {-left / GIB:.2f} GiB of memory short; stop other programs, or use a host "
        "with more.",
    )


def _kv_rows(
    profile: Profile, folder: ModelFolder | None, kv_bytes: int
) -> tuple[tuple[Row, ...], int, int]:
    shape = folder.kv if folder else profile.kv
    token_bytes = shape.bytes_per_token(profile.kv_cache_dtype)
    tokens = max(0, kv_bytes) // token_bytes
    full = tokens // profile.max_model_len
    typical = tokens // profile.typical_tokens
    element_bytes = 1 if profile.kv_cache_dtype.startswith("fp8") else 2
    rows = (
        Row("= KV cache", kv_bytes, f"{tokens:,} tokens"),
        Row(
            "  a token",
            None,
            f"{token_bytes:,} B = {shape.layers} layers x {shape.kv_heads} KV heads x "
            f"{shape.head_dim} x 2 x {element_bytes} B",
        ),
        Row(
            "  one full sequence",
            profile.max_model_len * token_bytes,
            f"{profile.max_model_len:,} tokens; {full} at once",
        ),
        Row(
            "  one typical sequence",
            profile.typical_tokens * token_bytes,
            f"{profile.typical_tokens:,} tokens; {typical} at once, "
            f"at most {profile.max_num_seqs} are decoded together",
        ),
    )
    return rows, tokens, token_bytes


def _weights(profile: Profile, folder: ModelFolder | None) -> tuple[int, str]:
    if folder is not None:
        return folder.weights_bytes, "as on disk"
    return profile.source.weights_bytes, "not on this disk yet; the profile's figure"
