"""What can go wrong before the stack is ready; each message is a sentence with its remedy.

::

    LocalError
    ├── SettingsError     a variable that cannot be used
    ├── PreflightError    this machine or its state does not allow the start
    ├── StartError        a step or a service did not get ready
    └── NotRunningError   there is no running stack to stop or ask
"""


class LocalError(Exception):
    """Root of the supervisor's errors; the command line prints `str()` and exits with 1."""


class SettingsError(LocalError):
    """A variable holds a value that cannot be used."""


class PreflightError(LocalError):
    """A port is taken, memory or disk is short, or the machine is not supported."""


class StartError(LocalError):
    """A step failed, or a service died or took too long before it was ready.

    Args:
        message: which one, and what to do.
        log_tail: the last lines of its log.

    """

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


class NotRunningError(LocalError):
    """No stack runs with this data folder."""
