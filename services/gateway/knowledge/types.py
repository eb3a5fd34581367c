"""What retrieval hands over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a shop's document that may answer a question.

    Attributes:
        document: the file's path relative to the folder that was loaded; `settings` for what the
            shop's settings state.
        title: the document's, as customers see it.
        heading: the headings below the title that lead to it, joined by ` › `; empty at the top.
        text: its own words.
        score: how well it fits, higher is better; comparable within one search only.
    """

    document: str
    title: str
    heading: str
    text: str
    score: float
