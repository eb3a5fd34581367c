from pathlib import Path

import pytest

from services.tools.importer import notice
from services.tools.importer.__main__ import NOT_TOLD, main
from tests.integration.tools.conftest import SAMPLE
from tests.support.redis_server import free_port

pytestmark = pytest.mark.integration


def test_an_import_of_which_nobody_could_be_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notice, "PAUSE_S", 0.0)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'shop.db'}")
    arguments = ["--shop", "demo", "--products", str(SAMPLE / "products.csv")]
    monkeypatch.setenv("GATEWAY_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("SERVICE_TOKEN_SECRET", "s" * 32)
    assert main(arguments) == NOT_TOLD
    told = capsys.readouterr().err
    assert "Imported 30 products" in told
    assert "import is done and stays, but no gateway could be told" in told.replace("\n", " ")
    monkeypatch.setenv("GATEWAY_URL", "")
    assert main(arguments) == 0
