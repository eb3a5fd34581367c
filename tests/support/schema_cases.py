"""Plays requests made up from a service's own OpenAPI document against it."""

from collections.abc import Callable
from typing import Any

import hypothesis
import hypothesis.strategies as st
import schemathesis
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

Change = Callable[[st.DataObject, Any], None]

CONFORMANCE = (
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


def play(
    document_url: str,
    base_url: str,
    authorize: Callable[[], dict[str, str]],
    *,
    cases: int,
    change: Change = lambda _data, _case: None,
) -> dict[str, set[int]]:
    """Send `cases` requests an operation, of which some fit the document and some do not.

    Fails on any 5xx but a 503, and on an answer that the document does not declare.

    Args:
        document_url: where the document is.
        base_url: of the service.
        authorize: gives the headers of a caller; called for each request.
        cases: how many an operation.
        change: makes a request more like a real one.

    Returns:
        The statuses seen, by operation.

    """
    load_all_checks()
    checks = [check for check in CHECKS.get_all() if check.__name__ in CONFORMANCE]
    assert len(checks) == len(CONFORMANCE)
    document = schemathesis.openapi.from_url(document_url)
    settings = hypothesis.settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )

    def send(operation: Any, data: st.DataObject) -> int:
        modes = [GenerationMode.POSITIVE]
        modes += [GenerationMode.NEGATIVE] if operation.body else []
        case = data.draw(st.sampled_from(modes).flatmap(lambda mode: operation.as_strategy(mode)))
        change(data, case)
        known = data.draw(st.sampled_from([True, True, True, False]))
        response = case.call(base_url=base_url, headers=authorize() if known else {})
        assert response.status_code < 500 or response.status_code == 503, response.text
        case.validate_response(response, checks=checks)
        return int(response.status_code)

    def try_out(operation: Any) -> set[int]:
        statuses: set[int] = set()

        @settings
        @hypothesis.given(data=st.data())
        def each(data: st.DataObject) -> None:
            statuses.add(send(operation, data))

        each()
        return statuses

    found = list(document.get_all_operations())
    operations = [result.ok() for result in found if isinstance(result, Ok)]
    assert len(operations) == len(found)
    return {operation.label: try_out(operation) for operation in operations}
