"""What can go wrong before a model answers, each with a remedy in its message.

::

    InferenceError
    ├── SettingsError            an environment variable that cannot be used
    ├── UnknownProfileError      no profile of that name
    ├── UnsupportedMachineError  no vLLM build, no card, or a processor it cannot use
    ├── PlanRefusedError         the arithmetic says it cannot fit; carries the plan as text
    ├── PortTakenError           another process listens there
    ├── ModelError
    │   ├── ModelMissingError    not fetched or assembled yet
    │   └── ModelDamagedError    files differ from their record
    └── FetchError
        ├── HubUnreachableError  no network, or the hub does not answer
        ├── HubRefusedError      the hub knows no such model, or wants a token
        ├── HashMismatchError    what arrived is not what the hub announced
        ├── UpstreamChangedError the hub announces other files than were recorded
        ├── DiskFullError        not enough room for what is still to come
        └── FetchInProgressError another process is fetching the same model

Errors of other libraries are translated once, where they are met. The command line prints the
message alone and exits with 1.
"""


class InferenceError(Exception):
    """Root of this service's errors; ``str()`` is one sentence with the remedy."""


class SettingsError(InferenceError):
    """An environment variable holds a value that cannot be used."""


class UnknownProfileError(InferenceError):
    """No profile has the name that was asked for."""


class UnsupportedMachineError(InferenceError):
    """This machine lacks the vLLM build, the card or the processor that the profile needs."""


class PlanRefusedError(InferenceError):
    """The profile does not fit the memory of this machine.

    Args:
        message: which memory is short, by how much, and what to change.
        table: the whole arithmetic, ready to print.
    """

    def __init__(self, message: str, table: str) -> None:
        super().__init__(message)
        self.table = table


class PortTakenError(InferenceError):
    """The address to serve on is in use."""


class ModelError(InferenceError):
    """The model's folder cannot be served."""


class ModelMissingError(ModelError):
    """The model's folder, or a file that every model has, is not there."""


class ModelDamagedError(ModelError):
    """The model's files differ from what was recorded when they were fetched."""


class FetchError(InferenceError):
    """The model was not fetched; what has arrived stays in the partial folder."""


class HubUnreachableError(FetchError):
    """The hub did not answer, or the connection broke too often."""


class HubRefusedError(FetchError):
    """The hub answered with a refusal: unknown model or revision, or no access."""


class HashMismatchError(FetchError):
    """A file that arrived does not have the hash that the hub announced."""


class UpstreamChangedError(FetchError):
    """The hub announces other files than those recorded on first use."""


class DiskFullError(FetchError):
    """Too little disk is free for the files that are still to come."""


class FetchInProgressError(FetchError):
    """Another process holds the fetch lock of this model."""
