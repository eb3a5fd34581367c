"""What is wrong with a unit of an answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What a unit states that nothing supports."""

    kind: str
    text: str
    """The words at fault, folded; for the model, not for logs."""
