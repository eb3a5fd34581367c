import httpx2
import jwt
import pytest

from services.tools.errors import ConfigurationError
from services.tools.importer import notice
from services.tools.importer.notice import NotToldError, tell_gateway
from services.tools.settings import NoticeSettings

SECRET = "0123456789abcdef0123456789abcdef"
URLS = ("http://a:8080", "http://b:8080")


def test_without_a_gateway_nobody_is_told() -> None:
    assert tell_gateway(NoticeSettings.from_env({}), "demo") is None


def test_one_gateway_is_enough() -> None:
    seen = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(503 if request.url.host == "a" else 204)

    settings = NoticeSettings(URLS, SECRET)
    assert tell_gateway(settings, "demo", transport=httpx2.MockTransport(answer)) == URLS[1]
    assert [request.url.path for request in seen] == ["/v1/catalogue/changed"] * 2
    token = seen[0].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, SECRET, ["HS256"], audience="gateway", issuer="tools")
    assert claims["shop"] == "demo"


def test_none_could_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "PAUSE_S", 0.0)

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "a":
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(401)

    with pytest.raises(NotToldError, match=r"http://a:8080: refused; http://b:8080: HTTP 401"):
        tell_gateway(NoticeSettings(URLS, SECRET), "demo", transport=httpx2.MockTransport(answer))


def test_settings() -> None:
    env = {"GATEWAY_URL": " http://a:8080/, http://b:8080 ", "SERVICE_TOKEN_SECRET": SECRET}
    assert NoticeSettings.from_env(env).gateway_urls == URLS
    assert SECRET not in repr(NoticeSettings.from_env(env))
    for wrong in ({"GATEWAY_URL": "a:8080"}, {"SERVICE_TOKEN_SECRET": "short"}):
        with pytest.raises(ConfigurationError):
            NoticeSettings.from_env(env | wrong)
