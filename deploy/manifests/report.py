"""All checks over all builds, and the table of what they found."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from deploy.manifests import policies, scan, schemas, tools
from deploy.manifests.faults import Exceptions, Fault
from deploy.manifests.render import Build, label

COLUMNS = (*(f"schema {version}" for version in schemas.VERSIONS), "policies", "checkov")


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        rows: each build with its faults by column.
        skipped: kinds of which there is no schema.
        other: faults of no build.
        exceptions: how many there are.

    """

    rows: list[tuple[Build, dict[str, list[Fault]]]] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    other: list[Fault] = field(default_factory=list)
    exceptions: int = 0

    @property
    def faults(self) -> list[Fault]:
        """Every fault once, in order."""
        found = {one for _, row in self.rows for column in row.values() for one in column}
        return sorted(found | set(self.other))


def examine(builds: Sequence[Build], *, with_checkov: bool = True) -> Report:
    """Run every check; each distinct object is validated and scanned once.

    Raises:
        ManifestsError: a tool failed.

    """
    distinct = {scan.digest(one): one for build in builds for one in build.documents}
    documents = list(distinct.values())
    report, exceptions = Report(), Exceptions()
    by_column: dict[str, dict[str, list[Fault]]] = {}
    for version in schemas.VERSIONS:
        faults, skipped = schemas.validate(tools.environment("requirements"), documents, version)
        report.skipped |= skipped
        found: dict[str, list[Fault]] = {}
        for fault in faults:
            found.setdefault(fault.where, []).append(fault)
        by_column[f"schema {version}"] = {
            key: found.get(label(one), []) for key, one in distinct.items()
        }
    if with_checkov:
        checkov = tools.environment("requirements-checkov")
        by_column["checkov"] = scan.scan(checkov, documents, tools.BUILD / "objects")
    for build in builds:
        keys = [scan.digest(one) for one in build.documents]
        row = {
            column: exceptions.sift(fault for key in keys for fault in found.get(key, []))
            for column, found in by_column.items()
        }
        row["policies"] = exceptions.sift(policies.check(build))
        report.rows.append((build, row))
    # Without checkov nobody asked for its exceptions.
    report.other = exceptions.unused() if with_checkov else []
    report.exceptions = len(exceptions)
    return report


def show(report: Report, kubectl: str) -> None:
    """Print the table, then every fault."""
    console = Console(width=100, highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("overlay and components")
    for column in ("objects", *COLUMNS):
        table.add_column(column, justify="right")
    for build, row in report.rows:
        cells = [_cell(row.get(column)) for column in COLUMNS]
        table.add_row(build.name, str(len(build.documents)), *cells)
    console.print(table)
    for kind in sorted(report.skipped):
        console.print(f"no schema, checked by deploy/manifests/policies/custom.py: {kind}")
    version = ".".join(map(str, tools.kustomize_version(kubectl)))
    console.print(f"kustomize {version}; {report.exceptions} exceptions in exceptions.yaml")
    for fault in report.faults:
        console.print(f"[red]fault[/red] {fault.check} {fault.where}: {fault.what}", markup=True)
    console.print(f"{len(report.rows)} builds, {len(report.faults)} faults")


def _cell(faults: list[Fault] | None) -> str:
    if faults is None:
        return "not run"
    return str(len(faults)) if faults else "ok"
