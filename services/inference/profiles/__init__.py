"""Profiles by name."""

from pathlib import Path

from services.inference.errors import UnknownProfileError
from services.inference.profiles import catalogue
from services.inference.profiles.types import Profile

TEMPLATES_DIR = Path(__file__).parent / "templates"

# Records committed with the code; they win over those made on first use (see lock.py).
SHIPPED_LOCKS_DIR = Path(__file__).parent / "locks"


def all_profiles() -> tuple[Profile, ...]:
    """Every profile, the production one first."""
    return catalogue.ALL


def get_profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        UnknownProfileError: listing the names there are.
    """
    for profile in catalogue.ALL:
        if profile.name == name:
            return profile
    names = ", ".join(profile.name for profile in catalogue.ALL)
    raise UnknownProfileError(f"There is no profile {name!r}; there are {names}.")
