from pathlib import Path

import pytest

from services.inference.errors import SettingsError
from services.inference.settings import load_settings


def test_defaults() -> None:
    settings = load_settings({})
    assert settings.model_dir == Path("data/models")
    assert (settings.host, settings.port) == ("127.0.0.1", 8101)
    assert settings.speculation
    assert not settings.compile
    assert settings.shutdown_s == 30
    assert settings.api_key is None


def test_the_model_folder_follows_the_data_folder_unless_named() -> None:
    assert load_settings({"DATA_DIR": "/srv/xiaoer"}).model_dir == Path("/srv/xiaoer/models")
    named = {"DATA_DIR": "/srv/xiaoer", "MODEL_DIR": "/models"}
    assert load_settings(named).model_dir == Path("/models")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INFERENCE_PORT", "http"),
        ("INFERENCE_PORT", "70000"),
        ("INFERENCE_KV_GIB", "0.5"),
        ("INFERENCE_SHUTDOWN_S", "-1"),
        ("INFERENCE_SPECULATION", "perhaps"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


def test_secrets_are_not_printed() -> None:
    settings = load_settings({"INFERENCE_API_KEY": "s3cret-key", "HF_TOKEN": "hf_secret"})
    assert settings.api_key == "s3cret-key"
    assert "s3cret-key" not in repr(settings)
    assert "hf_secret" not in repr(settings)


def test_a_card_named_by_uuid_falls_back_to_the_first() -> None:
    assert load_settings({"CUDA_VISIBLE_DEVICES": "1,0"}).visible_card == 1
    assert load_settings({"CUDA_VISIBLE_DEVICES": "GPU-8932f937"}).visible_card == 0
