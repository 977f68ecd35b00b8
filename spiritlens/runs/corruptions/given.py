"""The check of a corruption that a method is given."""

from typing import Any

from spiritlens.arguments import shown
from spiritlens.models.given import given_each
from spiritlens.models.lens import Lens
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.corruptions.replacement import Replacement

CORRUPTIONS = "a corruption (sl.Noise(), sl.Replacement(...), sl.KnockOut(...))"
"""What a corruption is, in words."""


def given_corruption(lens: Lens, corruption: Any, name: str = "corruption") -> Corruption:
    """A corruption, its donors being prompts of this lens."""
    if isinstance(corruption, Replacement):
        if corruption.donors:
            given_each(lens, corruption.donors, f"{name}.donors")
        return corruption
    if isinstance(corruption, (Noise, KnockOut)):
        return corruption
    raise ValueError(f"{name}={shown(corruption)} ({type(corruption).__name__}): expected {CORRUPTIONS}")
