"""Errors of the tools service and what each of them says to a caller.

    ToolsError
    ├── ConfigurationError            start-up only: a setting is missing or unusable
    ├── SchemaTooNew                  start-up only: the database is ahead of this program
    ├── ImportFailed                  command line only: a file was refused
    └── RequestError                  has an HTTP status and a stable code
        ├── InvalidArguments   400    invalid_arguments
        ├── InvalidBody        400    invalid_json
        ├── Unauthorized       401    unauthorized
        ├── UnknownTool        404    unknown_tool
        └── Unavailable        503    database_unavailable | deadline_exceeded

An expected miss (no such order, no such product) is not an error but a result.
"""

from typing import Any


class ToolsError(Exception):
    """Base of everything this service raises on purpose."""


class ConfigurationError(ToolsError):
    """A setting is missing or unusable; the message names it and the remedy."""


class SchemaTooNew(ToolsError):  # noqa: N818 - it says what is the case
    """The database was migrated by a newer release than this one."""


class ImportFailed(ToolsError):  # noqa: N818 - it says what happened
    """An import was refused as a whole; nothing of it was kept."""


class RequestError(ToolsError):
    """A request that cannot be served.

    Attributes:
        status: HTTP status code.
        code: stable name for programs.
        param: the argument at fault, where there is one.

    """

    status: int = 500
    code: str = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.code


class InvalidArguments(RequestError):  # noqa: N818 - named after its code
    """The arguments do not fit the published schema."""

    status = 400
    code = "invalid_arguments"


class InvalidBody(RequestError):  # noqa: N818 - named after its code
    """The body is not a JSON object."""

    status = 400
    code = "invalid_json"


class Unauthorized(RequestError):  # noqa: N818 - named after its code
    """The service token is missing, malformed, expired or not for us."""

    status = 401
    code = "unauthorized"


class UnknownTool(RequestError):  # noqa: N818 - named after its code
    """No tool has this name."""

    status = 404
    code = "unknown_tool"


class Unavailable(RequestError):  # noqa: N818 - named after its status
    """The database does not answer, or not in time."""

    status = 503
    code = "database_unavailable"


def error_body(
    code: str, message: str, *, param: str | None = None, request_id: str | None = None
) -> dict[str, Any]:
    """Shape of every error this service answers with."""
    return {
        "error": {"code": code, "message": message, "param": param, "request_id": request_id},
    }
