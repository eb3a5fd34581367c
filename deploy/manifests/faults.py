"""What the checks find, and the exceptions that are made from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

EXCEPTIONS = Path(__file__).with_name("exceptions.yaml")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        check: the check's id: `CKV_K8S_43`, `policy:probes`, `schema 1.32`, `structure`.
        where: `Kind/name`.
        what: one sentence.

    """

    check: str
    where: str
    what: str


class Exceptions:
    """Faults that are meant, each with its reason; remembers which were needed."""

    def __init__(self, file: Path = EXCEPTIONS) -> None:
        """Read the file: `CHECK` or `CHECK Kind/name` as key, the reason as value."""
        self._reasons: dict[str, str] = yaml.safe_load(file.read_text("utf-8")) or {}
        self._used: set[str] = set()

    def sift(self, faults: Iterable[Fault]) -> list[Fault]:
        """Return the faults for which there is no exception."""
        left = []
        for fault in faults:
            keys = [fault.check, f"{fault.check} {fault.where}"]
            known = [key for key in keys if self._reasons.get(key)]
            self._used.update(known)
            if not known:
                left.append(fault)
        return left

    def unused(self) -> list[Fault]:
        """Return the exceptions that no fault asked for: they are to be taken out."""
        return [
            Fault("exceptions", key, "this exception is not needed; take it out")
            for key in self._reasons
            if key not in self._used
        ]

    def __len__(self) -> int:
        return len(self._reasons)
