"""Words with times from files and from other programs, as `WordInterval`s.

`read_words` takes whatever a researcher has:

- a Praat TextGrid (``.TextGrid``: short, long or JSON format, UTF-8 or UTF-16), read by praatio; the tier is the one
  named, or the only interval tier, or the only one whose name is ``words`` or ends in it ("anna - words");
- JSON: a list of words, or an object with ``words`` or with ``segments`` that hold ``words``, as Whisper writes;
- CSV with the columns ``word,start,end``;
- the same lists as Python values: dictionaries (``word`` or ``text``, ``start``, ``end`` or a ``timestamp`` pair),
  tuples (word, start, end) or `WordInterval`s.

Times are seconds. Silence (blank, ``sil``, ``sp``, ``<eps>`` ...) is left out; spaces around a word are removed.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spiritlens.speech.alignment import WordInterval, check_words

SILENCES = frozenset({"", "sil", "<sil>", "sp", "spn", "<eps>", "<p:>", "#"})
WordsSource = str | Path | Mapping[str, Any] | Sequence[Any]


def read_words(source: WordsSource, tier: str | None = None, duration: float | None = None) -> tuple[WordInterval, ...]:
    """Words from a file or from Python values; `tier` names a TextGrid's tier, `duration` (s) bounds the times."""
    if isinstance(source, (str, Path)):
        path = Path(source)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file of words.")
        words = _from_file(path, tier)
        name = str(path)
    else:
        words, name = _from_values(source), "words"
    try:
        return check_words(words, duration)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _from_file(path: Path, tier: str | None) -> list[WordInterval]:
    ending = path.suffix.lower()
    if ending == ".textgrid":
        return _from_textgrid(path, tier)
    text = _decoded(path)
    if ending == ".json":
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON ({error}); export the words again.") from None
        if isinstance(values, dict) and "tiers" in values:
            return _from_textgrid(path, tier)
        return _from_values(values, str(path))
    if ending in (".csv", ".tsv"):
        return _from_csv(text, "\t" if ending == ".tsv" else ",", path)
    raise ValueError(f"{path}: words are read from .TextGrid, .json, .csv and .tsv files; rename or convert this one.")


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            break
    raise ValueError(f"{path} is neither UTF-8 nor UTF-16; save it as UTF-8.")


def _from_values(values: Any, name: str = "words") -> list[WordInterval]:
    if isinstance(values, Mapping):
        if isinstance(values.get("words"), Sequence):
            values = values["words"]
        elif isinstance(values.get("segments"), Sequence):
            segments = values["segments"]
            if not all(isinstance(segment, Mapping) and "words" in segment for segment in segments):
                raise ValueError(f"{name}: its segments hold no words; run Whisper with word_timestamps=True.")
            values = [word for segment in segments for word in segment["words"]]
        else:
            values = values.get("chunks", values)
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise ValueError(f"{name}: expected a list of words with start and end, found {type(values).__name__}.")
    entries = [_entry(value, index, name) for index, value in enumerate(values)]
    return [_word(*entry, name) for entry in entries if entry[0].strip().lower() not in SILENCES]


def _entry(value: Any, index: int, name: str) -> tuple[str, Any, Any]:
    """Word, start and end of one entry, whatever its form."""
    if isinstance(value, WordInterval):
        return value.word, value.start, value.end
    if isinstance(value, Mapping):
        word = value.get("word", value.get("text"))
        start, end = value.get("timestamp", (value.get("start"), value.get("end")))
        if isinstance(word, str):
            return word, start, end
    elif isinstance(value, Sequence) and len(value) == 3 and isinstance(value[0], str):
        return value[0], value[1], value[2]
    raise ValueError(f"{name}: entry {index} is {value!r}; expected word, start and end.")


def _word(word: str, start: Any, end: Any, name: str) -> WordInterval:
    try:
        return WordInterval(word.strip(), float(start), float(end))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: word {word.strip()!r} has times {start!r} and {end!r}: {error}") from None


def _from_csv(text: str, delimiter: str, path: Path) -> list[WordInterval]:
    rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    columns = set(rows[0]) if rows else set()
    if not {"start", "end"} <= columns or not {"word", "text"} & columns:
        raise ValueError(
            f"{path}: expected the columns word, start, end; found {', '.join(map(str, columns)) or 'none'}."
        )
    return _from_values(rows, str(path))


def _from_textgrid(path: Path, tier: str | None) -> list[WordInterval]:
    try:
        from praatio import textgrid
    except ImportError:
        raise ImportError("reading TextGrids needs praatio: pip install 'spiritlens[align]'") from None
    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, duplicateNamesMode="rename")
    except Exception as error:  # praatio raises its own classes, IndexError and UnicodeDecodeError for bad files
        raise ValueError(f"{path} is not a TextGrid that praatio reads ({type(error).__name__}: {error}).") from None
    tiers = {name: grid.getTier(name) for name in grid.tierNames}
    intervals = {name: tier for name, tier in tiers.items() if isinstance(tier, textgrid.IntervalTier)}
    chosen = intervals[_tier_name(intervals, tier, path)]
    return _from_values([(entry.label, entry.start, entry.end) for entry in chosen.entries], str(path))


def _tier_name(intervals: Mapping[str, Any], wanted: str | None, path: Path) -> str:
    named = ", ".join(map(repr, intervals)) or "none"
    if wanted is not None:
        if wanted not in intervals:
            raise ValueError(f"{path} has no interval tier {wanted!r}; its interval tiers are {named}.")
        return wanted
    if len(intervals) == 1:
        return next(iter(intervals))
    worded = [name for name in intervals if name.lower().endswith(("words", "word"))]
    if len(worded) != 1:
        raise ValueError(f"{path}: name the tier of words (tier=); its interval tiers are {named}.")
    return worded[0]
