"""Counts the tokens of the lean and the verbose prompt: how much the lean one saves.

    python -m services.gateway.assistant.prompt_cost --tokenizer DIR [--shops FILE]

DIR holds the model's `tokenizer.json`. Needs the `tokenizers` package, which comes with vLLM.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from services.gateway.assistant.prompt import environment, render_system, render_verbose
from services.gateway.identity.shops import Language, ShopProfile


@dataclass(frozen=True, slots=True)
class PromptCost:
    """Tokens of both prompts for one shop and language."""

    shop: str
    language: Language
    lean_tokens: int
    verbose_tokens: int

    @property
    def saved(self) -> float:
        """The share of tokens that the lean prompt saves, 0 to 1."""
        return 1 - self.lean_tokens / self.verbose_tokens


def measure(profiles: dict[str, ShopProfile], count: Callable[[str], int]) -> list[PromptCost]:
    """Return the cost of both prompts for every shop and language.

    Args:
        profiles: shops by id.
        count: returns the number of tokens in a text.
    """
    templates = environment()
    languages: tuple[Language, Language] = ("zh", "en")
    return [
        PromptCost(
            shop,
            language,
            count(render_system(templates, profile, language)),
            count(render_verbose(templates, profile, language)),
        )
        for shop, profile in profiles.items()
        for language in languages
    ]


def main() -> int:
    """Print a table; exit 1 where less than 35 % is saved."""
    parser = argparse.ArgumentParser(description="Token cost of the lean and the verbose prompt.")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of tokenizer.json")
    parser.add_argument("--shops", type=Path, default=Path("deploy/local/shops.yaml"))
    options = parser.parse_args()
    # Imported here: only this command needs it, the service runs without it.
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(options.tokenizer / "tokenizer.json"))
    raw = yaml.safe_load(options.shops.read_text("utf-8"))["shops"]
    profiles = msgspec.convert(raw, dict[str, ShopProfile])
    costs = measure(profiles, lambda text: len(tokenizer.encode(text).ids))
    write = sys.stdout.write
    write(f"{'shop':<12} {'language':<8} {'lean':>6} {'verbose':>8} {'saved':>6}\n")
    for cost in costs:
        write(
            f"{cost.shop:<12} {cost.language:<8} {cost.lean_tokens:>6} "
            f"{cost.verbose_tokens:>8} {cost.saved:>6.1%}\n"
        )
    return 0 if all(cost.saved >= 0.35 for cost in costs) else 1


if __name__ == "__main__":
    sys.exit(main())
