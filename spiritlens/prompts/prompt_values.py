"""The values that a prompt is made of: texts, and columns of Python's own numbers and texts.

A prompt may be made by hand, and is read back from tables whose readers give arrays, numpy's numbers and, for NaN,
None. Each column is read once; a value of another kind is refused by its name and place, never rounded or spelt out.
"""

import math
from typing import Any

from spiritlens.arguments import listed, number, whole, written

HEARD_TEXTS = ("recogniser", "heard")
HEARD_NUMBERS = ("word_error", "subject_word_error", "subject_units_changed", "subject_share_changed")
"""What a recogniser heard of a prompt and how far off it was; rows of earlier versions lack these columns."""
TEXTS = (
    *("text", "answer", "foil", "fact_id", "relation", "phrasing"),
    *("voice", "group", "audio", "vocabulary", "encoder"),
    *HEARD_TEXTS,
)
"""Fields that hold one text."""
IDS = ("ids", "answer_ids", "foil_ids")
TIMES = ("starts", "ends")


def column_values(name: str, values: Any) -> tuple[Any, ...]:
    """The values of a column of a prompt."""
    found = listed(name, values, empty=True)
    return found if _is_plain(name, found) else tuple(_value(name, place, item) for place, item in enumerate(found))


def _is_plain(column: str, values: tuple[Any, ...]) -> bool:
    """Whether a column holds what it should already, as a prompt that the toolkit made does: seen at a glance."""
    kinds = set(map(type, values))
    if column in IDS:
        return kinds <= {int} and min(values, default=0) >= 0
    if column == "word_index":
        return kinds <= {int}
    if column in TIMES:
        return kinds <= {float} and all(0 <= value < math.inf or math.isnan(value) for value in values)
    return kinds <= {str}


def is_missing(value: Any) -> bool:
    """None, or the NaN that a table has where rows without a column were joined to rows that have it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _value(column: str, place: int, item: Any) -> Any:
    name = f"{column}[{place}]"
    if column in IDS:
        return whole(name, item, at_least=0)
    if column == "word_index":
        return whole(name, item)
    if column in TIMES:
        return math.nan if is_missing(item) else number(name, item, at_least=0, below=math.inf)
    return written(name, item, blank="allowed")
