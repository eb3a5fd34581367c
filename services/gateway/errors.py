"""What can go wrong in the gateway, and how each thing looks to a client.

GatewayError                    has an HTTP status and OpenAI's error fields
├── BadRequestError             400  the request itself must change
├── NotAuthenticatedError       401  shop key or customer token
├── ForbiddenError              403  a key used from where it must not be
├── NotFoundError               404  model, session or address
├── MethodNotAllowedError       405
├── ConflictError               409  a ticket is resolved, or another agent's
├── BodyTooLargeError           413
├── RateLimitedError            429  a shop, customer, session or address asks too much
├── SessionBusyError            429  other messages of the session are being answered
├── InternalError               500  a fault of ours; says nothing of its inside
├── ModelFailedError            502  the model endpoint answered, but not usably
├── ModelUnavailableError       503  the model endpoint is away
├── MemoryUnavailableError      503  Redis is away, and only it knows what was asked for
├── TokenKeysAwayError          503  a shop's public keys were never fetched yet
└── DeadlineError               504  the request's time was spent
MemoryAwayError                 Redis did not answer; the turn goes on without memory
JwksError                       a shop's public keys cannot be fetched or used
SettingsError                   the service cannot start; one sentence says why
ClientGoneError                 the client hung up; there is nobody to answer

Errors of clients (Redis, HTTP, the model) are translated once, where they enter.
"""

from typing import ClassVar


class GatewayError(Exception):
    """An error that a client is told about, in OpenAI's error object.

    Args:
        message: cause and remedy, in one or two sentences.
        code: a short machine-readable name; the class's own when absent.
        param: the request field at fault, such as `messages[0].content`.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.param = param

    @property
    def headers(self) -> dict[str, str]:
        """Extra response headers that belong to this error."""
        return {}

    def body(self) -> dict[str, dict[str, str | None]]:
        """Return OpenAI's error object."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class BadRequestError(GatewayError):
    """The request must be changed before it can be answered."""

    status = 400
    type = "invalid_request_error"
    default_code = "invalid_request"


class NotAuthenticatedError(GatewayError):
    """The shop key or the customer token is missing or wrong."""

    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"

    @property
    def headers(self) -> dict[str, str]:
        """Name the scheme, as RFC 9110 asks of every 401."""
        return {"www-authenticate": "Bearer"}


class ForbiddenError(GatewayError):
    """The shop key is good, but not from where it was sent."""

    status = 403
    type = "permission_error"
    default_code = "forbidden"


class NotFoundError(GatewayError):
    """There is no such model, session or address, or it is not the caller's."""

    status = 404
    type = "invalid_request_error"
    default_code = "not_found"


class MethodNotAllowedError(GatewayError):
    """The address exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    default_code = "method_not_allowed"


class ConflictError(GatewayError):
    """What is asked for does not go with the state that things are in."""

    status = 409
    type = "invalid_request_error"
    default_code = "conflict"


class BodyTooLargeError(GatewayError):
    """The request's body is larger than `MAX_BODY_BYTES`."""

    status = 413
    type = "invalid_request_error"
    default_code = "body_too_large"


class RateLimitedError(GatewayError):
    """A shop, customer, session or address asks more than it may."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"

    def __init__(self, message: str, *, code: str | None = None, retry_after_s: int) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """Say when to come back."""
        return {"retry-after": str(self.retry_after_s)}


class SessionBusyError(RateLimitedError):
    """Other messages of this session held the turn until the waiting time was over."""

    default_code = "session_busy"

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=1)


class InternalError(GatewayError):
    """A fault of ours. Details are in the log under the request id, never in the reply."""


class ModelFailedError(GatewayError):
    """The model endpoint answered with something that is no answer."""

    status = 502
    type = "server_error"
    default_code = "model_failed"


class ModelUnavailableError(GatewayError):
    """The model endpoint cannot be reached or is overloaded."""

    status = 503
    type = "server_error"
    default_code = "model_unavailable"

    @property
    def headers(self) -> dict[str, str]:
        """A router needs about this long to take a node back."""
        return {"retry-after": "2"}


class OverloadedError(GatewayError):
    """The model has more to do than it can finish in time; nothing was asked of it."""

    status = 503
    type = "server_error"
    default_code = "overloaded"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"Too many questions at the moment. Try again in {retry_after_s} s.",
        )
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """Say when enough will be finished."""
        return {"retry-after": str(self.retry_after_s)}


class TokenKeysAwayError(GatewayError):
    """A shop's public keys are away and there is no earlier copy: nobody can be recognised."""

    status = 503
    type = "server_error"
    default_code = "customer_token_keys_unavailable"

    @property
    def headers(self) -> dict[str, str]:
        """The keys are asked for again about this often while there are none."""
        return {"retry-after": "5"}


class MemoryUnavailableError(GatewayError):
    """Redis is away, and without it there is nothing to show or to forget."""

    status = 503
    default_code = "memory_unavailable"


class DeadlineError(GatewayError):
    """The request's deadline passed before there was an answer."""

    status = 504
    type = "server_error"
    default_code = "deadline_exceeded"


class MemoryAwayError(Exception):
    """Redis did not answer in time; conversation memory is unavailable."""


class JwksError(Exception):
    """A JSON Web Key Set cannot be fetched or used; the message says why and shows no key."""


class SettingsError(Exception):
    """A setting or a file it names is missing or wrong; the message is for the operator."""


class ClientGoneError(Exception):
    """The client closed its connection before the answer was complete."""
