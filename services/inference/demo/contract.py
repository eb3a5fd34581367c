"""What the gateway sends and the tools answer, frozen: the model is trained on these bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Message = dict[str, Any]

CONTRACT: dict[str, Any] = json.loads(
    Path(__file__).with_name("contract.json").read_text(encoding="utf-8")
)
