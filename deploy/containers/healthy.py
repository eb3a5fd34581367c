"""HEALTHCHECK of every image: `python healthy.py PORT PATH`; exit 0 on a 200 from this container.

The slim images have no curl, and this needs only the standard library.
"""

import sys
import urllib.request


def main(port: str, path: str) -> int:
    """Ask once; any other answer, or none, is unhealthy."""
    url = f"http://127.0.0.1:{int(port)}{path}"
    try:
        with urllib.request.urlopen(url, timeout=4) as reply:  # nosec B310
            return 0 if reply.status == 200 else 1
    except (OSError, ValueError):
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
