"""The production flags against the real vLLM, without a card.

A checkpoint with random 4-bit AWQ weights stands in for Qwen2.5-7B-Instruct-AWQ.
"""

import asyncio
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from services.inference.launcher import make_launch, vllm_arguments
from services.inference.modelfiles import inspect
from services.inference.profiles import all_profiles, get_profile
from services.inference.profiles.types import GIB, CpuTarget
from services.inference.settings import Settings, load_settings
from tests.support.tiny_awq import write_tiny_awq

pytestmark = pytest.mark.integration

READY_S = 120
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "query_inventory",
            "description": "Price and stock of one product.",
            "parameters": {
                "type": "object",
                "properties": {"product": {"type": "string"}},
                "required": ["product"],
            },
        },
    }
]
ARGUMENTS = {"product": "无线降噪耳机Pro"}
CALL = (
    '<tool_call>\n{"name": "query_inventory", "arguments": {"product": "无线降噪耳机Pro"}}\n'
    "</tool_call>"
)
QUESTION: list[Any] = [{"role": "user", "content": "WH-PRO-001 多少钱？"}]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_awq(tmp_path_factory.mktemp("models") / "tiny-awq")


@pytest.fixture(scope="module")
def served(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    # What a processor cannot have is replaced; every other flag is the production profile's.
    profile = dataclasses.replace(
        get_profile("edge-gpu"),
        target=CpuTarget(kv_gib=1, worker_bytes=GIB),
        dtype="bfloat16",
        enforce_eager=True,
    )
    settings = dataclasses.replace(load_settings(), port=port, api_key="node-key", shutdown_s=20)
    launch = make_launch(profile, checkpoint, settings)
    assert launch.argv[launch.argv.index("--quantization") + 1] == "awq"
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            launch.argv, env=dict(launch.environment), stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(port, process, log)
        yield f"http://127.0.0.1:{port}/v1", process, log
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"vLLM ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    pytest.fail(f"vLLM was not ready in {READY_S} s:\n{log.read_text()[-4000:]}")


def _client(url: str, key: str = "node-key") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=60)


def test_the_stand_in_has_the_production_layout(checkpoint: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["quantization_config"]["quant_method"] == "awq"
    assert inspect(checkpoint).kv.head_dim == 64


def test_vllm_parses_every_profile_and_accepts_its_context(checkpoint: Path) -> None:
    command_lines = {
        profile.name: vllm_arguments(profile, checkpoint, Settings()) for profile in all_profiles()
    }
    result = subprocess.run(
        [sys.executable, "-m", "tests.integration.inference.vllm_parse"],
        input=json.dumps(command_lines),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    line = next(line for line in result.stdout.splitlines() if line.startswith("PARSED "))
    parsed = json.loads(line.removeprefix("PARSED "))
    assert parsed.keys() == command_lines.keys()
    for profile in all_profiles():
        found = parsed[profile.name]
        assert found["max_model_len"] == profile.max_model_len
        assert found["tool_call_parser"] == profile.tool_parser
        assert found["enable_auto_tool_choice"] is (profile.tool_parser is not None)
        assert found["enable_prefix_caching"] is True
        assert found["shutdown_timeout"] == 30
        assert found["generation_config"] == "vllm"
        assert found["served_model_name"] == [profile.served_name]
        assert found["quantization"] == "awq"
    long = parsed["edge-gpu-long"]
    assert long["rope"]["rope_type"] == "yarn"
    assert long["rope"]["factor"] == 4.0
    assert long["kv_cache_dtype"] == "fp8"
    assert "FLASHINFER" in long["attention_backend"]
    assert parsed["edge-gpu"]["rope"]["rope_type"] == "default"
    assert parsed["cpu-demo"]["speculative"]["method"] == "ngram"


async def test_answers_as_text_and_as_a_tool_call(
    served: tuple[str, subprocess.Popen[bytes], Path],
) -> None:
    async with _client(served[0]) as client:
        assert [model.id async for model in client.models.list()] == ["xiaoer"]
        free = await client.chat.completions.create(
            model="xiaoer", messages=QUESTION, tools=TOOLS, max_tokens=8, temperature=0
        )
        assert free.usage is not None
        assert free.usage.completion_tokens > 0
        # Random weights call nothing by themselves; the sampler is held to the bytes that
        # Qwen2.5 writes, and the parser has to find the call in them.
        calling = await client.chat.completions.create(
            model="xiaoer",
            messages=QUESTION,
            tools=TOOLS,
            max_tokens=256,
            temperature=0,
            extra_body={"structured_outputs": {"choice": [CALL]}},
        )
    assert calling.choices[0].finish_reason == "tool_calls"
    assert not calling.choices[0].message.content
    calls = calling.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.name == "query_inventory"
    assert json.loads(calls[0].function.arguments) == ARGUMENTS


async def test_streams_a_tool_call(served: tuple[str, subprocess.Popen[bytes], Path]) -> None:
    name = arguments = text = ""
    async with _client(served[0]) as client:
        stream = await client.chat.completions.create(
            model="xiaoer",
            messages=QUESTION,
            tools=TOOLS,
            max_tokens=256,
            temperature=0,
            stream=True,
            extra_body={"structured_outputs": {"choice": [CALL]}},
        )
        async for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    assert call.function is not None
                    name += call.function.name or ""
                    arguments += call.function.arguments or ""
    assert (name, json.loads(arguments), text) == ("query_inventory", ARGUMENTS, "")


async def test_a_wrong_key_is_refused(
    served: tuple[str, subprocess.Popen[bytes], Path],
) -> None:
    async with _client(served[0], key="another") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()


async def test_a_stopped_node_finishes_its_answer(
    served: tuple[str, subprocess.Popen[bytes], Path],
) -> None:
    """Last of this module: the node is gone afterwards."""
    url, process, log = served
    assert "CPUWNA16LinearKernel" in log.read_text()
    wanted_tokens = 200
    async with _client(url) as client:
        stream = await client.chat.completions.create(
            model="xiaoer",
            messages=QUESTION,
            max_tokens=wanted_tokens,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"ignore_eos": True},
        )
        usage = None
        stopped = False
        async for chunk in stream:
            if not stopped:
                process.send_signal(signal.SIGTERM)
                stopped = True
            usage = chunk.usage or usage
    assert usage is not None
    assert usage.completion_tokens == wanted_tokens
    status = await asyncio.to_thread(process.wait, 40)
    assert status == 0
