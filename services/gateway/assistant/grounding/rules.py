"""Reads a shop's rule, and what an answer says of one: conditions, outcome, numbers, words.

A rule is a sentence of the shop's texts; its clauses each hold under their own conditions, and
"unless", "except" and "only" give a second clause that says the contrary.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, lru_cache

from services.gateway.assistant.grounding import claims
from services.gateway.assistant.grounding.claims import Claim
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.roles import role
from services.gateway.assistant.grounding.sentences import SENTENCE, pieces
from services.gateway.assistant.grounding.vocabulary import vocabulary, words

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
_ONLY_ONE = re.compile(
    r"\b(?:only|just|limit of|at most|maximum of) (?:one|1|a single)\b"
    r"|(?:只|仅|限|最多)[^,。;]{0,4}[一1][张个次件]"
)
_WHEN = re.compile(
    r".{1,16}(?:后|内|起|前|时|期间)[,、:]$|(?:within|after|during|up to)\b.{1,50}[,:]$"
)
_GAP = re.compile(
    r"还差|再[凑买加]|[只就]差|凑[够满单到]"
    r"|\b(?:another (?=[¥$€£\d])|more to (?:get|reach)\b|away from\b|short of\b)"
)
"""What is missing to a bound: the number is checked, and nothing turns out by it."""
_GIVEN = re.compile(r"\s*(?:\b(?:since|as|because|given that|seeing)\b|既然|由于|因为)")
_LEADING = re.compile(
    r"^\s*(?:如果|若|如|假如|要是|倘若|一旦|\b(?:if|when|once|in case|should)\b)[^,;]*,(?=.)"
)
_APART_FROM = re.compile(
    r"\s*(?:(?:apart|aside) from|except(?:ing)?(?: for| in| when)?|other than|excluding|除了?)\b"
    r"[^,]*,$"
)
"""Of a unit: what follows holds where this does not."""
_GOES_ON = re.compile(
    r"\s*(?:(?:it|they|these|this|those)\b|它|其(?!他|它|余)|[该此](?!外)"
    r"|.*\b(?:excluded|not included|not eligible|not qualify)\b"
    r"|.*(?:除外|不参[与加]|不适用|不享受))"
)
"""A sentence on what the one before it is about."""
_ALL_ELSE = re.compile(
    r"\b(?:everything else|the rest|all other parts)\b|其余部[分件]|其[他它]部[分件]"
)
_GIVES = re.compile(r"(?:满|买|赠|下单)[^,。]{0,10}送(?![货达到完上修检回])")
_THRESHOLD = re.compile(r"门槛|包邮的?(?:标准|线|条件|额度)|threshold|minimum for")
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
CONDITION_NAMES = frozenset({
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


Reading = tuple[frozenset[str], frozenset[str], tuple[Claim, ...]]
"""Matters and other words of a text, those of them that tell, and its numbers."""


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


@dataclass(frozen=True)
class Rule:
    """A sentence of the shop's texts; its clauses are read when something is said of its matter."""

    text: str
    about: frozenset[str] = frozenset()
    """What the text is about, by its first sentence, where it has several."""

    @cached_property
    def names(self) -> frozenset[str]:
        """The matters and other words in it."""
        found = frozenset(name for piece in pieces(self.text) for name in kept(piece)[0])
        denies_others = found & _ACTIONS and lexicon().only.search(self.text)
        return found | _ACTIONS if denies_others else found

    @cached_property
    def has_price(self) -> bool:
        """Whether it says what is to be paid."""
        return any(
            claim.kind == "money" and role(piece, claim) == "amount"
            for piece in pieces(self.text)
            if claims.may_have_numbers(piece)
            for claim in kept(piece)[2]
        )

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """What it says, and under which conditions."""
        return tuple(_read(self.text))


@lru_cache(maxsize=4096)
def rules(text: str) -> tuple[Rule, ...]:
    """Read a shop's text; never a customer's or an answer's, which must not be kept."""
    found = [Rule(one[0]) for one in SENTENCE.finditer(text) if one[0].strip()]
    if len(found) < PASSAGE:
        return tuple(
            Rule(rule.text, _subject(before.text)) if _GOES_ON.match(rule.text) else rule
            for before, rule in zip([Rule(""), *found], found, strict=False)
        )
    about = _subject(found[0].text, known=False)
    return tuple(replace(rule, about=about) for rule in found)


def _subject(text: str, *, known: bool = True) -> frozenset[str]:
    """Return what stands before the verb of a sentence."""
    subject = _VERB.split(text, maxsplit=1)[0]
    found = [word for word in words(subject) if known or not word.known]
    return frozenset(name for word in found for name in word.names)


def _read(text: str) -> list[Clause]:
    clauses: list[Clause] = []
    inherited: dict[str, bool] = {}
    last: Mapping[str, bool] = {}
    topic: frozenset[str] = frozenset()
    cut = list(pieces(text))
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
    return clauses


def _only_when(piece: str, clause: Clause) -> bool:
    """Tell whether a clause only says when, or of what, the next one holds."""
    if clause.numbers and not _CONDITION.match(piece):
        return False
    if lexicon().outcome["denial"].search(piece) and not _CONDITION.match(piece):
        return False
    return bool(_CONDITION.match(piece)) or not (_VERB.search(piece) or clause.names & _STATING)


def _of(clause: Clause, topic: frozenset[str]) -> Clause:
    """Return a clause with the matter of the one before it, where it names none of its own."""
    if core(clause.loaded) or _ALL_ELSE.search(clause.text):
        return clause
    return replace(clause, names=clause.names | topic, loaded=clause.loaded | topic, borrowed=True)


def core(names: frozenset[str]) -> frozenset[str]:
    """Return, of some words, those which say what a rule is about."""
    return names - _SIGNS - CONDITION_NAMES


def _clauses(text: str, inherited: Mapping[str, bool]) -> Iterator[Clause]:
    """Give what a clause says, and the contrary that an exception in it says."""
    for pattern in lexicon().exceptions:
        if found := pattern.search(text):
            but = next(group for group in found.groups() if group)
            main = text[: found.start()] + " " + text[found.end() :]
            of_main = clause_of(main, inherited, kept(main))
            of_but = conditions_of(but)
            contrary = {name: not value for name, value in of_but.items()}
            yield _with(of_main, {**of_main.conditions, **contrary}, of_main.good)
            whole = clause_of(text, inherited, kept(text))
            yield _with(whole, {**of_main.conditions, **of_but}, not of_main.good)
            return
    clause = clause_of(text, inherited, kept(text))
    yield clause
    only = lexicon().only.search(text)
    if only is None:
        turning = _ALWAYS | (_EITHER if clause.names & _ACTIONS else frozenset())
        for name in sorted(turning & clause.conditions.keys()):
            yield _with(clause, {name: not clause.conditions[name]}, not clause.good)
        return
    if only_one(text) or any(one.kind in {"quantity", "number"} for one in clause.numbers):
        yield _with(clause, {**clause.conditions, "more": True}, not clause.good)
    if clause.names & _ACTIONS and only.start() > 0 and not _ONLY_IF.match(text, only.start()):
        # "Can only be exchanged": not returned.
        others = _ACTIONS - clause.names
        yield _with(clause, {**clause.conditions, "beyond": True}, not clause.good)
        yield replace(clause, names=others, loaded=others, good=not clause.good)
    elif clause.conditions:
        contrary = {name: not value for name, value in clause.conditions.items()}
        yield _with(clause, contrary, not clause.good)


def only_one(text: str) -> bool:
    """Tell whether a text lets there be one of something, and no more."""
    return bool(_ONLY_ONE.search(text))


def _with(clause: Clause, conditions: Mapping[str, bool], good: bool | None) -> Clause:
    return replace(clause, conditions=conditions, good=good)


def clause_of(text: str, inherited: Mapping[str, bool], read: Reading | None = None) -> Clause:
    """Read a clause of a rule, or a unit of an answer."""
    names, loaded, numbers = read or _named(text)
    conditions = under(text, inherited, conditions_of(text))
    good = turns_out_well(text, numbers, names)
    return Clause(text, names, loaded, conditions, good, numbers)


def _named(text: str) -> Reading:
    """Return the matters and other words of a text, those of them that tell, and its numbers."""
    numbers = tuple(claims.numeric_claims(text))
    found = list(words(claims.blank(text, numbers) if numbers else text))
    names = frozenset(name for word in found for name in word.names)
    if any(one.kind == "percent" for one in numbers):
        names |= {"discount"}
    costs = any(one.kind == "money" and role(text, one) == "amount" for one in numbers)
    if (costs or names & _SIGNS) and _SHIPPING.search(text):
        names |= {"postage"}
    if _GIVES.search(text):
        names |= {"gift"}
    light = vocabulary().light
    loaded = frozenset(n for word in found if not word.light for n in word.names) - light - _SIGNS
    return names, loaded | names & {"postage"}, numbers


def names_of(text: str) -> frozenset[str]:
    """Return the matters and other words of a text."""
    return _named(text)[0]


@lru_cache(maxsize=8192)
def kept(text: str) -> Reading:
    """Return what `_named` does of a shop's text; never of a customer's or an answer's."""
    return _named(text)


def under(text: str, inherited: Mapping[str, bool], own: Mapping[str, bool]) -> Mapping[str, bool]:
    """Return the conditions of a clause, with those of the clauses before it."""
    if lexicon().otherwise.search(text):
        inherited = {name: not value for name, value in inherited.items()} or {"bound": False}
    kept = {name: value for name, value in inherited.items() if name not in OF_ONE_CLAUSE}
    return {**kept, **own}


def conditions_of(text: str) -> dict[str, bool]:
    """Return under which conditions a text says something: by name, which of the two poles."""
    apart = bool(_APART_FROM.match(text))
    found = {}
    for name, (yes, no) in vocabulary().conditions.items():
        if no.search(text):
            found[name] = apart
        elif yes.search(text):
            found[name] = not apart
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
    if _IDENTITY.match(text) or (_WHEN.match(text) and not names & _OUTCOMES - {"install"}):
        return True
    fragment = text.rstrip().endswith((",", "、", ":")) or bool(_REASON.match(text))
    if not fragment or names & _STATING or _VERB.search(text):
        return False
    outcome = lexicon().outcome
    return not (outcome["shop_pays"].search(text) or outcome["buyer_pays"].search(text))


def turns_out_well(text: str, numbers: Iterable[Claim], names: frozenset[str]) -> bool:
    """Tell whether what a rule says is to the customer's good."""
    outcome = lexicon().outcome
    paid = any(one.kind == "money" and role(text, one) == "amount" for one in numbers)
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
        good = not paid
    denials = sum(1 for _ in outcome["denial"].finditer(text))
    return good == (denials % 2 == 0)
