"""Which columns of a set hold sound: known by what they hold, whatever their name.

Sound is a file's bytes, a mapping of ``bytes`` and ``path`` (how parquet keeps a file, both empty where it is missing),
of ``array`` and ``sampling_rate``, a path or address whose ending is a sound file's, or what decodes itself
(torchcodec's `AudioDecoder`, a `Waveform`). A column that a data set declares as audio counts even where its first rows
are empty.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from spiritlens.arguments import shown
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.recording_rows import AUDIO_ENDINGS, OTHER_SOUND_ENDINGS
from spiritlens.speech.rows_on_disk import RowAudio

ROWS_LOOKED_AT = 20
"""So many first rows say what columns hold: a first row may lack its sound."""

FILE = frozenset({"bytes", "path"})
SAMPLES = frozenset({"array", "sampling_rate"})
USUAL = "audio"


def holds_sound(value: object) -> bool:
    """Whether a value is sound by its form; its content is not read."""
    if isinstance(value, Mapping):
        keys = set(map(str, value))
        return bool(keys) and (keys <= FILE or keys >= FILE or keys >= SAMPLES)
    if isinstance(value, (str, Path)):
        first = str(value).partition("::")[0]  # "zip://a.wav::set.zip"
        return PurePosixPath(first).suffix.lower() in AUDIO_ENDINGS + OTHER_SOUND_ENDINGS
    if isinstance(value, (bytes, bytearray, memoryview, Waveform)):
        return True
    return isinstance(value, RowAudio) or callable(getattr(value, "get_all_samples", None))


def sound_columns(rows: Iterable[Mapping[str, Any]], features: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The columns that hold sound in any of the rows, or are declared as audio, in the order of the columns."""
    declared = [name for name, feature in (features or {}).items() if type(feature).__name__ == "Audio"]
    held = [name for row in rows for name, value in row.items() if holds_sound(value)]
    return tuple(dict.fromkeys((*declared, *held)))


def the_sound_column(names: Sequence[str], found: Sequence[str]) -> str:
    """The one column of sound, or of several or none the one that is called ``audio``; else the columns are named.

    `names` are all columns, `found` those that hold sound. Returns the name. Raises ValueError for none or several.
    """
    if len(found) == 1:
        return found[0]
    if USUAL in found or (not found and USUAL in names):
        return USUAL
    if not found:
        raise ValueError(
            f"no column holds sound (bytes, a path of a sound file, samples with their rate); the columns are "
            f"{', '.join(names) or 'none'}. Name the one that is meant."
        )
    raise ValueError(f"the columns {', '.join(found)} all hold sound; name the one that is meant.")


def looked_at(rows: Iterable[Any]) -> tuple[list[Mapping[str, Any]], Iterator[Any]]:
    """The first rows, and all rows from the first on."""
    all_rows = iter(rows)
    first = list(itertools.islice(all_rows, ROWS_LOOKED_AT))
    for index, row in enumerate(first):
        if not isinstance(row, Mapping):
            raise ValueError(f"row {index} has no columns; it is {shown(row)}.")
    return first, itertools.chain(first, all_rows)
