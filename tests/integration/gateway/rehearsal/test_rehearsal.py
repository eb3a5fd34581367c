"""A rehearsal against a real gateway: what it reports, and that nothing of it stays behind."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from services.gateway.rehearsal.__main__ import main
from tests.support.fake_model import FakeModel, call, say
from tests.support.fake_tools import FakeTools
from tests.support.gateway import ServerThread, request
from tests.support.shops import AGENT_KEYS, SHOP_KEYS, TOKEN_SECRETS

PHONE = "13812345678"
CHATS = f"""conversation,question,customer,expected,time
a,无线降噪耳机Pro多少钱？,,599元,9:00
b,Do you have a store in Paris?,,No,9:01
a,那有货吗？,,128,9:02
,,,,9:03
c,"Hello, is there a store in Paris?",,,9:04
c,<script>alert(1)</script>你们什么时候搬家？,,,9:04
d,请帮我转人工,,,9:05
d,在吗？我的电话{PHONE},,,9:06
e,Where is my order ORD20241201001?,alice,,9:07
"""
PRICE = ("query_inventory", {"product": "WH-PRO-001"})
ORDER = ("query_order_status", {"order_id": "ORD20241201001"})
DECLINED = say("I'm sorry, I can't confirm that right now.")


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    path = tmp_path / "chats.csv"
    path.write_text(CHATS, "utf-8-sig")
    return path


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    monkeypatch.setenv("SHOP_KEY", SHOP_KEYS["demo"])
    monkeypatch.setenv("SHOP_SECRETS_FILE", env["SHOP_SECRETS_FILE"])


def told(model: FakeModel) -> None:
    """Have the model answer what the file asks, conversation by conversation."""
    model.will(call(PRICE), say("无线降噪耳机Pro售价¥599.00。"), say("有货，现货128件。"))
    model.will(DECLINED, DECLINED, say("好的。"))
    model.will(call(ORDER), say("Your order ORD20241201001 has shipped with SF Express."))


def rehearse(chats: Path, gateway: ServerThread, *more: str) -> tuple[int, dict[str, Any]]:
    out = chats.parent / "reports"
    status = main([str(chats), "--gateway", gateway.url, "--out", str(out), *more])
    (folder,) = out.iterdir()
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return status, found


def left_behind(gateway: ServerThread, store: redis.Redis) -> list[Any]:
    """Sessions, and tickets as the agents' desk shows them."""
    agent = {"authorization": f"Bearer {AGENT_KEYS['mei']}"}
    tickets = request("GET", f"{gateway.url}/v1/tickets", headers=agent).json()["tickets"]
    keys = [key for key in store.keys("*rehearsal-*") if b":rate:" not in key]
    return [*keys, *tickets]


def test_questions_in_both_languages_and_what_became_of_them(
    chats: Path,
    gateway: ServerThread,
    model: FakeModel,
    tools: FakeTools,
    store: redis.Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told(model)
    status, found = rehearse(chats, gateway, "--concurrency", "1")
    assert (status, model.unexpected) == (0, [])
    summary = found["summary"]
    assert summary["outcomes"] == {"answered": 4, "handover": 2, "unconfirmed": 2, "error": 0}
    assert summary["sources"] == [["model", 4]]
    assert sorted(summary["tools"]) == [["query_inventory", 1], ["query_order_status", 1]]
    assert summary["after_handover"] == 1
    (gap,) = summary["gaps"]
    assert (gap["question"], gap["lines"]) == ("Do you have a store in Paris?", [3, 6])
    assert found["about"]["bad_rows"] == [{"line": 5, "reason": "it has no question"}]
    # The second question of a conversation is asked after the first, in its session.
    assert [one["line"] for one in found["conversations"][0]["exchanges"]] == [2, 4]
    assert "599.00" in json.dumps(model.seen[2].messages, ensure_ascii=False)
    # Who is named is signed in.
    assert [use.claims.get("sub") for use in tools.uses] == [None, "alice"]
    assert PHONE not in json.dumps(found)
    assert left_behind(gateway, store) == []
    printed = capsys.readouterr()
    assert "line 5 is left out: it has no question" in printed.err
    assert "columns that are not read: time" in printed.err
    for part in ("handed over to a person", "25.0 %", "Do you have a store in Paris?"):
        assert part in printed.out


def test_the_page_is_private_and_safe(chats: Path, gateway: ServerThread, model: FakeModel) -> None:
    told(model)
    rehearse(chats, gateway, "--concurrency", "1")
    (page,) = chats.parent.glob("reports/*/report.html")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    text = page.read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>" not in text
    assert PHONE not in text
    for secret in (SHOP_KEYS["demo"], TOKEN_SECRETS["demo"], "alice"):
        assert secret not in text


def test_a_limit_that_is_reached_is_waited_for(
    chats: Path, gateway: ServerThread, model: FakeModel, store: redis.Redis
) -> None:
    model.always(DECLINED)
    chats.write_text("question\n" + "".join(f"q {word}\n" for word in "abcdefgh"), "utf-8")
    seconds, micros = store.time()
    # The shop's bucket is as full as it may be, and three seconds more.
    store.set("xiaoer:demo:rate:shop", (seconds + 63) * 1_000_000 + micros)
    status, found = rehearse(chats, gateway, "--concurrency", "4")
    assert (status, found["summary"]["asked"]) == (0, 8)
    assert found["summary"]["outcomes"]["error"] == 0
    assert found["about"]["waits"] >= 4
    assert left_behind(gateway, store) == []


def test_a_model_that_fails_is_an_error_of_the_question(
    chats: Path, gateway: ServerThread, model: FakeModel, store: redis.Redis
) -> None:
    model.always(say("好的。"))
    model.fail_first, model.fail_status = 99, 400
    chats.write_text("question\n无线降噪耳机Pro多少钱？\n", "utf-8")
    status, found = rehearse(chats, gateway)
    assert (status, found["summary"]["outcomes"]["error"]) == (0, 1)
    assert "HTTP 502" in found["conversations"][0]["exchanges"][0]["error"]
    assert left_behind(gateway, store) == []


def test_customers_are_anonymous_without_the_shops_secret(
    chats: Path,
    gateway: ServerThread,
    model: FakeModel,
    tools: FakeTools,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("SHOP_SECRETS_FILE")
    told(model)
    _, found = rehearse(chats, gateway, "--concurrency", "1")
    assert found["about"]["anonymous"] == 1
    assert [use.claims.get("sub") for use in tools.uses] == [None, None]
    assert "asked without signing in: 1 (SHOP_SECRETS_FILE is not set)" in (capsys.readouterr().out)


@pytest.mark.usefixtures("gateway")
def test_what_keeps_a_run_from_beginning(
    chats: Path,
    gateway: ServerThread,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(chats), "--gateway", "http://127.0.0.1:9"]) == 2
    assert "make run" in capsys.readouterr().err
    assert main([str(chats), "--gateway", gateway.url, "--key", "sk-wrong"]) == 1
    assert "does not take the shop key" in capsys.readouterr().err
    assert main([str(chats.with_name("none.csv")), "--gateway", gateway.url]) == 1
    assert "No such file" in capsys.readouterr().err
    out = ["--out", str(chats)]
    assert main([str(chats), "--gateway", gateway.url, *out]) == 1
    assert "--out DIR" in capsys.readouterr().err
    monkeypatch.delenv("SHOP_KEY")
    assert main([str(chats)]) == 1
    assert "make -s key" in capsys.readouterr().err


def test_ctrl_c_finishes_what_is_under_way_and_keeps_it(
    chats: Path, gateway: ServerThread, model: FakeModel, store: redis.Redis
) -> None:
    model.always(DECLINED)
    model.latency_s = 1.5
    chats.write_text("question\n" + "is there a shop\n" * 50, "utf-8")
    out = chats.parent / "reports"
    command = [sys.executable, "-m", "services.gateway.rehearsal", str(chats)]
    command += ["--gateway", gateway.url, "--out", str(out), "--concurrency", "2"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ, text=True
    ) as run:
        until = time.monotonic() + 60
        while len(model.seen) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate(timeout=30)
    assert run.returncode == 130, printed
    (page,) = out.glob("*/report.html")
    found = json.loads(page.with_name("report.json").read_text("utf-8"))
    asked = found["summary"]["asked"]
    assert asked == found["summary"]["outcomes"]["unconfirmed"] == len(model.seen) < 50
    assert f"Questions that were not asked: {50 - asked}. The run was stopped." in printed
    assert re.search(r"The report is \S+report\.html", printed)
    assert left_behind(gateway, store) == []
