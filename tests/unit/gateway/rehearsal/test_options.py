from pathlib import Path

import pytest

from services.gateway.rehearsal.errors import RehearsalError
from services.gateway.rehearsal.options import parse_options

KEY = {"SHOP_KEY": "sk-1"}


def test_the_environment_fills_what_the_command_line_leaves_open() -> None:
    env = {**KEY, "GATEWAY_URL": "http://10.0.0.1:8080/", "SHOP_SECRETS_FILE": "s.json"}
    found = parse_options(["chats.csv"], env)
    assert (found.gateway, found.key, found.shop) == ("http://10.0.0.1:8080", "sk-1", "demo")
    assert (found.concurrency, found.out) == (4, Path("reports/rehearsal"))
    assert found.secrets_file == Path("s.json")
    assert "sk-1" not in repr(found)
    given = parse_options(["c.csv", "--gateway", "https://x.example", "--key", "sk-2"], env)
    assert (given.gateway, given.key) == ("https://x.example", "sk-2")
    assert parse_options(["c.csv"], {**KEY, "GATEWAY_URL": ""}).gateway == "http://127.0.0.1:8080"


def test_a_run_without_a_key_says_where_it_is() -> None:
    with pytest.raises(RehearsalError, match="make -s key"):
        parse_options(["c.csv"], {"SHOP_KEY": " "})
    with pytest.raises(RehearsalError, match="characters"):
        parse_options(["c.csv"], {"SHOP_KEY": "钥匙"})


def test_a_shop_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(RehearsalError, match="no shop's id"):
        parse_options(["c.csv", "--shop", "\udcff"], KEY)


@pytest.mark.parametrize(
    "url", ["gateway:8080", "ftp://x", "http://", "http://a:b@c", "http://[x", "http://a\x01b"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RehearsalError, match="must start"):
        parse_options(["c.csv", "--gateway", url], KEY)


@pytest.mark.parametrize("number", ["0", "65", "x"])
def test_how_many_at_a_time_is_bounded(number: str) -> None:
    with pytest.raises(SystemExit):
        parse_options(["c.csv", "--concurrency", number], KEY)
