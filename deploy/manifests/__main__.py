"""`python -m deploy.manifests`: build and check every overlay; exit 1 on any fault.

::

    python -m deploy.manifests                the check, with its table
    python -m deploy.manifests --quick        without checkov, and only the overlays alone and full
    python -m deploy.manifests rules          write the PrometheusRule from deploy/prometheus/rules
    python -m deploy.manifests pin-digests    ask the registries for the images' digests
"""

import argparse
import sys
import tempfile
from pathlib import Path

from deploy.manifests import digests, render, report, rules, tools
from deploy.manifests.errors import ManifestsError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.manifests", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", nargs="?", choices=("check", "rules", "pin-digests"))
    parser.add_argument("--quick", action="store_true", help="no checkov, fewer combinations")
    parser.add_argument("--k8s", type=Path, default=render.K8S, help="other manifests than ours")
    options = parser.parse_args(arguments)
    try:
        if options.command == "rules":
            print(f"wrote {rules.write_rules().relative_to(tools.ROOT)}")
            return 0
        if options.command == "pin-digests":
            return digests.pin()
        kubectl = tools.kubectl()
        chosen = render.extremes() if options.quick else render.combinations()
        with tempfile.TemporaryDirectory() as scratch:
            builds = render.build_all(kubectl, options.k8s, Path(scratch), chosen)
        found = report.examine(builds, with_checkov=not options.quick)
        report.show(found, kubectl)
    except ManifestsError as exc:
        print(f"manifests: {exc}", file=sys.stderr)
        return 2
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
