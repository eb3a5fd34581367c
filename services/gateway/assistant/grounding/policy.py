"""Whether what a unit says of the shop's rules, the shop's texts say too."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from services.gateway.assistant.grounding import basis, terms, texts, weekdays
from services.gateway.assistant.grounding.lexicon import lexicon
from services.gateway.assistant.grounding.question import Question
from services.gateway.assistant.grounding.roles import anchors, role
from services.gateway.assistant.grounding.rules import (
    MONEY_OFF,
    OF_ONE_CLAUSE,
    Clause,
    Rule,
    core,
    kept,
    leads,
    only_one,
)
from services.gateway.assistant.grounding.vocabulary import TELLING, Word, vocabulary, words

_JOINED = re.compile(r"[、和及并且也]|以及|同时|\b(?:and|or|also|but|while|plus)\b")
"""What joins two rules in one statement."""
_EVEN = re.compile(
    r"即使|即便|就算|哪怕|照样|照旧可|同样(?:可以|能|会)|一样(?:可以|能退|能换|能)"
    r"|也(?:可以|能|照|行|没问题)"
    r"|\beven (?:if|after|when|though|without)\b|\bstill (?:return|send|cancel|change|get"
    r"|exchange)\b"
)
"""It holds where one would not think so."""
_ALSO = re.compile(r"\W*(?:[您你]|我们|本店|店里|这边)?(?:还|另外)?也")
"""So it does not: one thing is added to another."""
_SENT_BACK = frozenset({"return", "exchange", "refund"})
"""A period in which this may be done is none of the warranty."""
_INSTEAD = frozenset({"warranty", "repair", "exchange", "refund", "resend"})
_DUTY = re.compile(r"\b(?:please|must)\b|请|必须|须")
"""What is asked of the customer is no more for being said of all."""
_OUTCOME = frozenset({"free", "charge", "bear"})
_DAYS = frozenset({"weekend", "workday"})
_COST = _OUTCOME | {"postage"}
_CONDITIONS = {
    "faulty": {"unwanted", "other_reason", "fault"}, "opened": {"opened", "unopened"},
    "used": {"used", "unused"}, "human_caused": {"human_caused"}, "more": {"combine"},
}  # fmt: skip
"""By condition: the matters that name it. Which pole they name is compared apart."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rule that bears a statement out, or the word that none does."""

    rules: tuple[Rule, ...] = ()
    fault: str = ""
    known: bool = True
    """The word at fault is one of the shop matters; else nobody knows what it is."""


def judge(said: Clause, found: Sequence[Word], asked: Question, known: Iterable[Rule]) -> Verdict:
    """Look for the rule that a statement tells, in other words.

    Args:
        said: the statement; its conditions are those of the units before it too.
        found: its words that need support.
        asked: what the customer asked last: their words may be used where a rule is told.
        known: the shop's rules.
    """
    ranked = sorted(
        ((_covered(found, rule), len(said.names & rule.names), rule) for rule in known),
        key=lambda one: (len(one[0]), one[1]),
        reverse=True,
    )
    if not ranked or not ranked[0][0]:
        return Verdict(fault=found[0].text, known=found[0].known)
    if any(len(some) == len(found) and _belied(said, rule) for some, _, rule in ranked):
        return Verdict(fault=found[0].text, known=True)
    missing = Verdict()
    for covered, _, rule in ranked:
        if not covered:
            break
        everywhere = [word for some, _, _ in ranked for word in some]
        rest = _unexplained(found, covered, rule, said, asked)
        rest += [w for w in found if w not in covered and w not in rest and w in everywhere]
        second = None
        if rest:
            second = next((r for some, _, r in ranked if all(w in some for w in rest)), None)
            if second is None or not _JOINED.search(said.text):
                missing = missing if missing.fault else Verdict((), rest[0].text, rest[0].known)
                continue
        told = (rule,) if second is None else (rule, second)
        if said.good is not None and not any(_on_matter(said, one, asked) for one in told):
            continue
        if not _numbers_of(said, told):
            continue
        if all(agrees(said, one, asked) for one in told) and not _too_wide(said, told):
            return Verdict(rules=told)
    return missing if missing.fault else Verdict(fault=_sign(said, found), known=True)


def _belied(said: Clause, rule: Rule) -> bool:
    """Tell whether a product's period is said of a part for which a rule has another."""
    periods = [claim for claim in said.facts if claim.kind == "period"]
    units = {claim.what for clause in rule.clauses for claim in clause.numbers}
    alike = any(claim.what in units for claim in periods)
    return alike and not _numbers_of(said, (rule,))


def _on_matter(said: Clause, rule: Rule, asked: Question) -> bool:
    """Tell whether a statement, or else the question, is on a rule's matter, not only on its terms.

    "It is free" answers what was asked, and is no news of anything else.
    """
    if "postage" in said.loaded:
        return bool(core(said.loaded) & core(rule.names))
    if core(said.loaded):
        return True
    return bool((said.names | asked.names) & core(rule.names)) or not core(rule.names)


def _numbers_of(said: Clause, told: Sequence[Rule]) -> bool:
    """Tell whether the rules told hold all numbers of a statement, where they speak of them."""
    clauses = [clause for rule in told for clause in _meant(said, rule)]
    lines = [texts.line_of(clause.text) for clause in clauses]
    wholes = [texts.line_of(rule.text) for rule in told]
    held = [claim for line in lines for claim in line.claims]
    if any(claim.kind == "money" for claim in said.numbers) and not any(
        basis.same(said.text, line.text) for line in lines
    ):
        return False
    units = [(clause, texts.Line(clause.text)) for clause in (said, said.lead) if clause]
    for unit, read in units:
        for claim in unit.numbers:
            if claim.kind not in {"money", "percent", "period"} or claim.negated:
                continue
            same = said.names & _SENT_BACK and claim.kind == "period"
            alike = any(o.kind == claim.kind and (same or o.what == claim.what) for o in held)
            if claim in said.facts and (not alike or claim.kind == "money"):
                continue
            # The number may stand in another clause than the words: "… 15 days; within them …".
            if not any(
                texts.states(claim, read, line)
                for line in (lines if alike and unit is said else wholes)
            ):
                return False
    counted = {n for claim in held if claim.kind in {"quantity", "number"} for n in claim.numbers}
    if any(claim.kind == "money" for claim in said.facts) or terms.reached(said, clauses):
        return True  # So many times what the rule says of one, or more than it asks for.
    return not (counted and said.counts) or bool(counted & said.counts)


def _meant(said: Clause, rule: Rule) -> list[Clause]:
    """Return the clauses of a rule that have most of the words of a statement."""
    own = said.loaded
    shared = [len(own & clause.loaded) for clause in rule.clauses]
    if not max(shared, default=0):
        return list(rule.clauses)
    return [c for c, n in zip(rule.clauses, shared, strict=True) if n == max(shared)]


def following(said: Clause, before: Clause) -> Clause:
    """Return a statement with the matters of the unit before it, in the same sentence."""
    names = said.names | before.names
    loaded = said.loaded if core(said.loaded) else said.loaded | before.loaded
    return replace(
        said,
        names=names,
        loaded=loaded,
        lead=before if leads(before.text) else None,
        before=before.text,
    )


def _covered(found: Sequence[Word], rule: Rule) -> list[Word]:
    own = [word for word in found if _covers(rule, word)]
    return [word for word in found if word in own or word.names & rule.about] if own else []


def _covers(rule: Rule, word: Word) -> bool:
    if word.both:
        return word.names - TELLING <= rule.names
    if word.names & rule.names or word.text in rule.text:
        return True
    if word.names & _OUTCOME:
        return bool(rule.names & _COST) or rule.has_price or _pays(rule)
    if "unwanted" in word.names and "no_reason" in rule.names:
        return True
    axis = next((axis for axis, names in _CONDITIONS.items() if word.names & names), None)
    if axis == "more" and only_one(rule.text):
        return True
    if axis and any(pole.search(rule.text) for pole in vocabulary().conditions[axis]):
        return True
    if word.names & _DAYS and weekdays.read(word.text) and weekdays.read(rule.text):
        return True
    if word.known or word.text.isascii():
        return False
    pairs = [word.text[i : i + 2] for i in range(len(word.text) - 1)] or [word.text]
    return all(pair in rule.text for pair in pairs)


def _pays(rule: Rule) -> bool:
    """Tell whether a rule says who pays; "of payment" only says when something holds."""
    outcome = lexicon().outcome
    return any(outcome[name].search(rule.text) for name in ("buyer_pays", "shop_pays"))


def _amounts(clause: Clause) -> bool:
    """Tell whether a clause says what is to be paid."""
    return any(c.kind == "money" and role(clause.text, c) == "amount" for c in clause.numbers)


def _on_cost(clause: Clause, names: frozenset[str]) -> bool:
    """Tell whether a clause says who pays, or how much."""
    return bool(names & _COST) or (_amounts(clause) and not names & MONEY_OFF)


def _unexplained(
    found: Sequence[Word], covered: Sequence[Word], rule: Rule, said: Clause, asked: Question
) -> list[Word]:
    """Return the words that neither the rule nor the customer's question has."""
    rest = [word for word in found if word not in covered]
    if not said.good:
        rest = [word for word in rest if word.known or word.text not in asked.text]
    # One word that nobody knows is a way of speaking where the whole rule is told besides.
    spare = len(rest) == 1 and not rest[0].known and len(covered) >= 3
    whole = spare and any(c.loaded and c.loaded <= said.names for c in rule.clauses)
    return [] if whole else rest


def agrees(said: Clause, rule: Rule, asked: Question) -> bool:
    """Tell whether a rule says a thing of the same outcome under the same conditions."""
    if said.good is None:
        return True
    since, held = anchors(said.text), anchors(rule.text)
    if (since and held and not since & held) or _narrower(said, rule):
        return False
    if not terms.on_days(said, rule):
        return False
    if any(
        told(said, rule) for told in (terms.on_other_days, terms.required, terms.limited_to_one)
    ):
        return True
    conditions = terms.with_amount(said, rule)
    said = replace(said, conditions=conditions)
    fitting = _fitting(said, rule)
    told = _told(said, _closest(said, rule, terms.on_the_days(said, fitting))) if fitting else []
    if not told:
        return False
    for clause in told:
        if clause.borrowed and _of_its_own(clause) - said.names:
            return False
        if clause.good != said.good or not _complete(said, clause, rule, asked):
            return False
    even = _EVEN.search(said.text) and (said.conditions or not _ALSO.match(said.text))
    return not even or _even_so(said, told, rule)


def _fitting(said: Clause, rule: Rule) -> list[Clause]:
    """Return the clauses of a rule that no condition of a statement excludes."""
    fitting = [c for c in rule.clauses if not _contrary(c.conditions, said.conditions)]
    on_cost = _on_cost(said, frozenset(n for word in words(said.text) for n in word.names))
    fitting = [c for c in fitting if _on_cost(c, c.names) == on_cost] or fitting
    for name in OF_ONE_CLAUSE & said.conditions.keys():
        fitting = [c for c in fitting if name in c.conditions] or fitting
    return fitting


def _told(said: Clause, best: list[Clause]) -> list[Clause]:
    """Return, of the clauses on what a statement is on, those that its conditions call for."""
    exact = [c for c in best if c.conditions and c.conditions.items() <= said.conditions.items()]
    best = exact or [clause for clause in best if not clause.borrowed] or best
    exact = [c for c in best if c.conditions.items() <= said.conditions.items()]
    # What is said under no condition is the rule; what is said under one, an exception to it.
    return [clause for clause in exact if clause.conditions] or exact or best


def _of_its_own(clause: Clause) -> frozenset[str]:
    """Return what a clause says besides what it goes on from: 走保修 of "later, by warranty"."""
    return kept(clause.text)[0] & _INSTEAD


def _closest(said: Clause, rule: Rule, clauses: Sequence[Clause]) -> list[Clause]:
    """Return the clauses of a rule that are on what a statement is on; none where none is."""
    overlap = [len(core(said.loaded) & core(clause.loaded)) for clause in clauses]
    if core(said.loaded) & core(rule.names) and not max(overlap):
        return []
    best = [c for c, shared in zip(clauses, overlap, strict=True) if shared == max(overlap)]
    # Of an exception and what it is an exception to, the one of which nothing is left unsaid.
    spoken = said.names | (said.lead.names if said.lead else frozenset())
    unsaid = [len(core(clause.loaded) - spoken) for clause in best]
    best = [c for c, more in zip(best, unsaid, strict=True) if more == min(unsaid)]
    told = [len(core(clause.loaded) & spoken) + _led_to(said, clause) for clause in best]
    best = [c for c, words_of in zip(best, told, strict=True) if words_of == max(told)]
    return [c for c in best if _numbers_in(c) & _numbers_in(said)] or best


def _numbers_in(clause: Clause) -> set[tuple[str, Decimal]]:
    return {(c.kind, n) for c in clause.numbers for n in c.numbers if c.kind != "number"}


def _led_to(said: Clause, clause: Clause) -> int:
    """Return how much a clause has of the condition that stood before a statement."""
    if said.lead is None:
        return 0
    return len(texts.Line(said.lead.text).words & texts.line_of(clause.text).words)


def _even_so(said: Clause, told: Iterable[Clause], rule: Rule) -> bool:
    """Tell whether a rule says itself that it holds "even if", or of just what is named so."""
    if _EVEN.search(rule.text):
        return True
    named = {name for clause in told for name in clause.conditions} & said.conditions.keys()
    return bool(named) and named >= said.conditions.keys()


def _said(name: str, text: str) -> bool:
    """Tell whether a text has a Chinese word, or a part of it."""
    return not name.isascii() and any(name[i : i + 2] in text for i in range(len(name) - 1))


def _narrower(said: Clause, rule: Rule) -> bool:
    """Tell whether a statement says "only" where the rule lets others be."""
    if not lexicon().only.search(said.text) or lexicon().only.search(rule.text):
        return False
    if lexicon().outcome["denial"].search(said.before):
        return False  # "No X, only Y": of these two.
    return len({clause.good for clause in rule.clauses}) == 1


def _contrary(one: Mapping[str, bool], other: Mapping[str, bool]) -> bool:
    return any(name in other and other[name] != value for name, value in one.items())


def _complete(said: Clause, clause: Clause, rule: Rule, asked: Question) -> bool:
    """Tell whether a statement leaves out no condition on which the rule turns."""
    for name in clause.conditions.keys() - said.conditions.keys():
        turned = any(
            name in other.conditions
            and other.conditions[name] != clause.conditions[name]
            and other.good != clause.good
            for other in rule.clauses
        )
        if turned or (name == "bound" and any(n.kind == "money" for n in clause.numbers)):
            return False
    below = {**said.conditions, **clause.conditions}.get("bound") is False
    if not said.good and below:
        return True  # Who does not reach the bound has nothing, whoever they are.
    wide = lexicon().universal.search(said.text)
    asked_for: frozenset[str] = frozenset() if wide else asked.names
    restricted = clause.loaded & vocabulary().restricting - said.names - asked_for
    if restricted and said.good and "points" not in said.names:  # Only members have points.
        return False
    if clause.names & MONEY_OFF:
        holders = core(clause.loaded) - MONEY_OFF
        spoken = said.names | asked_for
        if holders and not holders & spoken and "points" not in said.names:
            return False
    if said.good or said.conditions.get("beyond"):
        return True
    # "No returns of custom items" is no "no returns", unless that was asked.
    known = vocabulary().matters
    spoken = said.names | (said.lead.names if said.lead else frozenset())
    left_out = {name for name in clause.loaded - spoken if not _said(name, said.text)}
    scope = {n for n in left_out if n in vocabulary().scope or (n not in known and len(n) > 1)}
    if scope and any(terms.in_one_list(rule.text, n, scope) for n in _scope_of(clause) - scope):
        return True
    return not scope or any(word.names & scope or word.text in scope for word in asked.words)


def _scope_of(clause: Clause) -> set[str]:
    known = vocabulary().matters
    return {n for n in clause.loaded if n in vocabulary().scope or n not in known}


def _too_wide(said: Clause, told: Iterable[Rule]) -> bool:
    universal = lexicon().universal
    return (
        not _DUTY.search(said.text)
        and bool(universal.search(said.before + said.text))
        and not any(universal.search(rule.text) for rule in told)
    )


def _sign(said: Clause, found: Sequence[Word]) -> str:
    return found[0].text if said.good else "not"
