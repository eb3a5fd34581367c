"""How Chinese characters sound, without tones.

Chinese typos are made by input methods that work by sound: 降躁 for 降噪, 称 for 秤. Characters
that merely look like a slip (手环 and 手表, 有线 and 无线) are different products.
"""

import unicodedata
from functools import lru_cache

from pypinyin.pinyin_dict import pinyin_dict


@lru_cache(maxsize=32_768)
def sounds(char: str) -> tuple[str, ...]:
    """Every reading of a character in toneless pinyin, the commonest first; itself if none."""
    readings = pinyin_dict.get(ord(char))
    if not readings:
        return (char,)
    return tuple(dict.fromkeys(_plain(reading) for reading in readings.split(",")))


def sounds_like(one: str, other: str) -> bool:
    """Whether two characters share a reading."""
    return one == other or not set(sounds(one)).isdisjoint(sounds(other))


def _plain(reading: str) -> str:
    return "".join(
        char for char in unicodedata.normalize("NFD", reading) if not unicodedata.combining(char)
    )
