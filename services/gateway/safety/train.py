"""`python -m services.gateway.safety.train`: the weights of the rails' classifiers, and a table.

Needs scikit-learn, which only the `dev` set has. Each text is judged by a model that has not seen
its line; thresholds come from one half of the lines, and the table from the other.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix  # type: ignore[import-not-found,import-untyped,unused-ignore]
from sklearn.linear_model import (  # type: ignore[import-not-found,import-untyped,unused-ignore]
    LogisticRegression,
)

from services.gateway.safety.classifier import SCALE, WEIGHTS, features, pieces
from services.gateway.safety.folding import folded
from services.gateway.safety.phrases import Phrase, number, phrases

Bools = np.typing.NDArray[np.bool_]
Floats = np.typing.NDArray[np.float64]

FOLDS = 4
STRENGTH = 20.0
"""Inverse of the regularisation, in scikit-learn's sense."""
SHARE = 0.25
"""What all texts with a label weigh, next to all without."""
ORDINARY = 0.5
"""What an ordinary question weighs, next to a look-alike."""
KEPT = 14000
"""Features kept for a label: those that weigh most."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a label's classifier is to tell apart.

    Args:
        kind: which phrases have the label.
        passed: how many in a thousand of the others may be taken for it.
        unsure: kinds that may have the label as well, and are left out.
        not_ordinary: finds ordinary questions that may have it, and are left out.
    """

    kind: str
    passed: float
    unsure: frozenset[str] = field(default_factory=frozenset)
    not_ordinary: str = "$^"


TARGETS = {
    "person": Target("person.match", 6, not_ordinary="人工|真人|客服|human|agent|person|someone"),
    "injection": Target("injection.match", 3),
    "self": Target("self_harm.match", 4, frozenset({"threat.match"})),
    "threat": Target("threat.match", 4, frozenset({"self_harm.match"})),
    "anger": Target(
        "anger.match", 10, frozenset({"threat.match", "person.match", "keyword.want"})
    ),
    "want": Target(
        "keyword.want", 15, frozenset({"anger.match", "person.match", "threat.match"}),
        "退[款钱]|refund|complain|money back|投诉|chargeback",
    ),
    "ask": Target(
        "keyword.ask", 20, frozenset({"person.match"}),
        "退|refund|complain|money back|return|投诉|赔",
    ),
}  # fmt: skip


class Corpus:
    """All phrases as rows of features, with the pieces that long ones fall into."""

    def __init__(self, rows: list[Phrase]) -> None:
        self.rows = rows
        self.kinds = np.array([row.kind for row in rows])
        self.folds = np.array([number("fold" + row.line) % FOLDS for row in rows])
        self.thresholds = np.array([number("half" + row.line) % 2 == 0 for row in rows])
        made = Counter(row.line for row in rows)
        self.line_share = np.array([1 / made[row.line] for row in rows])
        found = [[features(piece) for piece in pieces(folded(row.text))] for row in rows]
        lines, texts = Counter[str](), Counter[str]()
        for parts, share in zip(found, self.line_share, strict=True):
            texts.update(parts[0])
            for one in parts[0]:
                lines[one] += share
        self.names = sorted(
            name for name in texts
            if lines[name] >= 1 or (texts[name] > 1 and name.count(" ") <= 1 and "_" not in name)
        )  # fmt: skip
        self._columns = {name: at for at, name in enumerate(self.names)}
        self.whole = self._matrix([parts[0] for parts in found])
        self._pieces = self._matrix([one for parts in found for one in parts])
        self._first = np.cumsum([0, *(len(parts) for parts in found)])[:-1]

    def strongest(self, model: LogisticRegression) -> Floats:
        """Return the score of each row's strongest piece."""
        scores = self._pieces @ model.coef_[0] + model.intercept_[0]
        return np.maximum.reduceat(scores, self._first)

    def _matrix(self, sets: Sequence[frozenset[str]]) -> csr_matrix:
        starts, columns, values = [0], list[int](), list[float]()
        for one in sets:
            known = [at for name in one if (at := self._columns.get(name)) is not None]
            columns += known
            values += [len(one) ** -0.5] * len(known)
            starts.append(len(columns))
        return csr_matrix((values, columns, starts), shape=(len(sets), len(self.names)))


def fitted(corpus: Corpus, truth: Bools, chosen: Bools) -> LogisticRegression:
    """Fit a label's weights to the chosen rows, cut to the features that count."""
    weight = corpus.line_share**0.5 * np.where(corpus.kinds == "ordinary.pass", ORDINARY, 1.0)
    share = weight[chosen & ~truth].sum() / weight[chosen & truth].sum() * SHARE
    weight = np.where(truth, weight * share, weight)
    model = LogisticRegression(C=STRENGTH, solver="liblinear", tol=1e-3, random_state=0)
    model.fit(corpus.whole[chosen], truth[chosen], sample_weight=weight[chosen])
    sizes = np.abs(model.coef_[0])
    model.coef_[0][sizes < np.partition(sizes, -KEPT)[-KEPT]] = 0
    return model


def threshold(scores: Floats, weight: Floats, per_thousand: float) -> float:
    """Return the score that no more than a share of the texts without a label reach."""
    order = np.argsort(-scores)
    passed = np.cumsum(weight[order]) / weight.sum()
    return float(scores[order][np.searchsorted(passed, per_thousand / 1000)])


def learn(corpus: Corpus, target: Target) -> tuple[dict[str, object], list[str]]:
    """Return a label's model as the gateway reads it, and its row of the table."""
    truth = corpus.kinds == target.kind
    unsure = np.isin(corpus.kinds, sorted(target.unsure))
    doubt = re.compile(target.not_ordinary)
    unsure |= np.array([
        row.kind == "ordinary.pass" and doubt.search(row.text) is not None for row in corpus.rows
    ])  # fmt: skip
    unseen = np.full(len(corpus.rows), np.nan)
    for fold in range(FOLDS):
        inside = corpus.folds == fold
        unseen[inside] = corpus.strongest(fitted(corpus, truth, ~unsure & ~inside))[inside]
    share, other = corpus.line_share, ~truth & ~unsure
    chosen = other & corpus.thresholds
    limit = threshold(unseen[chosen], share[chosen], target.passed)
    row = [f"{limit:.2f}"]
    family = target.kind.split(".")[0]
    for language in ("zh", "en"):
        spoken = np.array([one.language == language for one in corpus.rows]) & ~corpus.thresholds
        alike = np.char.startswith(corpus.kinds, family + ".")
        for part in (truth, other & alike, other & ~alike):
            here = part & spoken
            row.append(f"{np.average(unseen[here] >= limit, weights=share[here]):.1%}")
    model = fitted(corpus, truth, ~unsure)
    kept = np.flatnonzero(np.round(model.coef_[0] * SCALE))
    weights = {corpus.names[at]: round(model.coef_[0][at] * SCALE) for at in kept}
    return {
        "weights": weights, "bias": round(float(model.intercept_[0]), 3),
        "threshold": round(limit, 3),
    }, row  # fmt: skip


def main() -> None:
    """Train all labels, write their weights, print how they did on lines not seen."""
    corpus = Corpus(phrases())
    found = ("found", "look-alikes taken", "others taken")
    table = Table(
        "label", "threshold", *(f"{language}: {one}" for language in ("zh", "en") for one in found),
        title="Lines that neither weights nor thresholds have seen",
    )  # fmt: skip
    models = {}
    for label, target in TARGETS.items():
        models[label], row = learn(corpus, target)
        table.add_row(label, *row)
    WEIGHTS.write_text(
        json.dumps(models, ensure_ascii=False, separators=(",", ":"), sort_keys=True), "utf-8"
    )
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
