"""The words in a shop's product names, and which product some of them mean.

A question's product words are compared, not its products' names: customers say "M1鼠标", "the M1".
Built for 100,000 names; a question costs look-ups of its own words only.
"""

import itertools
from collections.abc import Iterable, Sequence

import rjieba

from services.gateway.answers.atoms import atoms_of, is_number

COMMON = 2000
"""A word in more products than this narrows nothing down and keeps no list of them."""
MOST_WORD_ATOMS = 10
_MODELS = frozenset({"pro", "max", "mini", "plus", "ultra", "air", "lite", "se", "gan"})


class ProductWords:
    """Words of product names.

    Args:
        products: each product's SKU and names.
        known: phrases with a meaning of their own, which no product can claim: 发票, shipping.
    """

    def __init__(
        self, products: Iterable[tuple[str, Sequence[str]]], known: frozenset[str]
    ) -> None:
        found: dict[str, list[int]] = {}
        self._skus: list[str] = []
        self._nouns: set[str] = set()
        self._claimed: set[str] = set()
        self._names: list[tuple[str, ...]] = []
        for number, (sku, names) in enumerate(products):
            self._skus.append(sku)
            self._names.append(tuple(names))
            for word in self._learn(names, known):
                found.setdefault(word, []).append(number)
        self._common = frozenset(word for word, places in found.items() if len(places) > COMMON)
        self._products = {
            word: () if word in self._common else tuple(places) for word, places in found.items()
        }
        self.most = max((len(word) for word in found if not word.isascii()), default=0)
        """Characters of the longest Chinese word."""

    def __contains__(self, word: str) -> bool:
        return word in self._products and word not in self._claimed

    def claims(self, word: str) -> bool:
        """Tell whether a word of the lexicon is in a product's name too: noise-cancelling."""
        return word in self._claimed

    def _learn(self, names: Sequence[str], known: frozenset[str]) -> set[str]:
        """Return the words of one product's names."""
        found: set[str] = set()
        for name in names:
            words, nouns = _words(atoms_of(name).words)
            # Chinese words of the lexicon are left to it: a whole name is a word of its own.
            self._claimed |= {word for word in words & known if word.isascii()}
            found |= {word for word in words if word not in known or word.isascii()}
            self._nouns |= nouns - known
        return found

    def identity(self, run: Sequence[str]) -> str:
        """Return what neighbouring words of a question mean.

        That is one product (`#` and its SKU) where the words name it: with its noun or its
        model, in the order of its name. Else it is the words: 降噪 is no product.
        """
        several = sum(word in self and word.isascii() for word in run) > 1
        if several or any(is_code(word) or word in self._nouns for word in run):
            found = self._meant(run)
            if len(found) == 1:
                (number,) = found
                if any(_in_order(run, name) for name in self._names[number]):
                    return f"#{self._skus[number]}"
        return "+".join(sorted(set(run)))

    def fits(self, run: Sequence[str], word: str) -> bool:
        """Tell whether some product has the words of a run and one more."""
        return bool(self._meant([*run, word])) or all(one in self._common for one in (*run, word))

    def _meant(self, run: Sequence[str]) -> set[int]:
        lists = sorted((self._products[word] for word in run if word not in self._common), key=len)
        if not lists:
            return set()
        found = set(lists[0]).intersection(*lists[1:])
        if len(found) <= COMMON and any(word in self._common for word in run):
            common = [word for word in run if word in self._common]
            found = {one for one in found if self._has(one, common)}
        return found

    def _has(self, number: int, words: Sequence[str]) -> bool:
        texts = [atoms_of(name).text for name in self._names[number]]
        return all(any(word in text for text in texts) for word in words)


def is_code(word: str) -> bool:
    """Tell whether a word is a model or a size: m1, 65w, pro."""
    return word in _MODELS or (word.isascii() and any(char.isdigit() for char in word))


def _words(atoms: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return a name's words, and those that say what the thing is: its last."""
    words: set[str] = set()
    nouns: set[str] = set()
    last: list[str] = []
    run: list[str] = []
    for atom in (*atoms, ""):
        if atom and "\u3400" <= atom[0] <= "\u9fff":
            run.append(atom)
            continue
        if run:
            last = _han_words("".join(run))
            words.update(last)
            words.add("".join(run))
            run = []
        if atom:
            words.add(atom)
    if last:
        nouns.update(last[-1:], rjieba.cut_for_search(last[-1]))
        nouns.add("".join(last))
        words.update(part for part in rjieba.cut_for_search(last[-1]) if len(part) > 1)
    plain = [atom for atom in atoms if atom.isascii() and not is_number(atom)]
    for first, second in itertools.pairwise(plain):
        if not is_code(first) and not is_code(second):
            words.add(first + second)
            if second == [*filter(lambda one: not is_code(one), plain)][-1]:
                nouns.add(first + second)
    named = [atom for atom in plain if not is_code(atom)]
    nouns.update(named[-1:])
    plurals = {_plural(word) for word in (*words, *nouns) if word.isascii() and word.isalpha()}
    nouns.update(_plural(noun) for noun in tuple(nouns) if noun.isascii() and noun.isalpha())
    return {word for word in words | plurals if len(word) > 1 or word.isascii()}, {
        noun for noun in nouns if len(noun) > 1
    }


def _han_words(run: str) -> list[str]:
    """Cut a Chinese name into words of two characters or more: single ones go to the next."""
    cut: list[str] = []
    left = ""
    for word in rjieba.cut(run):
        if len(word) == 1:
            left += word
            continue
        cut.append(left + word)
        left = ""
    if left and cut:
        cut[-1] += left
    elif left:
        cut.append(left)
    return cut


def _plural(word: str) -> str:
    """Return an English noun's other number, as far as customers mix them."""
    if word == "mouse":
        return "mice"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word + "s"


def _in_order(run: Sequence[str], name: str) -> bool:
    """Tell whether words follow each other as in a name; models may stand anywhere."""
    text = atoms_of(name).text
    squeezed = text.replace(" ", "")
    at = 0
    for word in run:
        if is_code(word):
            continue
        forms = ("mouse",) if word == "mice" else (word, _plural(word))
        found = [place for form in forms if (place := squeezed.find(form, at)) >= 0]
        if not found:
            return False
        at = min(found) + 1
    return True
