"""How numbers are written for readers: in figures, hovers, colour bars, tables and sentences; pages' scripts do alike.

1. *Sign.* A number below 0 has a minus sign (U+2212), never a hyphen; what is written as 0 has no sign.
2. *No number* (NaN) is an en dash.
3. *Significant digits* (`number_words`): three, without zeros at the end: 0.5, 0.0412, 12.3. From 1,000 on to the whole
   number (1234); below 0.0001 and from 1,000,000 on with a power of ten: 4.1 × 10⁻⁹. So no number but 0 is written 0.
4. *Decimals* (`fixed`): at least so many as asked, and more, up to six, until the number is not written as one that it
   is not and that decides: 0, a level of a test, a margin. 0.0496 beside the level 0.05 is 0.0496, not 0.05; 0.0003 to
   two decimals is 0.0003. What six decimals cannot tell apart is written by rule 3.
5. *Ticks* (`tick_words`): all with the same decimals, the fewest that tell them apart; 0 is 0.
6. *Intervals* (`bounds_words`): `` [low, high]``, each end by rule 3, so that an end that is not 0 shows its sign;
   nothing where there is none.
7. *Counts* (`several`): 1 fact, 0 facts, 2 facts.
"""

from collections.abc import Sequence

import numpy as np

MINUS = "\u2212"
NOTHING = "–"
MOST_DECIMALS = 6
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
STEPS = (5.0, 4.0, 2.0, 1.0)
"""Ticks stand at multiples of such numbers times a power of ten."""


def several(count: int, noun: str) -> str:
    """``1 prompt``, ``2 prompts``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def number_words(value: float) -> str:
    """Three significant digits (rule 3)."""
    if np.isnan(value):
        return NOTHING
    size = abs(float(f"{value:.3g}"))
    if size == 0 or np.isinf(size):
        return "0" if size == 0 else _signed(value, "∞")
    if size >= 1e6 or size < 1e-4:
        mantissa, _, power = f"{abs(value):.2e}".partition("e")
        shown = mantissa.rstrip("0").rstrip(".")
        return _signed(value, f"{shown} × 10{str(int(power)).translate(SUPERSCRIPTS)}")
    if size >= 1000:
        return _signed(value, f"{abs(value):.0f}")
    return _signed(value, f"{abs(value):.3g}")


def fixed(value: float, decimals: int = 2, *, apart: Sequence[float] = (0.0,)) -> str:
    """With so many decimals, or more where the number would be taken for one of `apart` (rule 4)."""
    if np.isnan(value):
        return NOTHING
    for places in range(decimals, MOST_DECIMALS + 1):
        text = f"{abs(value):.{places}f}"
        signed = float(text) if value >= 0 else -float(text)
        if all(value == one or signed != one for one in apart):
            return text if float(text) == 0 else _signed(value, text)
    return number_words(value)


def bounds_words(low: float, high: float) -> str:
    """`` [low, high]``; nothing where there is no interval, as over too few subjects."""
    return "" if np.isnan(low) else f" [{number_words(low)}, {number_words(high)}]"


def interval_of(value: float, low: float, high: float) -> str:
    """A number with its interval, where it has one."""
    return f"{number_words(value)}{bounds_words(low, high)}"


def ticks_within(limit: float) -> list[float]:
    """Round numbers from −limit to limit, 0 among them: two or three on either side."""
    power = 10.0 ** np.floor(np.log10(limit))
    sizes = (step * scale for scale in (power, power / 10) for step in STEPS)
    step = next(size for size in sizes if limit / size >= 2)
    n = int(np.floor(limit / step + 1e-9))
    return [place * step for place in range(-n, n + 1)]


def tick_words(ticks: Sequence[float]) -> list[str]:
    """The ticks as texts (rule 5)."""
    for places in range(MOST_DECIMALS + 1):
        rounded = [round(tick, places) for tick in ticks]
        size = max((abs(tick) for tick in ticks), default=0.0)
        if all(abs(near - tick) <= 1e-6 * size for near, tick in zip(rounded, ticks, strict=True)):
            return [f"{abs(tick):.{places}f}" if tick > 0 else _negative(tick, places) for tick in ticks]
    return [number_words(tick) for tick in ticks]


def _negative(tick: float, places: int) -> str:
    return "0" if round(tick, places) == 0 else f"{MINUS}{abs(tick):.{places}f}"


def _signed(value: float, text: str) -> str:
    return f"{MINUS}{text}" if value < 0 else text
