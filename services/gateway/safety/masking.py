"""Masks personal data where text is kept for people to read: presidio, with our own recognisers.

Presidio brings spaCy along, and both import torch and transformers where they find them; a gateway
runs no model, and starts seconds sooner without. Presidio's own recognisers are left out: they know
no Chinese forms, expect spaces around what they find, and one asks the network for domain names.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import phonenumbers
from stdnum import iban, luhn
from stdnum.cn import ric

from services.gateway.assistant.language import language_of
from services.gateway.identity.shops import Language


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Make modules look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    yield
    for name in hidden:
        del sys.modules[name]


with _hidden("torch", "transformers"):
    from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

_LABELS: dict[str, dict[Language, str]] = {
    "email": {"zh": "[邮箱]", "en": "[e-mail]"},
    "id_card": {"zh": "[身份证号]", "en": "[ID number]"},
    "phone": {"zh": "[电话]", "en": "[phone]"},
    "bank_card": {"zh": "[银行卡号]", "en": "[card number]"},
    "passport": {"zh": "[护照号]", "en": "[passport number]"},
    "address": {"zh": "[地址]", "en": "[address]"},
}
KINDS = frozenset(_LABELS)
NEVER_NEEDED = KINDS - {"phone"}
"""What no answer needs, so that the model need not see it. A phone number may be an order's."""
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}

_HAN = r"[\u4e00-\u9fff]"
_REGION = rf"(?:{_HAN}{{2,7}}?(?:特别行政区|自治区|自治州|新区|省|市|州|区|县|旗|镇|乡|街道))"
_STREET = r"(?:大道|大街|公路|路|街|道|巷|弄|里|胡同|村|屯|小区|花园|花苑|新村|公寓|大厦|广场)"
_DOOR = (
    r"(?:[\d一二三四五六七八九十百-]{1,8}[A-Za-z]?"
    r"(?:号楼|单元|号院|号|栋|幢|座|弄|组|层|楼|室|房)|[A-Z][座栋幢])"
)
_NOT_IN_NUMBER = r"(?<![\dA-Za-z])", r"(?![\dA-Za-z])"


def _bounded(pattern: str) -> str:
    return f"{_NOT_IN_NUMBER[0]}(?:{pattern}){_NOT_IN_NUMBER[1]}"


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _is_id_card(text: str) -> bool:
    if len(text) == 18:
        return bool(ric.is_valid(text))
    # The first generation had no check digit: a birth date stands in its middle.
    month, day = int(text[8:10]), int(text[10:12])
    return 1 <= month <= 12 and 1 <= day <= 31


def _is_phone_abroad(text: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, "US"))
    except phonenumbers.NumberParseException:
        return False


def _is_card(text: str) -> bool:
    return bool(luhn.is_valid(_digits(text)))


def _always(_: str) -> bool:
    return True


_CN_MOBILE = r"(?:(?:\+|00)?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}"
_CN_LANDLINE = r"(?:(?:\+|00)?86[- ]?)?\(?0\d{2,3}\)?[- ]?[2-9]\d{6,7}(?:[-转]\d{1,5})?"
_CN_SERVICE = r"[48]00[- ]?\d{3}[- ]?\d{4}|[48]00[- ]?\d{4}[- ]?\d{3}"
_EN_STREET = (
    r"\d{1,5}[A-Za-z]?(?:[ ]+[A-Z][A-Za-z'.]{0,20}){1,4}[ ]+(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln"
    r"|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Way|Terrace|Crescent|Close)\b\.?"
    r"(?:,?[ ]+(?:Apt|Apartment|Suite|Unit|Flat|No|#)\.?[ ]?[\w-]{1,6})?"
    r"(?:,?[ ]+[A-Z][a-z]{2,20}(?:[ ][A-Z][a-z]{2,20})?)?(?:,?[ ]+[A-Z]{2}\b)?"
    r"(?:,?[ ]+(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}))?"
)
_KINDS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("email", r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}", _always),
    ("id_card", _bounded(r"\d{17}[\dXx]|\d{15}"), _is_id_card),
    ("phone", _bounded(f"{_CN_MOBILE}|{_CN_LANDLINE}|{_CN_SERVICE}"), _always),
    ("phone", r"(?<![\dA-Za-z])\+\d[\d ().-]{6,18}\d(?!\d)", _is_phone_abroad),
    ("phone", _bounded(r"\(\d{3}\)[ ]?\d{3}[-. ]\d{4}|\d{3}[-. ]\d{3}[-. ]\d{4}"),
     _is_phone_abroad),
    ("bank_card", _bounded(r"[3-6]\d{3}(?:[- ]?\d{4}){2}[- ]?\d{1,4}(?:[- ]?\d{1,3})?"), _is_card),
    ("bank_card", _bounded(r"[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){3,7}(?:[ ]?[A-Z0-9]{1,3})?"),
     iban.is_valid),
    ("passport", r"(?<=护照号)[码是：: ]{0,4}[A-Z]{1,2}\d{7,8}"
     r"|(?<=护照)[是：: ]{0,4}[A-Z]{1,2}\d{7,8}"
     r"|(?<=[Pp]assport)(?:[ ](?:number|no\.?|is)){0,2}[: ]{1,2}[A-Z]{0,2}\d{7,9}", _always),
    ("address", rf"{_REGION}{{0,4}}{_HAN}{{1,8}}?{_STREET}{_DOOR}(?:{_HAN}{{0,6}}{_DOOR}){{0,4}}",
     _always),
    ("address", rf"{_REGION}{{1,4}}{_HAN}{{1,8}}?{_STREET}(?:{_HAN}{{0,6}}{_DOOR}){{0,4}}",
     _always),
    ("address", _EN_STREET, _always),
)  # fmt: skip


class _Recognizer(PatternRecognizer):
    """A pattern, and the check that its finds must pass."""

    def __init__(self, kind: str, pattern: str, check: Callable[[str], bool], name: str) -> None:
        super().__init__(
            supported_entity=kind,
            name=name,
            supported_language="any",
            patterns=[Pattern(name, pattern, 0.5)],
            global_regex_flags=0,
        )
        self._check = check

    def validate_result(self, pattern_text: str) -> bool:
        """Say whether a find is what it looks like."""
        return self._check(pattern_text)


class Masker:
    """Finds and masks personal data in Chinese and English. Building it takes a second or two."""

    def __init__(self) -> None:
        registry = RecognizerRegistry(
            recognizers=[
                _Recognizer(kind, pattern, check, f"{kind}-{number}")
                for number, (kind, pattern, check) in enumerate(_KINDS)
            ],
            supported_languages=["any"],
        )
        engine = NoOpNlpEngine(models=[{"lang_code": "any", "model_name": "none"}])
        self._engine = AnalyzerEngine(
            registry=registry, nlp_engine=engine, supported_languages=["any"]
        )

    def mask(self, text: str, keep: Collection[str] = (), kinds: Collection[str] = KINDS) -> str:
        """Put labels such as [电话] or [phone] in the place of personal data.

        Args:
            text: what somebody wrote.
            keep: what is none though it may look like it: order and parcel numbers.
            kinds: what is masked.
        """
        language, masked = language_of(text), text
        for found in reversed(self._found(text, keep)):
            if found.entity_type not in kinds:
                continue
            label = _LABELS[found.entity_type][language]
            masked = masked[: found.start] + label + masked[found.end :]
        return masked

    def kinds(self, text: str, keep: Collection[str] = ()) -> list[str]:
        """Return the kinds of personal data in a text, in order of appearance."""
        return [found.entity_type for found in self._found(text, keep)]

    def _found(self, text: str, keep: Collection[str]) -> list[Any]:
        """Return what was found, in order, without overlaps."""
        plain = text.translate(_FULL_WIDTH)
        if not _may_hold(plain):
            return []
        spared = [span for one in keep for span in _spans(plain, one)]
        # A phone number may stand in an address, or in a card's number: the longer wins.
        found = sorted(
            self._engine.analyze(plain, "any"), key=lambda one: (one.start - one.end, one.start)
        )
        kept: list[Any] = []
        for one in found:
            taken = [*spared, *((other.start, other.end) for other in kept)]
            if all(one.end <= start or end <= one.start for start, end in taken):
                kept.append(one)
        return sorted(kept, key=lambda one: one.start)


def _may_hold(text: str) -> bool:
    """Tell cheaply whether a text can hold anything: all kinds have a digit, an @ or a street."""
    return "@" in text or any(char.isdigit() for char in text) or "路" in text or "街" in text


def _spans(text: str, part: str) -> list[tuple[int, int]]:
    spans, start = [], text.find(part) if part else -1
    while start >= 0:
        spans.append((start, start + len(part)))
        start = text.find(part, start + len(part))
    return spans
