"""Whose replica a Redis becomes, and whom a Sentinel watches, with a scripted redis-cli.

The real failover (three Sentinels, HAProxy, network namespaces) was run by hand: k8s/README.md.
"""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from deploy.manifests.render import K8S

REDIS = K8S / "components" / "redis" / "redis.sh"
SENTINEL = K8S / "components" / "redis-sentinel" / "sentinel.sh"
CLI = """#!/bin/sh
# Answers from files named after what is asked, and nothing where there is none.
case "$*" in
    *get-master-addr-by-name*) file=master ;;
    *"sentinel master"*) file=flags ;;
    *redis-0*) file=redis-0 ;;
    *redis-1*) file=redis-1 ;;
esac
[ -e "$ANSWERS/$file" ] || exit 1
cat "$ANSWERS/$file"
[ ! -e "$ANSWERS/$file.next" ] || mv "$ANSWERS/$file.next" "$ANSWERS/$file"
"""


class Pod:
    """A folder for what the scripts write, and programs that stand for Redis'."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        for program, text in {"redis-cli": CLI, "redis-server": '#!/bin/sh\necho "$@"\n'}.items():
            file = folder / program
            file.write_text(text)
            file.chmod(file.stat().st_mode | stat.S_IXUSR)

    def answer(self, what: str, *lines: str) -> None:
        (self.folder / what).write_text("".join(f"{line}\n" for line in lines))

    def start(self, script: Path, **env: str) -> str:
        given = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "ANSWERS": str(self.folder),
            "HOSTNAME": self.name,
            "REDIS_PASSWORD": "pw",
            "REDIS_DOMAIN": "nodes",
            "REDIS_DIR": str(self.folder),
            "REDIS_ENTRYPOINT": "",
            "SENTINEL_DIR": str(self.folder),
            "SENTINEL_DOMAIN": "sentinels",
            **env,
        }
        command = ["sh", str(script)]
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def redis(self) -> list[str]:
        self.start(REDIS, SENTINEL_HOST="sentinel")
        lines = (self.folder / "redis.conf").read_text().splitlines()
        return [line for line in lines if line.startswith("replicaof")]

    def sentinel(self) -> str:
        self.start(SENTINEL, SENTINEL_HOST="sentinel")
        lines = (self.folder / "sentinel.conf").read_text().splitlines()
        return next(line for line in lines if line.startswith("sentinel monitor"))


@pytest.fixture
def first(tmp_path: Path) -> Pod:
    return Pod(tmp_path, "redis-0")


def test_alone_it_is_nobodys_replica_and_keeps_its_log(first: Pod) -> None:
    assert first.start(REDIS) == str(first.folder / "redis.conf")
    conf = first.folder / "redis.conf"
    assert {"appendonly yes", "maxmemory-policy noeviction", "requirepass pw"} <= set(
        conf.read_text().splitlines()
    )
    assert "replica" not in conf.read_text().replace("replicas", "")
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600


def test_at_the_very_first_start_the_first_is_master(tmp_path: Path, first: Pod) -> None:
    assert first.redis() == []
    (tmp_path / "second").mkdir()
    assert Pod(tmp_path / "second", "redis-1").redis() == ["replicaof redis-0.nodes 6379"]


def test_an_old_master_that_comes_back_follows_the_new_one(first: Pod) -> None:
    assert first.redis() == []
    first.answer("master", "redis-1.nodes", "6379")
    assert first.redis() == ["replicaof redis-1.nodes 6379"]
    # Also later, when nobody can be asked, and back again when it is told so.
    (first.folder / "master").unlink()
    assert first.redis() == ["replicaof redis-1.nodes 6379"]
    first.answer("master", "redis-0.nodes", "6379")
    assert first.redis() == []


def test_during_a_promotion_it_waits_for_the_word_to_be_the_new_one(first: Pod) -> None:
    first.redis()
    first.answer("flags", "name", "xiaoer", "flags", "s_down,o_down,master", "down-after", "3000")
    first.answer("flags.next", "flags", "master", "down-after-milliseconds", "3000")
    first.answer("master", "redis-1.nodes", "6379")
    assert first.redis() == ["replicaof redis-1.nodes 6379"]
    assert not (first.folder / "flags.next").exists()


@pytest.mark.parametrize(
    ("answers", "watched"),
    [
        ({}, "redis-0"),
        ({"master": "redis-1.nodes"}, "redis-1"),
        ({"redis-0": "slave", "redis-1": "master"}, "redis-1"),
        ({"redis-0": "master", "redis-1": "slave"}, "redis-0"),
    ],
)
def test_a_new_sentinel_watches_who_is_master(
    tmp_path: Path, answers: dict[str, str], watched: str
) -> None:
    pod = Pod(tmp_path, "sentinel-0")
    for what, line in answers.items():
        pod.answer(what, line)
    assert pod.sentinel() == f"sentinel monitor xiaoer {watched}.nodes 6379 2"
    # What it has learnt since stays.
    pod.answer("master", "redis-9.nodes")
    assert "redis-9" not in pod.sentinel()
