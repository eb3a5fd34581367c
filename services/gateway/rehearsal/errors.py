"""What can go wrong in a rehearsal.

RehearsalError          ends the run; its text is one or two sentences for the operator
├── QuestionsError      status 1  the file of questions cannot be used
├── RefusedError        status 1  the gateway takes the key or the customers' tokens not
└── GatewayAwayError    status 2  the gateway cannot be reached
UnansweredError         one question got no answer; it is counted, and the run goes on
StoppingError           the run is being ended while a question waits; it counts as not asked
"""

from typing import ClassVar


class RehearsalError(Exception):
    """The run cannot begin, or cannot go on."""

    status: ClassVar[int] = 1


class QuestionsError(RehearsalError):
    """The file of questions is missing, unreadable or without a question."""


class RefusedError(RehearsalError):
    """The gateway does not take what the run identifies itself or a customer by."""


class GatewayAwayError(RehearsalError):
    """Nobody listens at the gateway's address."""

    status = 2


class UnansweredError(Exception):
    """A question got an error, or something that is no reply; the text says which."""


class StoppingError(Exception):
    """The run ends, and a question that was to be sent later is not sent."""
