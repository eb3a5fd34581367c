"""What a question asks, as words that can be compared: two questions with equal signatures are one.

Similarity never decides alone: products, numbers, what is denied, conditions and every word that
the lexicon does not know must be the same.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import rjieba

from services.gateway.answers.atoms import MOST_CHARS, Atoms, atoms_of, is_number
from services.gateway.answers.lexicon import Lexicon, Rule, lexicon
from services.gateway.answers.vocabulary import ProductWords, is_code
from services.gateway.identity.shops import Language

_BINDS_NEXT = frozenset({"not", "after", "before", "first"})
_BINDS_LAST = {"after_last": "after", "before_last": "before", "not_last": "not"}
_NOTHING = frozenset({"may", "it", "also", "deixis", "which", "want", "have"})
"""A denial or a condition is of what comes behind these."""
_MONEY = frozenset({"free_shipping", "threshold", "below", "over", "shipping_fee"})
_FACTS = frozenset({"price", "ships_from"})
_STOCK = frozenset({"stock", "not:stock", "stock_count", "restock"})
_HAVING = frozenset({"have", "have_end", "left"})
_HAVE = frozenset({"有", "还有", "有的"})
_PARTICLES = frozenset("吗嘛呢吧啊呀么的话")
_GLUE = frozenset(
    ("的", "这", "那", "这个", "那个", "这款", "那款", "这种", "那种", "款", "型号", "一款", "式")
) | {"the", "of"}
_MULTIPLE = re.compile(r"(\d+)(h|wk|mo)")
_IN_LARGER = {"h": (24, "d"), "wk": (1, "d"), "mo": (12, "y")}
_ORDER_NUMBER_DIGITS = 6
_ASKS = re.compile(
    "哪|谁|几|多少|多久|多[大长高重]|什么|啥|怎|如何|能|可|吗|是否|会|(.)[不没]\\1|何时"
)
_ENDINGS = ("ing", "ed", "es", "s", "e")


@dataclass(frozen=True, slots=True)
class Signature:
    """What makes two questions one.

    Attributes:
        concepts: of the lexicon, bound ones as `not:x`, `after:x`, `before:x`.
        words: that the lexicon does not know.
        numbers: with their units, each as often as it is there.
        products: each a product or the words for one; in their order where one is compared with
            another.
    """

    concepts: frozenset[str]
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    products: tuple[str, ...]

    @property
    def hash(self) -> str:
        """A short name for it; the same for the same question only."""
        parts = (sorted(self.concepts), self.words, self.numbers, self.products)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


@dataclass(slots=True)
class _Item:
    kind: str
    """concept, word, number or product."""
    value: str
    at: int
    loose: bool = False
    """A single Han character that no word claims."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A question's signature, and its text without fillers, case, width and signs."""

    signature: Signature
    folded: str


def read(text: str, language: Language, products: ProductWords) -> Reading | None:
    """Return what a question asks; None where it does not stand on its own or names an order."""
    if len(text) > MOST_CHARS or "[" in text:
        return None  # In brackets stands what was masked: somebody's own business.
    atoms = atoms_of(text)
    if not atoms.words or _names_an_order(atoms, products):
        return None
    lex = lexicon(language)
    if _elliptic_start(atoms, language):
        return None
    items, said = _items(atoms, lex, products)
    signature = _complete(text, atoms, _bound(items), lex, language, products)
    return None if signature is None else Reading(signature, said)


def _complete(
    text: str,
    atoms: Atoms,
    items: list[_Item],
    lex: Lexicon,
    language: Language,
    products: ProductWords,
) -> Signature | None:
    concepts = {item.value for item in items if item.kind == "concept"}
    runs = _runs(atoms, [item for item in items if item.kind == "product"], products)
    said = _said(runs, products)
    words = [item.value for item in items if item.kind == "word"]
    numbers = [item.value for item in items if item.kind == "number"]
    pointing = concepts & {"it", "also", "deixis"}
    concepts -= {"it", "also", "deixis"}
    raw = frozenset(concepts)
    concepts = _ruled(concepts, lex.rules)
    if not _stands(text, atoms, items, pointing, concepts | raw, said, lex, language):
        return None
    concepts = _of_products(concepts, raw, said, bool(words), bool(numbers), lex)
    if ("want" in concepts and concepts & lex.asking) or "may" in concepts:
        concepts.discard("want")
    if "than" not in concepts:
        said = sorted(set(said))
    concepts -= lex.soft
    concepts.discard("have")
    inside = len(said) > 1 and any(one[0] != "#" for one in said)
    if not (concepts or words or numbers or inside):
        return None
    if concepts <= lex.about_products and not said and not words:
        return None
    money = bool(raw & _MONEY or concepts & _MONEY)
    # One thing is any thing; what goes together is two.
    unsaid = {"1n", "2", "2n"} if "together" in concepts else {"1n"}
    counted = sorted(_counted(number, money) for number in numbers if number not in unsaid)
    return Signature(frozenset(concepts), tuple(sorted(set(words))), tuple(counted), tuple(said))


def _of_products(
    concepts: set[str],
    raw: frozenset[str],
    said: Sequence[str],
    words: bool,
    numbers: bool,
    lex: Lexicon,
) -> set[str]:
    """Return the concepts, those that only mean something of a product replaced by what it is."""
    asked = concepts - lex.soft
    named = any(one.startswith("#") for one in said)
    only_have = "have" in concepts and asked <= {"have", "have_end", "order"} and not words
    if only_have and said and (len(said) == 1 or all(one.startswith("#") for one in said)):
        return {"stock"}
    if named and len(said) == 1 and not words and not numbers:
        if asked in ({"dearer"}, {"dearer", "price"}):
            return {"price"}  # 贵吗 is answered by what it costs.
        if asked == {"order"} and "may" in raw:
            return {"stock"}  # Whether it can be ordered is whether it is there.
    found = concepts - {"have_end"}
    if named and raw & _HAVING and found & _FACTS and not found & _STOCK:
        found.add("stock")  # 还有吗，多少钱: two questions.
    if len(said) < 2:
        found.discard("comes_with")  # It matters only which comes with which.
    return found


def _names_an_order(atoms: Atoms, products: ProductWords) -> bool:
    """Tell whether a text holds a number that may be an order's, a parcel's or a phone's."""
    return any(
        sum(char.isdigit() for char in word) >= _ORDER_NUMBER_DIGITS and word not in products
        for word in atoms.words
    )


def _items(atoms: Atoms, lex: Lexicon, products: ProductWords) -> tuple[list[_Item], str]:
    """Read a text from the left, the longest known phrase first; also return it without fillers."""
    items: list[_Item] = []
    said: list[str] = []
    at, count = 0, len(atoms.words)
    tokens = _han_tokens(atoms)
    while at < count:
        start = at
        length, item_values = _known(atoms, at, lex)
        width = _product(atoms, at, products)
        word = atoms.words[at]
        if claimed := _claimed(atoms, at, products):
            items.extend(_Item("product", atoms.words[one], one) for one in range(at, claimed))
            at = claimed
        elif not width and length <= 1 and tokens.get(at, 1) > 1:
            # A word of its own that the lexicon lacks: its characters mean nothing by themselves.
            end = at + tokens[at]
            items.append(_Item("word", atoms.phrase(at, end), at))
            at = end
        elif width and (width > length or (width == length and is_code(word))):
            items.append(_Item("product", atoms.phrase(at, at + width), at))
            at += width
        elif length:
            items.extend(_Item("concept", value, at) for value in item_values)
            at += length
        else:
            items.append(_unknown(atoms, at, lex, items, products))
            at += 1
        if atoms.phrase(start, at) in _HAVE and _pauses(atoms, at):
            items.append(_Item("concept", "have_end", start))
        if items and items[-1].at == start:
            said.append(atoms.phrase(start, at))
    return [item for item in _joined(items) if item.value], " ".join(said)


def _pauses(atoms: Atoms, at: int) -> bool:
    """Tell whether the sentence ends or pauses at an atom, particles aside."""
    while at < len(atoms.words) and at not in atoms.stops and atoms.words[at] in _PARTICLES:
        at += 1
    return at == len(atoms.words) or at in atoms.stops


def _han_tokens(atoms: Atoms) -> dict[int, int]:
    """Return how many characters each Chinese word has, by where it begins."""
    found: dict[int, int] = {}
    at = 0
    while at < len(atoms.words):
        end = at
        while (
            end < len(atoms.words)
            and _is_han(atoms.words[end])
            and (end == at or end not in atoms.stops)
        ):
            end += 1
        place = at
        for word in rjieba.cut(atoms.phrase(at, end), False) if end > at else ():
            found[place] = len(word)
            place += len(word)
        at = max(end, at + 1)
    return found


def _is_han(atom: str) -> bool:
    return "\u3400" <= atom[0] <= "\u9fff"


def _known(atoms: Atoms, at: int, lex: Lexicon) -> tuple[int, tuple[str, ...]]:
    most = min(lex.most.get(atoms.words[at], 0), len(atoms.words) - at)
    for length in range(most, 0, -1):
        found = lex.concepts.get(atoms.phrase(at, at + length))
        if found is not None and not any(at < stop < at + length for stop in atoms.stops):
            return length, found
    return 0, ()


def _product(atoms: Atoms, at: int, products: ProductWords) -> int:
    """Return how many atoms from `at` on are a word of product names."""
    word = atoms.words[at]
    if word.isascii():
        return int(word in products and not (is_number(word) and word.isdigit()))
    for length in range(min(products.most, len(atoms.words) - at), 1, -1):
        if atoms.phrase(at, at + length) in products:
            return length
    return 0


def _claimed(atoms: Atoms, at: int, products: ProductWords) -> int:
    """Return where a name ends that begins with a word of the lexicon: noise cancelling headphones.

    Zero where none does.
    """
    if not products.claims(atoms.words[at]):
        return 0
    end = at
    while end < len(atoms.words) and (
        atoms.words[end] in products or products.claims(atoms.words[end])
    ):
        end += 1
    run = atoms.words[at:end]
    named = any(word in products for word in run) and products.fits(run[:-1], run[-1])
    return end if named and not any(at < stop < end for stop in atoms.stops) else 0


def _unknown(
    atoms: Atoms, at: int, lex: Lexicon, before: Sequence[_Item], products: ProductWords
) -> _Item:
    word = atoms.words[at]
    if is_number(word):
        last = before[-1] if before else None
        if (
            last
            and last.kind == "product"
            and word in products
            and products.fits([last.value], word)
        ):
            return _Item("product", word, at)
        return _Item("number", word, at)
    if word.isascii() and (right := lex.corrected(word)) is not None:
        found = lex.concepts.get(right)
        if found is not None:
            return _Item("concept", found[0] if found else "", at)
    return _Item("word", _stem(word), at, loose=not word.isascii())


def _stem(word: str) -> str:
    """Return an unknown English word without its ending; others as they are."""
    word = word.removesuffix("'s")
    if word.isascii() and word.isalpha():
        for ending in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                return word[: -len(ending)]
    return word


def _joined(items: list[_Item]) -> list[_Item]:
    """Join neighbouring unknown Han characters to one word."""
    joined: list[_Item] = []
    for item in items:
        last = joined[-1] if joined else None
        if (
            last
            and last.kind == item.kind == "word"
            and last.at + len(last.value) == item.at
            and not item.value.isascii()
            and len(item.value) == 1
            and last.loose
        ):
            last.value += item.value
        else:
            joined.append(item)
    return joined


def _bound(items: list[_Item]) -> list[_Item]:
    """Bind denials and conditions to what they are about."""
    bound: list[_Item] = []
    pending = ""
    for item in items:
        if item.kind == "concept" and item.value in _BINDS_NEXT:
            pending += item.value + ":"
            continue
        if item.kind == "concept" and item.value in _BINDS_LAST:
            _bind_last(bound, _BINDS_LAST[item.value])
            continue
        if item.kind == "word" and bound and bound[-1].value == "from":
            # From where makes the difference between there and here.
            bound[-1] = _Item("concept", f"from:{item.value}", item.at)
            continue
        if pending and not (item.kind == "concept" and item.value in _NOTHING):
            item.kind = "concept"
            item.value = pending + item.value
            pending = ""
        bound.append(item)
    if pending:
        bound.append(_Item("concept", pending.rstrip(":"), -1))
    return bound


def _bind_last(bound: list[_Item], how: str) -> None:
    for item in reversed(bound):
        if item.kind in {"concept", "word"} and item.value not in _NOTHING:
            item.kind = "concept"
            item.value = f"{how}:{item.value}"
            return
    bound.append(_Item("concept", how, -1))


def _runs(atoms: Atoms, items: Sequence[_Item], products: ProductWords) -> list[list[str]]:
    """Return product words by mention: neighbours that some product has together."""
    runs: list[list[str]] = []
    end = -1
    for item in items:
        between = atoms.phrase(end, item.at) if 0 <= end < item.at else ""
        near = end == item.at or between in _GLUE
        if runs and near and item.at not in atoms.stops and products.fits(runs[-1], item.value):
            runs[-1].append(item.value)
        else:
            runs.append([item.value])
        han = sum("\u3400" <= char <= "\u9fff" for char in item.value)
        end = item.at + (han or 1)
    return runs


def _said(runs: Sequence[Sequence[str]], products: ProductWords) -> list[str]:
    """Return what each mention means; of one product, the first: "does the 27-inch one have 4K"."""
    said: list[str] = []
    for run in runs:
        meant = products.identity(run)
        said.append("+".join(sorted(set(run))) if meant in said and meant[0] == "#" else meant)
    return said


def _ruled(concepts: set[str], rules: Sequence[Rule]) -> set[str]:
    for rule in rules:
        if all(concepts & needed for needed in rule.needs) and not concepts & rule.without:
            concepts = (concepts - rule.drops) | rule.adds
    return concepts


def _counted(number: str, money: bool) -> str:
    if found := _MULTIPLE.fullmatch(number):
        of, unit = _IN_LARGER[found[2]]
        if int(found[1]) % of == 0 or unit == "d":
            count = int(found[1]) * 7 if found[2] == "wk" else int(found[1]) / of
            if float(count).is_integer():
                return f"{int(count)}{unit}"
    if not number.replace(".", "").isdigit():
        return number
    return number + ("cny" if money else "n")


def _elliptic_start(atoms: Atoms, language: Language) -> bool:
    """Tell whether a text goes on from something: "and the black one?", 那运费呢."""
    words = atoms.words
    if language == "en":
        if words[0] in {"and", "then", "but", "or"} or words[-1] == "then":
            return True
        return atoms.phrase(0, min(2, len(words))) in {"what about", "how about", "what if"} and (
            len(words) <= 6
        )
    return words[0] == "那" and not (len(words) > 1 and words[1] in "个款种些台件")


def _stands(
    text: str,
    atoms: Atoms,
    items: Sequence[_Item],
    pointing: set[str],
    concepts: set[str],
    said: Sequence[str],
    lex: Lexicon,
    language: Language,
) -> bool:
    """Tell whether a question is whole without what was said before."""
    if "deixis" in pointing or ("also" in pointing and (said or language == "en")):
        return False
    if (
        "it" in pointing
        and not said
        and not concepts & lex.about_shop
        and not _said_before_it(atoms, items, language)
    ):
        return False
    return not (language == "zh" and atoms.words[-1] == "呢") or bool(_ASKS.search(text))


def _said_before_it(atoms: Atoms, items: Sequence[_Item], language: Language) -> bool:
    """Tell whether "it" is what the question itself names: "e-invoices, do you … those"."""
    place = next(item.at for item in items if item.value == "it")
    if language == "zh" and place == 0 and 2 in atoms.stops:
        return True  # 那个，请问…
    pauses = [stop for stop in atoms.stops if stop <= place]
    return bool(pauses) and any(
        item.kind == "concept" and item.value not in _NOTHING and item.at < max(pauses)
        for item in items
    )
