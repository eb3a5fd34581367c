"""All dashboards, and the JSON that Grafana loads."""

from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.nodes import nodes
from deploy.grafana.reliability import reliability
from deploy.grafana.shop import shop

FOLDER = Path(__file__).with_name("dashboards")
DASHBOARDS: tuple[Callable[[], Dashboard], ...] = (shop, nodes, reliability)


def files() -> dict[str, str]:
    """Return what each file in `FOLDER` has to hold."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {f"{make.__name__}.json": encoder.encode(make()) + "\n" for make in DASHBOARDS}


def write(folder: Path = FOLDER) -> list[Path]:
    """Write them all; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_text(content, "utf-8")
    return [folder / name for name in files()]
