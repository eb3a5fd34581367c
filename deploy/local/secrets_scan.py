"""Looks for keys and passwords in the files that git knows or would add, by detect-secrets.

`python -m deploy.local.secrets_scan [FILE…]`. What was read and is no secret is listed with its
reason in `secrets-reviewed.json`, by hash. Under `tests/`, where throw-away secrets are at home,
only strings in the format of somebody's real credentials count, not what merely looks random.
"""

import json
import subprocess  # git lists the files # nosec B404
import sys
from collections.abc import Iterable
from pathlib import Path

from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings

ROOT = Path(__file__).resolve().parents[2]
REVIEWED = Path(__file__).with_name("secrets-reviewed.json")
GUESSES = frozenset(
    {
        "Base64 High Entropy String",
        "Basic Auth Credentials",
        "Hex High Entropy String",
        "Secret Keyword",
    }
)
_BINARY = frozenset({".safetensors", ".png", ".svg"})


def find(files: Iterable[str], root: Path = ROOT) -> list[PotentialSecret]:
    """Find what nobody reviewed in files below `root`, named from there."""
    entries = json.loads(REVIEWED.read_text("utf-8"))
    reviewed = {(entry["file"], entry["sha1"]) for entry in entries}
    found = []
    with default_settings():
        for name in files:
            file = root / name
            if file.suffix in _BINARY or file == REVIEWED or not file.is_file():
                continue
            guessing = not name.startswith("tests/")
            for secret in scan_file(str(file)):
                counts = guessing or secret.type not in GUESSES
                if counts and (name, secret.secret_hash) not in reviewed:
                    found.append(secret)
    return found


def main(arguments: list[str]) -> int:
    """Scan the given files or all; returns 1 if there is anything, having named each place."""
    found = find(arguments or _files())
    for secret in found:
        place = f"{Path(secret.filename).relative_to(ROOT)}:{secret.line_number}"
        print(f"{place}: {secret.type} (sha1 {secret.secret_hash})")
    if found:
        print(f"Take it out and change it; if it is no secret, list it in {REVIEWED.name}.")
    return 1 if found else 0


def _files() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(  # noqa: S603 - our own words # nosec B603
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    return [name for name in listed.stdout.split("\0") if name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
