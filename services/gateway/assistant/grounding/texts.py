"""The shop's texts: what each sentence is about, and whether a unit quotes it.

A sentence of the shop is read once and kept; a unit of an answer is read and forgotten.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache

from rapidfuzz import fuzz, process

from services.gateway.assistant.grounding import claims, roles, rules, weekdays
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.rules import Clause, Rule
from services.gateway.assistant.grounding.sentences import SENTENCE, pieces
from services.gateway.assistant.grounding.vocabulary import vocabulary

QUOTED = 92.0
"""Least likeness (rapidfuzz's ratio, of 100) of a unit and a clause of a shop's text for it to
count as a quotation: the same words in the same order, give or take a comma."""
MEASURED = 60.0
"""Least likeness of two clauses, without their numbers, that give the same measure of a thing."""
RELATED = 0.5
"""Share of a unit's words that make a shop's text one on the same matter, where no topic tells."""

_HAN = re.compile(r"[\u3400-\u9fff]")
_MARKS = re.compile(r"[\W_]+")
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_STOP = frozenset({
    "a", "an", "the", "is", "are", "was", "be", "been", "it", "its", "this", "that", "of",
    "to", "in", "on", "at", "for", "from", "with", "by", "and", "or", "we", "you", "your",
    "our", "us", "i", "can", "will", "would", "do", "does", "have", "has", "as", "if",
    "so", "than", "then", "there", "any", "all",
    # With their numbers left out, units tell nothing of the matter.
    "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months",
    "year", "years", "yuan", "rmb", "within",
})  # fmt: skip
_DIGIT = re.compile(r"\d")
_LEAST = re.compile(
    r"最[快早少短]|至少|起码|以上|\b(?:at least|as (?:little|few|soon|early) as|minimum|earliest"
    r"|fastest|from|more than)\b"
)
"""Before the lesser number of "2 to 5 days"; alone, it says too little."""
_UP_TO = re.compile(r"\s*(?:to|-|–|~|至|到|or|或)\s*\d")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
_HALF_OF_DAY = re.compile(r"[ap]\.?m|上午|早|凌晨|下午|晚|morning|evening|afternoon")
_BOTH = 2
"""Of such words as "order" and "pay", how many tell that two texts are on one matter."""
_OTHER_SHIPPING = frozenset({"return", "overseas", "member", "fast"})
"""Rules on these tell nothing of what an order is sent for."""
_NUMBERS = re.compile(r"^[\d.,\s-]+(?:(?:to|and|or|至|到|~|–)\s*[\d.,]+)?[\s-]*")
_ENDS = re.compile(r"\s*(?:[.,;)]|$|to\b|-|elsewhere\b|for\b|in\b|and\b)")
_EACH = re.compile(
    r"每[件个份单张只位层人袋瓶盒]|/[件个份张]|\b(?:each|every|an?) (?:item|piece|pair|person|gift"
    r"|order)\b|\beach\b|\bper (?!cent|day|week|month|year|hour)[a-z]"
)


@dataclass(frozen=True)
class Line:
    """A sentence or clause of the shop's texts or of an answer; each part is read when needed."""

    text: str
    of_shop: bool = False
    """It may be kept; an answer's or a customer's may not."""

    @cached_property
    def clause(self) -> Clause:
        """What it says of a rule, by itself."""
        return rules.clause_of(self.text, {})

    @cached_property
    def names(self) -> frozenset[str]:
        """Its matters and other words."""
        return rules.kept(self.text)[0] if self.of_shop else rules.names_of(self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        """What it is compared by: words, and pairs of Chinese characters; no numbers."""
        if not _HAN.search(self.text):
            return frozenset(word for word in _WORD.findall(self.text) if word not in _STOP)
        runs = _MARKS.sub("", self.text)
        pairs = (runs[i : i + 2] for i in range(len(runs) - 1))
        return frozenset(pair for pair in pairs if not _DIGIT.search(pair))

    @cached_property
    def topics(self) -> frozenset[str]:
        """What a number in it may be about."""
        return frozenset(claims.topics(self.text))

    @cached_property
    def loaded(self) -> frozenset[str]:
        """The matters and other words that tell what it is on."""
        return self.names - (vocabulary().light - {"human"})

    @cached_property
    def events(self) -> frozenset[str]:
        """Which of sending and arriving it names."""
        return self.names & {"ship", "deliver"}

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Its numbers."""
        if self.of_shop and claims.may_have_numbers(self.text):
            return _spelt_out(rules.kept(self.text)[2], self.text)
        return tuple(claims.numeric_claims(self.text))

    @cached_property
    def negations(self) -> frozenset[str]:
        """Its words of denial."""
        return frozenset(found[0] for found in lexicon().negation.finditer(self.text))

    @cached_property
    def of_all(self) -> bool:
        """Whether it is said of all."""
        return bool(lexicon().universal.search(self.text))

    @cached_property
    def of_each(self) -> bool:
        """Whether it is said of one piece, or of each."""
        return bool(_EACH.search(self.text))

    @cached_property
    def days(self) -> frozenset[int]:
        """The days of the week that it names."""
        return weekdays.read(self.text)

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The events from which it counts periods."""
        return roles.anchors(self.text)


def _spelt_out(found: tuple[Claim, ...], text: str) -> tuple[Claim, ...]:
    """Return "1 to 2 days here, 3 to 5 there" with days for all the numbers."""
    periods = [claim for claim in found if claim.kind == "period"]
    if not periods or not any(claim.kind == "number" for claim in found):
        return found
    unit, at = _NUMBERS.sub("", periods[0].text), periods[0].at
    said: list[Claim] = []
    for claim in found:
        end = claim.at + len(claim.text)
        if claim.kind == "number" and claim.at > at and _ENDS.match(text, end):
            whole = next(claims.numeric_claims(f"{claim.text} {unit}"))
            said.append(replace(whole, at=claim.at, text=claim.text))
        else:
            said.append(claim)
    return tuple(said)


@lru_cache(maxsize=8192)
def line_of(text: str) -> Line:
    """Read a shop's sentence; never a customer's or an answer's, which must not be kept."""
    return Line(text, of_shop=True)


class ShopTexts:
    """All that a shop's texts say, sentence by sentence."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = list(dict.fromkeys(texts))
        self.lines = [line_of(one) for text in self._texts for one in _sentences(text)]
        self._wholes = [(whole, line) for line in self.lines for whole in _wholes(line.text)]
        self._choices = [whole for whole, _ in self._wholes]

    def nearest(self, said: Line, claim: Claim, line: Line) -> bool:
        """Tell whether no other sentence of its passage on such a number is more like a unit."""
        passage = [line_of(one) for one in self._passages.get(line.text, ())]
        alike = [
            o
            for o in passage
            if any((c.kind, c.what) == (claim.kind, claim.what) for c in o.claims)
        ]
        return likeness(said, line) >= max((likeness(said, o) for o in alike), default=0.0)

    @cached_property
    def _passages(self) -> dict[str, tuple[str, ...]]:
        passages = (_sentences(text) for text in self._texts)
        return {one: some for some in passages if len(some) >= rules.PASSAGE for one in some}

    @cached_property
    def rules(self) -> list[Rule]:
        """What they say of the shop's rules."""
        return [rule for text in self._texts for rule in rules.rules(text)]

    @cached_property
    def shipping(self) -> tuple[Decimal, Decimal] | None:
        """From which price on the shop sends for nothing, and what it asks for below that."""
        found = set()
        for rule in self.rules:
            money = [c for c in line_of(rule.text).claims if c.kind == "money"]
            if not money or "postage" not in rule.names or rule.names & _OTHER_SHIPPING:
                continue
            paid: dict[str, set[Decimal]] = {"bound": set(), "amount": set()}
            for claim in money:
                paid[roles.role(rule.text, claim)].update(claim.numbers)
            if len(paid["bound"]) == len(paid["amount"]) == 1:
                found.add((paid["bound"].pop(), paid["amount"].pop()))
        return found.pop() if len(found) == 1 else None

    def quoted_by(self, text: str) -> bool:
        """Tell whether a unit is one of the sentences, or a whole clause of one."""
        bare = text.rstrip(" .,;:!~。、")
        alike = process.extract(
            bare, self._choices, scorer=fuzz.ratio, score_cutoff=QUOTED, limit=None
        )
        said = Line(bare)
        return any(
            _digits(bare) == _digits(whole)
            and bool(said.words)
            and said.words <= self._wholes[at][1].words
            and said.negations == Line(whole).negations
            and said.of_all <= self._wholes[at][1].of_all
            for whole, _, at in alike
        )


@lru_cache(maxsize=256)
def shop_texts(texts: tuple[str, ...]) -> ShopTexts:
    """Read a shop's texts."""
    return ShopTexts(texts)


@lru_cache(maxsize=4096)
def _sentences(text: str) -> tuple[str, ...]:
    return tuple(found[0] for found in SENTENCE.finditer(text))


@lru_cache(maxsize=8192)
def _wholes(sentence: str) -> tuple[str, ...]:
    return tuple(part.strip(" .,;:!~。、") for part in (sentence, *pieces(sentence)))


def states(claim: Claim, said: Line, line: Line) -> bool:
    """Tell whether a shop's sentence says the same number, time or day, in the same sense."""
    if claim.kind == "relative_day":
        ours = weekdays.read(claim.what)
        if not ours:
            parts = [part for part in map(line_of, _wholes(line.text)[1:]) if part.days]
            on_days = [part for part in parts if said.days and said.days <= part.days]
            return any(claim.what in part.text for part in on_days or [line])
        return any(_on_days(ours, said, line_of(part)) for part in _wholes(line.text))
    if claim.kind == "carrier":
        return bool(lexicon().carriers[claim.what].search(line.text))
    # "From 1500 on": the currency may be left out.
    alike = (
        {claim.kind, "money"} if claim.kind == "number" and min(claim.numbers) > 9 else {claim.kind}
    )
    same_kind = [other for other in line.claims if other.kind in alike]
    same_kind = [o for o in same_kind if o.what == claim.what or claim.kind == "number"]
    if claim.kind == "clock" and not same_kind and not _HALF_OF_DAY.search(claim.text):
        hour, _, minute = claim.what.partition(":")
        later = f"{int(hour) + 12:02d}:{minute}"  # 过了四点: of the afternoon.
        return any(other.what == later for other in line.claims if other.kind == "clock")
    if claim.kind in {"clock", "date"}:
        return bool(same_kind)
    same_kind = [other for other in same_kind if _same_sense(claim, said, other, line)]
    least = _LEAST.search(said.text) or _UP_TO.match(said.text, claim.at + len(claim.text))
    if claim.kind == "period" and len(claim.numbers) == 1 and not least:
        held = {max(other.numbers) for other in same_kind}
    else:
        held = {n for other in same_kind for n in other.numbers}
    return bool(claim.numbers) and set(claim.numbers) <= held


def _on_days(ours: frozenset[int], said: Line, part: Line) -> bool:
    """Tell whether a clause is on some days, or, denied in one of the two only, on none of them."""
    if bool(said.negations) != bool(part.negations):
        return bool(part.days) and not ours & part.days
    return ours <= part.days


def _same_sense(claim: Claim, said: Line, other: Claim, line: Line) -> bool:
    paid = replace(claim, kind="money") if claim.kind == "number" else claim
    if other.kind == "money" and roles.role(said.text, paid) != roles.role(line.text, other):
        return False
    if claim.kind != "period":
        return True
    ours, theirs = roles.relation(said.text, claim), roles.relation(line.text, other)
    if ours and theirs and ours != theirs:
        return False
    return not (said.anchors and line.anchors) or bool(said.anchors & line.anchors)


def _digits(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", text))


def share(said: Line, line: Line) -> float:
    """Return which share of a unit's words a line holds."""
    return len(said.words & line.words) / len(said.words) if said.words else 0.0


def likeness(said: Line, line: Line) -> float:
    """Return how like a unit the most similar clause of a sentence is, without numbers, of 100."""
    ours = _DIGITS.sub("", said.text)
    ratio = fuzz.token_set_ratio if ours.isascii() else fuzz.ratio
    return max(ratio(ours, _DIGITS.sub("", whole)) for whole in _wholes(line.text))


def related(said: Line, line: Line, before: frozenset[str] = frozenset()) -> bool:
    """Tell whether a shop's sentence is on the matter of a unit, or of the unit before it."""
    if (said.loaded | before) & line.loaded:
        return True
    if any(len(name) > 1 and not name.isascii() and name in line.text for name in said.loaded):
        return True
    if said.loaded:
        return False
    if said.topics:
        return bool(said.topics & line.topics)
    if bool(said.events & line.events) or share(said, line) >= RELATED:
        return True
    return len(said.names & line.names & vocabulary().light) >= _BOTH


def in_its_clause(claim: Claim, said: Line, line: Line) -> bool:
    """Tell whether the clause of a sentence that is most like a unit has the number, if one is."""
    parts = [line_of(part) for part in pieces(line.text)]
    on_days = [part for part in parts if said.days and said.days <= part.days]
    if claim.kind == "clock":
        told = [c.what for part in on_days for c in part.claims if c.kind == "clock"]
        return not told or claim.what in told
    alike = [part for part in parts if any(c.kind in {claim.kind, "number"} for c in part.claims)]
    shared = [len(said.words & part.words) for part in alike]
    most, *less = sorted(shared, reverse=True) or [0]
    if not less or most - less[0] < _BOTH:
        return True
    best = alike[shared.index(most)]
    return any(set(claim.numbers) & set(c.numbers) for c in best.claims)


def measured(claim: Claim, said: Line, line: Line) -> bool:
    """Tell whether a sentence gives a measure in words like those of a unit."""
    return claim.kind in {"measure", "quantity"} and likeness(said, line) >= MEASURED
