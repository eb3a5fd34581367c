"""``python -m services.inference.demo``: assemble, finetune or evaluate the demonstration model.

::

    python -m services.inference.demo assemble    make the model that `cpu-demo` serves
    python -m services.inference.demo finetune    train the adapter anew (resumes where it stopped)
    python -m services.inference.demo evaluate    exact replies on held-out wordings
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from services.inference.demo.assemble import ADAPTER, assemble
from services.inference.demo.base import Report, dequantize, fetch_gguf
from services.inference.demo.errors import DemoError
from services.inference.settings import load_settings


def main() -> int:
    """Run one command; a DemoError is printed as one sentence and exits with 1."""
    parser = argparse.ArgumentParser(prog="python -m services.inference.demo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", choices=("assemble", "finetune", "evaluate"))
    parser.add_argument("--adapter", type=Path, default=ADAPTER, help="adapter to merge or write")
    parser.add_argument("--start", type=Path, help="adapter to go on training from")
    parser.add_argument("--steps", type=int, help="training steps")
    parser.add_argument("--learning-rate", type=float, help="its peak")
    parser.add_argument("--dialogues", type=int, default=200, help="held-out dialogues a language")
    options = parser.parse_args()
    models = load_settings().model_dir
    try:
        if options.command == "assemble":
            made = assemble(models / "cpu-demo", models / "base", _report(), options.adapter)
            print("model ready" if made else "model is up to date", flush=True)
        elif options.command == "finetune":
            _finetune(models, options)
        else:
            from services.inference.demo.evaluate import evaluate

            evaluate(models / "cpu-demo", options.dialogues, models / "held_out_failures.jsonl")
    except DemoError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _finetune(models: Path, options: argparse.Namespace) -> None:
    from services.inference.demo.train import Recipe, train

    base = models / "base" / "checkpoint"
    if not (base / "config.json").exists():
        dequantize(fetch_gguf(models / "base", _report()), base)
    told = {"steps": options.steps, "learning_rate": options.learning_rate}
    recipe = Recipe(**{name: value for name, value in told.items() if value is not None})
    train(base, models / "finetune", recipe, options.adapter, options.start)


def _report() -> Report:
    started = time.monotonic()
    return lambda line: print(f"[{time.monotonic() - started:5.1f}s] {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
