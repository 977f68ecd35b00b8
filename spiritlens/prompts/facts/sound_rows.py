"""The sounds of a row: which columns of a set hold sound, words with times, voice and phrasing.

Sound is found by what the columns hold, whatever their name (`speech.audio_columns`); the other columns by the names of
`USUAL`, any case of letters. ``columns={"audio": "clip", "voice": "reader"}`` names them instead; several columns of
sound (``"audio": ["anna", "ben"]``) are several voices, called like the columns.

Words with times are one column (a list of structs, a struct of lists, whisper-like JSON, the content or the path of a
TextGrid or CTM: all that `read_words` takes), or a column of words beside those of their starts and ends in seconds (in
a table of texts each a list in JSON, or parts between blanks). A
column that is called ``words`` but holds words alone is passed over, unless it is named. A sound that is a file may
have a file of words of the same name beside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spiritlens.arguments import shown
from spiritlens.prompts.facts.cells import parsed
from spiritlens.prompts.facts.sounds import FactSound, one_of

USUAL = {
    "words": ("words", "word_times", "word_timestamps", "timestamps", "alignment", "alignments", "textgrid", "ctm"),
    "starts": ("starts", "word_starts", "start_times", "word_start_times"),
    "ends": ("ends", "word_ends", "end_times", "word_end_times"),
    "voice": ("voice", "speaker", "speaker_id", "voice_id"),
    "phrasing": ("phrasing",),
    "spoken": ("spoken_text",),
}
"""The names under which each is looked for."""

KEYS = ("audio", *USUAL)
"""What ``columns=`` may name of a sound."""


@dataclass(frozen=True)
class SoundColumns:
    """The columns of a set that make a sound; None where it has none. ``named`` are those that the user named."""

    audio: tuple[str, ...]
    words: str | None = None
    starts: str | None = None
    ends: str | None = None
    voice: str | None = None
    phrasing: str | None = None
    spoken: str | None = None
    named: tuple[str, ...] = ()
    folder: Path | None = None
    """Where relative paths start; None: where the program runs."""

    def sounds(self, row: Mapping[str, Any], place: str) -> tuple[FactSound, ...]:
        """A sound for each column of audio; one that is empty in this row has no audio, which is told when it is read.

        `place` names the row in messages. Raises ValueError for words and times that do not fit together.
        """
        return tuple(self._sounds(row, place))

    def _sounds(self, row: Mapping[str, Any], place: str) -> Iterator[FactSound]:
        from spiritlens.speech.recording_rows import source_of
        from spiritlens.speech.word_files.sources import words_beside

        for column in self.audio:
            voice = _text(row, self.voice) or (column if len(self.audio) > 1 else "")
            audio = source_of(row.get(column))
            if self.folder is not None and isinstance(audio, Path):
                audio = self.folder / audio
            words = self._words(row, place)
            if words is None and isinstance(audio, Path):
                words = one_of(words_beside(audio))
            said, phrasing = _text(row, self.spoken), _text(row, self.phrasing)
            yield FactSound(voice, phrasing, audio or None, words, said, _name(row.get(column)) or place)

    def _words(self, row: Mapping[str, Any], place: str) -> Any:
        words = None if self.words is None else row.get(self.words)
        if words is None or isinstance(words, Path) or (hasattr(words, "__len__") and len(words) == 0):
            return words if isinstance(words, Path) else None
        if self.starts is not None and self.ends is not None:
            starts, ends = row.get(self.starts), row.get(self.ends)
            if starts is not None and ends is not None:
                return _zipped(words, starts, ends, place)
        if isinstance(words, str):
            return self._file(words)
        if "words" not in self.named and not _have_times(words):
            return None
        return words

    def _file(self, words: str) -> str | Path | None:
        """A cell's text: a file's content, or the path of one; None for a text that is neither, unless it is named."""
        from spiritlens.speech.word_files.sources import is_content

        if is_content(words):
            return words
        path = Path(words) if self.folder is None else self.folder / words
        return path if path.suffix or "words" in self.named else None


def sound_columns(
    first_rows: Sequence[Mapping[str, Any]],
    features: Mapping[str, Any] | None,
    chosen: Mapping[str, Any],
    folder: Path | None = None,
) -> SoundColumns | None:
    """The columns of a set's sounds, from its first rows, declared features and what the user chose; None: no sound.

    `chosen` may hold other keys than `KEYS`, which are not looked at. Returns the columns. Raises ValueError for a
    column that is named but not there (it names those found), and for several columns of sound of which none is named.
    """
    from spiritlens.speech.audio_columns import sound_columns as that_hold_sound
    from spiritlens.speech.audio_columns import the_sound_column

    names = list(dict.fromkeys((*(features or {}), *(name for row in first_rows for name in row))))
    named = {key: chosen[key] for key in KEYS if chosen.get(key) is not None}
    for key, value in named.items():
        for name in _each(value):
            _check_column(key, name, names)
    if "audio" in named:
        audio = tuple(_each(named["audio"]))
    elif found := that_hold_sound(first_rows, features):
        audio = (the_sound_column(names, found),)
    else:
        return None
    others: dict[str, Any] = {key: named.get(key) or _usual(key, names) for key in USUAL}
    return SoundColumns(audio, **others, named=tuple(named), folder=folder)


def _each(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def _check_column(key: str, name: object, names: Sequence[str]) -> None:
    if not isinstance(name, str):
        raise ValueError(f"columns[{key!r}]={shown(name)}: expected the name of a column")
    if name not in names:
        raise ValueError(f"columns[{key!r}]: there is no column {name!r}; the columns are {', '.join(names) or 'none'}")


def _usual(key: str, names: Sequence[str]) -> str | None:
    by_small = {name.casefold(): name for name in reversed(names)}
    return next((by_small[name] for name in USUAL[key] if name in by_small), None)


def _name(audio: Any) -> str:
    """The name of a cell's file."""
    path = audio.get("path") if isinstance(audio, Mapping) else getattr(audio, "name", audio)
    return str(path) if isinstance(path, (str, Path)) else ""


def _text(row: Mapping[str, Any], column: str | None) -> str:
    value = None if column is None else row.get(column)
    return "" if value is None else str(value).strip()


def _zipped(words: Any, starts: Any, ends: Any, place: str) -> list[tuple[Any, Any, Any]]:
    listed, *times = _parts(words), _seconds(starts, place), _seconds(ends, place)
    if not len(listed) == len(times[0]) == len(times[1]):
        raise ValueError(
            f"{place}: it has {len(listed)} words, {len(times[0])} starts and {len(times[1])} ends; give one each"
        )
    return list(zip(listed, *times, strict=True))


def _parts(cell: Any) -> list[Any]:
    """A cell of several: a list, one that is written as JSON or Python, or texts between blanks."""
    held = parsed(cell)
    return held.split() if isinstance(held, str) else list(held)


def _seconds(cell: Any, place: str) -> list[Any]:
    """The times of a cell; in a table of texts they are texts."""
    try:
        return [float(one.strip(",;")) if isinstance(one, str) else one for one in _parts(cell)]
    except ValueError:
        raise ValueError(f"{place}: {shown(cell)} are no times; give seconds, one for each word") from None


def _have_times(words: Any) -> bool:
    """Whether the first of a list of words is more than a word."""
    return isinstance(words, Mapping) or not all(isinstance(word, str) for word in list(words)[:1])
