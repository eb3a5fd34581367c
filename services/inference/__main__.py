"""``python -m services.inference``: serve a profile, plan its memory, fetch its model.

::

    python -m services.inference PROFILE [--port N] [--dry-run]   serve it
    python -m services.inference plan PROFILE [--card-gib 12 --host-gib 16]
    python -m services.inference fetch PROFILE
    python -m services.inference verify PROFILE
    python -m services.inference profiles
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from services.inference.errors import InferenceError, PlanRefusedError, UnsupportedMachineError
from services.inference.fetch import fetch, lock_path, verify
from services.inference.host import (
    OTHER_ENDPOINT,
    Card,
    HostMemory,
    check_port,
    check_processor,
    check_vllm,
    read_card,
    read_host_memory,
)
from services.inference.hub import Hub
from services.inference.launcher import Launch, make_launch
from services.inference.lock import read_lock
from services.inference.modelfiles import ModelFolder, check_complete, inspect
from services.inference.plan import Plan, make_plan
from services.inference.profiles import all_profiles, get_profile
from services.inference.profiles.types import GIB, CpuTarget, Profile
from services.inference.settings import Settings, load_settings, prepare_hub_client

_COMMANDS = frozenset({"serve", "plan", "fetch", "verify", "profiles"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (serving does not return)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] not in _COMMANDS and not arguments[0].startswith("-"):
        arguments.insert(0, "serve")
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        return _run(options, settings)
    except PlanRefusedError as exc:
        print(exc.table, file=sys.stderr)
        print(f"error: {exc}", file=sys.stderr)
    except InferenceError as exc:
        print(f"error: {exc}", file=sys.stderr)
    except OSError as exc:
        where = exc.filename or "a file"
        print(f"error: {where}: {exc.strerror}; check MODEL_DIR and its rights.", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 1


def _run(options: argparse.Namespace, settings: Settings) -> int:
    if options.command == "profiles":
        for profile in all_profiles():
            mark = " (unverified)" if profile.unverified else ""
            print(f"{profile.name:20} {profile.summary}{mark}")
        return 0
    profile = get_profile(options.profile)
    if options.command == "plan":
        return _plan(profile, settings, options)
    if options.command == "fetch":
        return _fetch(profile, settings)
    if options.command == "verify":
        verify(
            settings.model_dir / profile.directory,
            read_lock(lock_path(profile, settings.model_dir)),
            _echo,
        )
        print("every file is as recorded")
        return 0
    return _serve(profile, settings, options)


def _serve(profile: Profile, settings: Settings, options: argparse.Namespace) -> int:
    overrides = {
        name: value
        for name in ("host", "port", "cpus")
        if (value := getattr(options, name)) is not None
    }
    settings = dataclasses.replace(settings, **overrides)
    model: Path = options.model or settings.model_dir / profile.directory
    launch = make_launch(profile, model.absolute(), settings)
    if options.dry_run:
        print(launch.printable())
        return 0
    _check(profile, model, settings)
    _become(launch)
    return 0


def _check(profile: Profile, model: Path, settings: Settings) -> None:
    """Everything that can be refused before loading, the cheapest first."""
    check_vllm(profile)
    card = None
    if isinstance(profile.target, CpuTarget):
        check_processor()
    else:
        card = read_card(settings.visible_card)
        if card is None:
            raise UnsupportedMachineError(
                f"{profile.name} needs an NVIDIA card and nvidia-smi shows none; install the "
                f"driver, use the cpu-demo profile, {OTHER_ENDPOINT}."
            )
    check_port(settings.host, settings.port)
    check_complete(profile, model, settings.model_dir)
    plan = make_plan(profile, read_host_memory(), card, inspect(model), settings.kv_gib)
    plan.enforce()
    print(plan.table(), flush=True)


def _become(launch: Launch) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(launch.argv[0], launch.argv, dict(launch.environment))  # noqa: S606 - the purpose


def _plan(profile: Profile, settings: Settings, options: argparse.Namespace) -> int:
    plan: Plan = make_plan(
        profile,
        _stated_host(options.host_gib) or read_host_memory(),
        _stated_card(options.card_gib) or read_card(settings.visible_card),
        _folder(profile, settings),
        settings.kv_gib,
    )
    print(plan.table())
    if plan.refusals:
        return 1
    print(
        f"  fits: {plan.typical_sequences} ordinary questions or {plan.full_sequences} of full "
        "length at once"
    )
    return 0


def _fetch(profile: Profile, settings: Settings) -> int:
    if settings.hub_offline:
        print("error: HF_HUB_OFFLINE forbids the hub; unset it to fetch.", file=sys.stderr)
        return 1
    prepare_hub_client()
    hub = Hub(endpoint=settings.hub_endpoint, token=settings.hub_token)
    fetch(profile, settings.model_dir, hub, _echo)
    return 0


def _folder(profile: Profile, settings: Settings) -> ModelFolder | None:
    folder = settings.model_dir / profile.directory
    return inspect(folder) if folder.is_dir() else None


def _stated_host(gib: float | None) -> HostMemory | None:
    return HostMemory(total_bytes=int(gib * GIB), available_bytes=None) if gib else None


def _stated_card(gib: float | None) -> Card | None:
    return Card(name="stated", total_bytes=int(gib * GIB), free_bytes=None) if gib else None


def _echo(line: str) -> None:
    print(line, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.inference", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="become vLLM (the word may be left out)")
    serve.add_argument("profile")
    serve.add_argument("--host", help="address instead of INFERENCE_HOST")
    serve.add_argument("--port", type=int, help="port instead of INFERENCE_PORT")
    serve.add_argument("--cpus", help="cores instead of INFERENCE_CPUS, such as 0 or 0-3")
    serve.add_argument("--model", type=Path, help="folder instead of the profile's in MODEL_DIR")
    serve.add_argument("--dry-run", action="store_true", help="print the command, run nothing")
    plan = commands.add_parser("plan", help="print the memory arithmetic")
    plan.add_argument("profile")
    plan.add_argument("--card-gib", type=float, help="a card of this size instead of this one")
    plan.add_argument("--host-gib", type=float, help="a host of this size instead of this one")
    for name, text in (
        ("fetch", "bring the model from the hub, checked"),
        ("verify", "compare every file with the record"),
    ):
        commands.add_parser(name, help=text).add_argument("profile")
    commands.add_parser("profiles", help="list the profiles")
    return parser


if __name__ == "__main__":
    sys.exit(main())
