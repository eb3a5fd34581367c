"""Reads a shop's rule, and what an answer says of one: conditions, outcome, numbers, words.

A rule is a sentence of the shop's texts; its clauses each hold under their own conditions, and
"unless", "except" and "only" give a second clause that says the contrary.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from services.gateway.assistant.grounding import claims
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.vocabulary import vocabulary, words

_CLAUSE = re.compile(r"(?<!\d)[,，]|[,，](?!\d)|[;；:：](?!\d)")
SENTENCE = re.compile(r"[^。！？!?\n]+?(?:[。！？!?\n]|\.(?=\s|$)(?<![ap]\.m\.)|$)")
_CONDITION = re.compile(
    r"\s*(?:而|但|且|那|and|but|so|[^,，]{1,10}?(?=如果|要是|假如|若是))?\s*(?:如果|若|如"
    r"|假如|要是|倘若|一旦|只要|只有|即使|即便|就算|对于|凡是|针对|当|等|待"
    r"|\b(?:if|when|once|as long as|so long as|provided|for|in case|even if|should|unless|until)\b)"
)
_SIGNS = frozenset({"free", "charge", "bear"})
_OUTCOMES = _SIGNS | {
    "postage", "return", "exchange", "refund", "invoice", "repair", "cancel", "compensation",
    "discount", "coupon", "price_protection", "gift", "install", "collect", "points",
}  # fmt: skip
_SHIPPING = re.compile(r"\b(?:shipping|delivery|ships?)\b|运费|邮费|包邮")
_ONLY_IF = re.compile(r"only (?:for|if|when|where|on|in|within)\b|仅限|只有|[仅只]在|只限")
_LIST_COMMA = re.compile(
    r",(?= (?:(?!(?:is|are|can|get|we|you|it|they|will|then|but|so|shipping|delivery"
    r"|return)\b)[\w'-]+ ){0,2}"
    r"(?!(?:and|or) )[\w'-]+,? (?:and|or) )"
)
"""Between the entries of a list: "Tibet, Xinjiang and Inner Mongolia"."""
_AND_VERB = re.compile(
    r" (?:and|but) (?=(?:can|cannot|can't|is|are|isn't|aren't|must|may|will|won't|don't"
    r"|doesn't|takes?|costs?)\b)"
)
_WHEN = re.compile(
    r".{1,16}(?:后|内|起|前|时|期间)[,、:]$|(?:within|after|during|up to)\b.{1,50}[,:]$"
)
_GAP = re.compile(
    r"还差|再[凑买加]|[只就]差|凑[够满单到]"
    r"|\b(?:another|more to (?:get|reach)|away from|short of)\b"
)
"""What is missing to a bound: the number is checked, and nothing turns out by it."""
_GIVEN = re.compile(r"\s*(?:\b(?:since|as|because|given that|seeing)\b|既然|由于|因为)")
_EXCEPTION = re.compile(
    r"\s*(?:.{1,20}(?:除外|例外)[。.]?$|(?:except|unless|other than|除非|除了)\b)"
)
_LEADING = re.compile(
    r"^\s*(?:如果|若|如|假如|要是|倘若|一旦|\b(?:if|when|once|in case|should)\b)[^,;]*,(?=.)"
)
_THRESHOLD = re.compile(r"门槛|包邮(?:标准|条件|额度)|threshold|minimum for")
_IDENTITY = re.compile(r"^[^,、]{1,14}(?:是|属于|算)[^,、能可会要免退换保]{1,10}[,、]\s*$")
"""滤芯是耗材: of which goods the rule is that follows."""
_REASON = re.compile(r"\s*(?:因为|由于|出于|\b(?:for|due to|because of)\b)")
_VERB = re.compile(
    r"只|仅|可|能|会|支持|享|提供|接受|得|要|需|有|是|不|没|无|未|"
    r"\b(?:can|may|could|will|would|must|accept|offer|allow|is|are|was|were|do|does|get"
    r"|gets|have|has|cannot"
    r"|need|pay|pays|apply|applies|receive|provide|support)\b|n't|'ll|'s|'re"
)
_ACTIONS = frozenset({"return", "exchange", "refund"})
PASSAGE = 3
"""Sentences from which on a text is a passage of a document: all are on the thing it names."""
OF_ONE_CLAUSE = frozenset({"more", "beyond"})
"""Conditions that only hold for the clause that names them."""
_EITHER = frozenset({"used", "opened", "labelled", "assembled"})
"""Conditions of what may be sent back; naming one tells what is not so for the others."""
_ALWAYS = frozenset({"bound", "more", "dispatched"})
"""So do these, whatever the matter is."""
_CONDITION_NAMES = frozenset({
    "unwanted", "other_reason", "fault", "wrong_item", "missing",
    "opened", "unopened", "used", "unused", "human_caused",
})  # fmt: skip
_STATING = _SIGNS | {
    "doorstep",
    "install",
    "repair",
    "collect",
    "fast",
    "postage",
    "ship",
    "deliver",
    "discount",
    "coupon",
    "gift",
    "points",
    "compensation",
}
MONEY_OFF = frozenset(
    {"discount", "coupon", "price_protection", "refund", "compensation", "gift", "points"}
)


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that a rule says, or that an answer says of a rule."""

    text: str
    names: frozenset[str]
    """Matters and other words."""
    loaded: frozenset[str]
    """Of those, the ones that no answer may add or, in a denial, leave out."""
    conditions: Mapping[str, bool]
    good: bool | None
    """How it turns out for the customer; nothing where it is a condition only."""
    numbers: tuple[Claim, ...]
    borrowed: bool = False
    """What it is about was said by the clause before it."""
    amount: Decimal | None = None
    """What is bought for, where that is known."""
    facts: frozenset[Claim] = frozenset()
    """Numbers that what is spoken of bears out."""
    counts: frozenset[Decimal] = frozenset()
    """How many of a thing it speaks of."""
    before: str = ""
    """The unit before it, in the same sentence."""
    lead: "Clause | None" = None
    """The condition that the unit before it was."""

    def without_outcome(self) -> "Clause":
        """Return what only says when something holds; nothing turns out well or ill by it."""
        return replace(self, good=None)

    def naming(self, named: str) -> "Clause":
        """Return it with the words of the names in it: a rule may be about such products."""
        names = frozenset(name for word in words(named) for name in word.names)
        return replace(self, names=self.names | names, loaded=self.loaded | names)


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence of the shop's texts."""

    text: str
    clauses: tuple[Clause, ...]
    names: frozenset[str]
    about: frozenset[str] = frozenset()
    """What the text is about, by its first sentence, where it has several."""


@lru_cache(maxsize=4096)
def rules(text: str) -> tuple[Rule, ...]:
    """Read a shop's text; never a customer's or an answer's, which must not be kept."""
    found = [_rule(one[0]) for one in SENTENCE.finditer(text) if one[0].strip()]
    if len(found) < PASSAGE:
        return tuple(found)
    subject = _VERB.split(found[0].text, maxsplit=1)[0]
    about = frozenset(name for word in words(subject) if not word.known for name in word.names)
    return tuple(replace(rule, about=about) for rule in found)


def pieces(text: str) -> list[str]:
    """Cut a sentence into clauses; "and" parts them where there are numbers on both sides."""
    found: list[str] = []
    for piece in _CLAUSE.split(_LIST_COMMA.sub(" /", text)):
        if found and _EXCEPTION.match(piece):
            found[-1] += f",{piece}"
            continue
        parts = _AND_VERB.split(piece)
        for part in parts if re.search(r"\d", parts[0]) else [piece]:
            halves = part.split(" and ")
            found += halves if all(re.search(r"\d", half) for half in halves) else [part]
    return [piece for piece in found if piece.strip()]


def _rule(text: str) -> Rule:
    clauses: list[Clause] = []
    inherited: dict[str, bool] = {}
    last: Mapping[str, bool] = {}
    topic: frozenset[str] = frozenset()
    cut = pieces(text)
    for at, piece in enumerate(cut):
        if lexicon().otherwise.search(piece):
            inherited = dict(last)
        own = list(_clauses(piece, inherited))
        found = [_of(clause, topic) for clause in own]
        topic = core(found[0].loaded) or topic
        if at + 1 < len(cut) and _only_when(piece, own[0]):
            inherited = {**inherited, **found[0].conditions}
            cut[at + 1] = f"{piece},{cut[at + 1]}"
            continue
        clauses += found
        last = found[0].conditions
    return Rule(text, tuple(clauses), frozenset(n for clause in clauses for n in clause.names))


def _only_when(piece: str, clause: Clause) -> bool:
    """Tell whether a clause only says when, or of what, the next one holds."""
    if clause.numbers and not _CONDITION.match(piece):
        return False
    return bool(_CONDITION.match(piece)) or not (_VERB.search(piece) or clause.names & _STATING)


def _of(clause: Clause, topic: frozenset[str]) -> Clause:
    """Return a clause with the matter of the one before it, where it names none of its own."""
    if core(clause.loaded):
        return clause
    return replace(clause, names=clause.names | topic, loaded=clause.loaded | topic, borrowed=True)


def core(names: frozenset[str]) -> frozenset[str]:
    """Return, of some words, those which say what a rule is about."""
    return names - _SIGNS - _CONDITION_NAMES


def _clauses(text: str, inherited: Mapping[str, bool]) -> Iterator[Clause]:
    """Give what a clause says, and the contrary that an exception in it says."""
    for pattern in lexicon().exceptions:
        if found := pattern.search(text):
            but = next(group for group in found.groups() if group)
            main = text[: found.start()] + " " + text[found.end() :]
            of_main = clause_of(main, inherited)
            of_but = conditions_of(but)
            contrary = {name: not value for name, value in of_but.items()}
            yield _with(of_main, {**of_main.conditions, **contrary}, of_main.good)
            whole = clause_of(text, inherited)
            yield _with(whole, {**of_main.conditions, **of_but}, not of_main.good)
            return
    clause = clause_of(text, inherited)
    yield clause
    only = lexicon().only.search(text)
    if only is None:
        turning = _ALWAYS | (_EITHER if clause.names & _ACTIONS else frozenset())
        for name in sorted(turning & clause.conditions.keys()):
            yield _with(clause, {name: not clause.conditions[name]}, not clause.good)
        return
    if any(one.kind in {"quantity", "number"} for one in clause.numbers):
        yield _with(clause, {**clause.conditions, "more": True}, not clause.good)
    if clause.names & _ACTIONS and only.start() > 0 and not _ONLY_IF.match(text, only.start()):
        # "Can only be exchanged": not returned.
        others = _ACTIONS - clause.names
        yield _with(clause, {**clause.conditions, "beyond": True}, not clause.good)
        yield replace(clause, names=others, loaded=others, good=not clause.good)
    elif clause.conditions:
        contrary = {name: not value for name, value in clause.conditions.items()}
        yield _with(clause, contrary, not clause.good)


def _with(clause: Clause, conditions: Mapping[str, bool], good: bool | None) -> Clause:
    return replace(clause, conditions=conditions, good=good)


def clause_of(text: str, inherited: Mapping[str, bool]) -> Clause:
    """Read a clause of a rule, or a unit of an answer."""
    numbers = tuple(claims.numeric_claims(text))
    found = list(words(claims.blank(text, numbers)))
    names = frozenset(name for word in found for name in word.names)
    if any(one.kind == "percent" for one in numbers):
        names |= {"discount"}
    costs = any(one.kind == "money" and role(text, one) == "amount" for one in numbers)
    if (costs or names & _SIGNS) and _SHIPPING.search(text):
        names |= {"postage"}
    light = vocabulary().light
    loaded = frozenset(n for word in found if not word.light for n in word.names) - light - _SIGNS
    loaded |= names & {"postage"}
    conditions = under(text, inherited, conditions_of(text))
    good = turns_out_well(text, numbers, names)
    return Clause(text, names, loaded, conditions, good, numbers)


def under(text: str, inherited: Mapping[str, bool], own: Mapping[str, bool]) -> Mapping[str, bool]:
    """Return the conditions of a clause, with those of the clauses before it."""
    if lexicon().otherwise.search(text):
        inherited = {name: not value for name, value in inherited.items()} or {"bound": False}
    kept = {name: value for name, value in inherited.items() if name not in OF_ONE_CLAUSE}
    return {**kept, **own}


def conditions_of(text: str) -> dict[str, bool]:
    """Return under which conditions a text says something: by name, which of the two poles."""
    found = {}
    for name, (yes, no) in vocabulary().conditions.items():
        if no.search(text):
            found[name] = False
        elif yes.search(text):
            found[name] = True
    return found


def is_condition(text: str) -> bool:
    """Tell whether a unit begins as a condition, and something is to follow."""
    text = text.rstrip()
    if not text.endswith((",", "、", ":")):
        return False
    if _CONDITION.match(text) or text.rstrip(" ,").endswith("的话"):
        return True
    return bool(_GIVEN.match(text)) and bool(conditions_of(text))


def leads(text: str) -> bool:
    """Tell whether a unit says under which condition or within which time the next one holds."""
    return is_condition(text) or bool(_WHEN.match(text))


def states_nothing(text: str, names: frozenset[str]) -> bool:
    """Tell whether a unit only says when, or of what, the next one holds, or the last one did."""
    if _THRESHOLD.search(text) or _GAP.search(text) or is_condition(text):
        return True
    if _CONDITION.match(text) or text.rstrip(" ,").endswith("的话"):
        return text.rstrip().endswith((",", "、", ":")) or not names & _OUTCOMES
    if _IDENTITY.match(text):
        return True
    fragment = text.rstrip().endswith((",", "、", ":")) or bool(_REASON.match(text))
    return fragment and not names & _STATING and not _VERB.search(text)


def turns_out_well(text: str, numbers: Iterable[Claim], names: frozenset[str]) -> bool:
    """Tell whether what a rule says is to the customer's good."""
    outcome = lexicon().outcome
    text = outcome["ignored"].sub(" ", _LEADING.sub(" ", text))
    text = vocabulary().any_condition.sub(" ", text)
    free = bool(outcome["free"].search(text))
    text = outcome["free"].sub(" ", text)
    good = True
    if outcome["buyer_pays"].search(text):
        good, text = False, outcome["buyer_pays"].sub(" ", text)
    elif outcome["shop_pays"].search(text):
        text = outcome["shop_pays"].sub(" ", text)
    elif outcome["charged"].search(text) and not free:
        good = False
    elif not names & MONEY_OFF and not free:
        good = not any(one.kind == "money" and role(text, one) == "amount" for one in numbers)
    denials = sum(1 for _ in outcome["denial"].finditer(text))
    return good == (denials % 2 == 0)


_BOUND_BEFORE = re.compile(
    r"(?:满|才到|达到?|超过|低于|不足|不够|不到|没到|以上|over|above|below|under|at least"
    r"|orders? of|reach\w*"
    r"|exceed\w*|less than|more than|from|hits?|spend\w*|total\w*)[\s¥$€£a-z]{0,5}$"
)
_BOUND_BEHIND = re.compile(
    r"\s*(?:及|或)?\s*(?:以上|以下|or more|or above|or over|and (?:up|above|over)|起)"
)


def role(text: str, claim: Claim) -> str:
    """Tell what an amount of money is: the bound from which a rule holds, or what is paid."""
    if claim.kind != "money":
        return ""
    before = text[max(0, claim.at - 16) : claim.at]
    bound = _BOUND_BEFORE.search(before) or _BOUND_BEHIND.match(text, claim.at + len(claim.text))
    return "bound" if bound else "amount"


_WITHIN_BEHIND = re.compile(r"\s*(?:之|以)?内")
_LIMIT_BEHIND = re.compile(
    r".{0,2}.{0,8}?(?:期限|时限|窗口|[保货]期|\bwindow|\blimit|\bperiod|\bdeadline|\bmark\b)"
)
"""Past a limit of so many days: they are what it is good for, not what comes after."""
_LATER_BEHIND = re.compile(r"\s*(?:之后|以后|后(?!内)|以上)(?!\d)")
_WITHIN_BEFORE = re.compile(
    r"(?:within|up to|no more than|in under|less than|at most|最多|不超过|最长|in)"
    r"\s*(?:the first )?$"
)
_LATER_BEFORE = re.compile(r"(?:\bafter|\bover|more than|at least|至少|超过)\s*$")


def relation(text: str, claim: Claim) -> str:
    """Tell how a period is meant: within it, or only after it; nothing where it does not say."""
    before, end = text[max(0, claim.at - 16) : claim.at], claim.at + len(claim.text)
    if _WITHIN_BEHIND.match(text, end) or _WITHIN_BEFORE.search(before):
        # Not paid within a day: it holds later.
        return "" if lexicon().negation.search(text) else "within"
    if _LIMIT_BEHIND.match(text, end):
        return ""
    return "later" if _LATER_BEHIND.match(text, end) or _LATER_BEFORE.search(before) else ""


def anchors(text: str) -> frozenset[str]:
    """Return from which events a text counts its periods."""
    found = {name for name, pattern in lexicon().anchors.items() if pattern.search(text)}
    return frozenset(found - {"deliver"} if "sent_back" in found else found)
