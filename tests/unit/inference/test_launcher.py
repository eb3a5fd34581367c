import dataclasses
import json
import sys
from pathlib import Path

import pytest

from services.inference.__main__ import main
from services.inference.errors import UnknownProfileError
from services.inference.launcher import make_launch, vllm_arguments
from services.inference.profiles import TEMPLATES_DIR, all_profiles, get_profile
from services.inference.profiles.types import GpuTarget, Profile
from services.inference.settings import Settings

MODEL = Path("/models/some")


def value_of(arguments: list[str], flag: str) -> str:
    return arguments[arguments.index(flag) + 1]


@pytest.mark.parametrize("profile", all_profiles(), ids=lambda profile: profile.name)
def test_what_every_profile_is_served_with(profile: Profile) -> None:
    arguments = vllm_arguments(profile, MODEL, Settings(port=8102))
    assert value_of(arguments, "--model") == "/models/some"
    assert value_of(arguments, "--served-model-name") == profile.served_name
    assert value_of(arguments, "--port") == "8102"
    assert value_of(arguments, "--generation-config") == "vllm"
    assert value_of(arguments, "--shutdown-timeout") == "30"
    assert "--enable-prefix-caching" in arguments
    assert ("--enable-auto-tool-choice" in arguments) == (profile.tool_parser is not None)
    if profile.tool_parser is not None:
        assert value_of(arguments, "--tool-call-parser") == profile.tool_parser
    on_card = isinstance(profile.target, GpuTarget)
    assert ("--gpu-memory-utilization" in arguments) == on_card
    assert ("--quantization" in arguments) == (on_card and profile.name != "guard")


def test_all_that_answer_go_by_one_name_and_the_guard_by_the_gateways_default() -> None:
    names = {profile.name: profile.served_name for profile in all_profiles()}
    assert names.pop("guard") == "Qwen/Qwen3Guard-Gen-0.6B"
    assert set(names.values()) == {"xiaoer"}


def test_vllm_starts_as_a_module_without_network_or_reports() -> None:
    launch = make_launch(get_profile("cpu-demo"), MODEL, Settings(environ={"PATH": "/bin"}))
    assert launch.argv[:3] == (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
    assert launch.environment["PATH"] == "/bin"
    assert launch.environment["HF_HUB_OFFLINE"] == "1"
    assert launch.environment["VLLM_NO_USAGE_STATS"] == "1"
    assert launch.environment["DO_NOT_TRACK"] == "1"
    assert launch.environment["VLLM_CPU_KVCACHE_SPACE"] == "1"


def test_cores_and_kv_cache_of_a_cpu_node_can_be_set() -> None:
    settings = Settings(cpus="1", kv_gib=2)
    added = make_launch(get_profile("cpu-demo"), MODEL, settings).added
    assert added["VLLM_CPU_OMP_THREADS_BIND"] == "1"
    assert added["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert (
        "VLLM_CPU_KVCACHE_SPACE" not in make_launch(get_profile("edge-gpu"), MODEL, settings).added
    )


def test_speculation_and_eager_mode_can_be_switched() -> None:
    demo = get_profile("cpu-demo")
    arguments = vllm_arguments(demo, MODEL, Settings())
    assert json.loads(value_of(arguments, "--speculative-config")) == {
        "method": "ngram",
        "num_speculative_tokens": 5,
        "prompt_lookup_max": 4,
        "prompt_lookup_min": 2,
    }
    assert "--enforce-eager" in arguments
    switched = vllm_arguments(demo, MODEL, Settings(speculation=False, compile=True))
    assert "--speculative-config" not in switched
    assert "--enforce-eager" not in switched
    assert "--speculative-config" not in vllm_arguments(
        dataclasses.replace(demo, speculation=None), MODEL, Settings()
    )


def test_the_key_is_passed_by_environment_and_never_printed() -> None:
    launch = make_launch(get_profile("cpu-demo"), MODEL, Settings(api_key="s3cret"))
    assert launch.environment["VLLM_API_KEY"] == "s3cret"
    assert "s3cret" not in " ".join(launch.argv)
    assert "s3cret" not in launch.printable()


def test_the_long_profile_names_its_backend_and_stretches_the_context() -> None:
    arguments = vllm_arguments(get_profile("edge-gpu-long"), MODEL, Settings())
    assert value_of(arguments, "--attention-backend") == "FLASHINFER"
    assert value_of(arguments, "--kv-cache-dtype") == "fp8"
    overrides = json.loads(value_of(arguments, "--hf-overrides"))
    assert overrides["max_position_embeddings"] == 131_072
    assert overrides["rope_parameters"]["rope_type"] == "yarn"


def test_templates_that_profiles_name_exist() -> None:
    named = [profile.chat_template for profile in all_profiles() if profile.chat_template]
    assert named
    assert all((TEMPLATES_DIR / name).is_file() for name in named)


def test_an_unknown_profile_lists_the_others() -> None:
    with pytest.raises(UnknownProfileError, match="edge-gpu"):
        get_profile("edge")


def test_dry_run_prints_the_command_and_runs_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("INFERENCE_API_KEY", "s3cret")
    assert main(["edge-gpu", "--port", "8105", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "vllm.entrypoints.openai.api_server" in printed
    assert "--port 8105" in printed
    assert "s3cret" not in printed


def test_refusals_are_one_sentence_and_a_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    assert main(["nothing"]) == 1
    assert "There is no profile 'nothing'" in capsys.readouterr().err
    monkeypatch.setenv("INFERENCE_PORT", "eighty")
    assert main(["cpu-demo"]) == 1
    assert "INFERENCE_PORT" in capsys.readouterr().err


def test_a_model_that_is_not_there_names_the_step_that_brings_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("INFERENCE_PORT", "28101")
    assert main(["cpu-demo"]) == 1
    assert "services.inference.demo assemble" in capsys.readouterr().err


def test_plan_prints_the_table_and_refuses_with_a_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    assert main(["plan", "edge-gpu", "--card-gib", "12", "--host-gib", "16"]) == 0
    assert "fits: 32 ordinary questions or 5 of full length" in capsys.readouterr().out
    assert main(["plan", "edge-gpu", "--card-gib", "6", "--host-gib", "16"]) == 1
    assert "REFUSED" in capsys.readouterr().out


def test_profiles_lists_them_all_and_marks_the_unverified(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["profiles"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(all_profiles())
    assert "(unverified)" in next(line for line in lines if line.startswith("edge-gpu-long"))
