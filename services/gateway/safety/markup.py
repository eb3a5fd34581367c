"""Takes out of answers what is not words: links that are not the shop's, and markup.

A model may copy a link from a page or make one up; a page may render what was meant as text.
"""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

_MARKDOWN_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\(([^()\s]{0,500})\)")
_HOSTS = r"(?:[a-z0-9-]{1,63}\.){1,4}"
_LINK = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'，。；！？、（）()]{1,500}"
    rf"|(?<![A-Za-z0-9_.@-]){_HOSTS}(?:com|cn|net|org|io|shop|store|top|xyz|vip|info|cc|me|app|ru|ly)"
    r"(?![A-Za-z0-9_-])(?:/[^\s<>\"'，。；！？、（）()]{0,300})?",
    re.IGNORECASE,
)
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,300}>|<!--.{0,300}?-->")
_EMPHASIS = re.compile(r"\*\*|__|`+|^#{1,6}\s", re.MULTILINE)
_MARKS = frozenset("[<*_`#.")


def clean(text: str, hosts: Collection[str]) -> str:
    """Return a text without links to elsewhere and without markup.

    Args:
        text: a clause or sentence of an answer.
        hosts: the shop's own, in lower case; links to them, and to hosts under them, stay.
    """
    if _MARKS.isdisjoint(text):
        return text
    text = _MARKDOWN_LINK.sub(
        lambda found: found[0] if _is_own(found[2], hosts) else found[1], text
    )
    text = _LINK.sub(lambda found: found[0] if _is_own(found[0], hosts) else "", text)
    return _EMPHASIS.sub("", _TAG.sub("", text))


def _is_own(link: str, hosts: Collection[str]) -> bool:
    try:
        host = urlsplit(link if "//" in link else f"//{link}").hostname or ""
    except ValueError:
        return False
    return any(host == own or host.endswith(f".{own}") for own in hosts)
