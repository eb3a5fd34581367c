"""A real Prometheus with our configuration and rules, only that it scrapes each second."""

import json
import math
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tests.support.stack import free_ports
from tests.unit.observability.boards import PROMETHEUS
from tests.unit.observability.promtool import program

STEP_S = 1
Moments = list[tuple[float, float]]


class Prometheus:
    """Starts on entering, stops on leaving.

    Args:
        folder: a fresh one, for its data and configuration.
        targets: what it scrapes, as in targets.yaml.
    """

    def __init__(self, folder: Path, targets: list[dict[str, Any]]) -> None:
        (port,) = free_ports(1)
        self._folder = folder
        self._address = f"127.0.0.1:{port}"
        self._http = httpx.Client(base_url=f"http://{self._address}", timeout=30, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None
        config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text("utf-8"))
        config["global"] = dict.fromkeys(config["global"], f"{STEP_S}s")
        del config["alerting"]  # nobody is called
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), "utf-8")
        (folder / "targets.yaml").write_text(yaml.safe_dump(targets), "utf-8")
        shutil.copytree(PROMETHEUS / "rules", folder / "rules")

    def __enter__(self) -> Self:
        log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={self._folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self._address}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )
        log.close()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if self._http.get("/-/ready").status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.1)
        self.__exit__()
        raise RuntimeError((self._folder / "log").read_text("utf-8"))

    def __exit__(self, *_: object) -> None:
        self._http.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def targets(self) -> dict[str, str]:
        """Return the health of each target, by job and address."""
        found = self._get("/api/v1/targets")["activeTargets"]
        return {
            f"{target['labels']['job']} {target['labels']['instance']}": target["health"]
            + target["lastError"]
            for target in found
        }

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules, with their health and alerts."""
        groups = self._get("/api/v1/rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def over(self, expr: str, start: float, end: float) -> dict[str, Moments]:
        """Return the series of an expression over time, by their labels; NaN is left out."""
        asked = {"query": expr, "start": str(start), "end": str(end), "step": str(STEP_S)}
        return {
            json.dumps(series["metric"], sort_keys=True): [
                (moment, float(value))
                for moment, value in series["values"]
                if math.isfinite(float(value))
            ]
            for series in self._get("/api/v1/query_range", **asked)["result"]
        }

    def _get(self, path: str, **params: str) -> Any:
        reply = self._http.get(path, params=params).json()
        assert reply["status"] == "success", reply
        return reply["data"]
