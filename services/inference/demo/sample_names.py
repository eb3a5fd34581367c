"""Names of the sample shop's products, which invented products must not have."""

from __future__ import annotations

import csv
from pathlib import Path

_PRODUCTS = Path(__file__).parents[2] / "tools" / "sample" / "products.csv"


def sample_names(products: Path = _PRODUCTS) -> frozenset[str]:
    """Read both names of every sample product, casefolded."""
    with products.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return frozenset(row[column].casefold() for row in rows for column in ("name_zh", "name_en"))
