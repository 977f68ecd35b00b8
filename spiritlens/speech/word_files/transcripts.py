"""Transcripts with words in time, as JSON or as Python objects.

- a list of words: dictionaries or objects with ``word`` (or ``text``, ``label``) and ``start``, ``end`` (or a
  ``timestamp`` pair), (word, start, end) tuples, `WordInterval`s; or its columns ``{"word": […], "start": […], "end":
  […]}``, as `datasets` gives a sequence of structs;
- ``words``: OpenAI's verbose JSON, Gentle (words that it did not find have no times); ``result``: Vosk;
- ``segments`` that hold ``words``: openai-whisper, stable-ts, WhisperX (with speakers), faster-whisper's objects;
- ``chunks``: the Hugging Face pipeline with ``return_timestamps="word"``;
- ``transcription``: whisper.cpp, in milliseconds; tokens (``-ojf``) are joined to words, as are pieces (``-ml 1``);
- ``tiers``: a TextGrid as praatio and Montreal Forced Aligner write it in JSON.

A segment or chunk of several words without times of its words is refused.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from spiritlens.arguments import once, shown
from spiritlens.speech.word_files.labels import Labels, TimedLabel, the_word, time_of
from spiritlens.speech.word_files.textgrids import POINTS, tiers_of

LISTS = ("words", "segments", "chunks", "transcription", "result", "tiers")
JSON_BEGINS = re.compile(r'\s*(?:\[\s*[\[{"\]]|\{\s*["}])')
"""Not "[00:12.00]", as lyrics begin."""

WORD_NAMES = ("word", "text", "label")


def recognises(text: str) -> bool:
    """Whether it looks like JSON."""
    return JSON_BEGINS.match(text) is not None


def read(text: str) -> Labels:
    """The words of a JSON file."""
    try:
        values = json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise ValueError("it is nested too deep to be a list of words.") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error}); export the words again.") from None
    return read_values(values)


def read_values(values: Any) -> Labels:
    """The words of a transcript that is there as Python values."""
    if isinstance(values, tuple) and len(values) == 2 and isinstance(values[0], Iterator):
        values = values[0]  # faster-whisper's segments and what it says about the whole
    values = _by_word(values)
    name = next((name for name in LISTS if _is_list(name, _field(values, name))), None)
    if name == "tiers":
        return _tiers(_field(values, "tiers"))
    if name == "transcription":
        return Labels(tuple(_whisper_cpp(values["transcription"])))
    if name == "chunks":
        return Labels(tuple(_chunks(_field(values, "chunks"))))
    if name is None and (
        isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable) or _is_one_word(values)
    ):
        held = f" with {', '.join(map(str, values)) or 'nothing'}" if isinstance(values, Mapping) else ""
        raise ValueError(f"expected a list of words with start and end, found {type(values).__name__}{held}.")
    items = list(values if name is None else _field(values, name))
    if items and all(_is_segment(item) for item in items):
        return Labels(tuple(_segments(items)))
    if name == "segments":
        raise ValueError("its segments hold no words; run Whisper with word_timestamps=True.")
    return Labels(tuple(_label(value, f"entry {index}") for index, value in enumerate(items)))


def _by_word(values: Any) -> Any:
    """Columns of words, starts and ends as a list of words; anything else as it is."""
    name = next((name for name in WORD_NAMES if _is_column(_field(values, name))), None)
    if name is None or not isinstance(values, Mapping) or not {"start", "end"} <= set(values):
        return values
    words, starts, ends = (list(values[column]) for column in (name, "start", "end"))
    if not len(words) == len(starts) == len(ends):
        raise ValueError(f"there are {len(words)} words, {len(starts)} starts and {len(ends)} ends; give one each.")
    return list(zip(words, starts, ends, strict=True))


def _is_column(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, (str, bytes, Mapping))


def _is_list(name: str, value: Any) -> bool:
    if name == "tiers" and isinstance(value, Mapping):
        return True
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _is_one_word(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 3 and isinstance(values[0], str)


def _is_segment(value: Any) -> bool:
    absent = object()
    return _field(value, "words", absent) is not absent


def _field(value: Any, name: str, otherwise: Any = None) -> Any:
    """An entry of a dictionary, or an attribute of an object."""
    return value.get(name, otherwise) if isinstance(value, Mapping) else getattr(value, name, otherwise)


def _label(value: Any, place: str, speaker: str = "") -> TimedLabel:
    """One word, whatever its form."""
    words = [_field(value, name) for name in WORD_NAMES]
    word = next((word for word in words if isinstance(word, str)), None)
    if word is not None:
        pair = _field(value, "timestamp")
        start, end = pair if _is_pair(pair) else (_field(value, "start"), _field(value, "end"))
        own = _field(value, "speaker")
        speaker = speaker if own is None else str(own)
    elif isinstance(value, (tuple, list)) and len(value) == 3 and isinstance(value[0], str):
        word, start, end = value
    else:
        raise ValueError(f"{place} is {shown(value)}; expected a word, its start and its end.")
    named = f"{place} ({shown(word.strip(), 40)})"
    return TimedLabel(word, time_of(start, named), time_of(end, named), place, speaker=speaker)


def _is_pair(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2


def _segments(segments: Sequence[Any]) -> Iterator[TimedLabel]:
    for number, segment in enumerate(segments):
        words, text = _field(segment, "words"), str(_field(segment, "text") or "")
        if not _is_list("words", words) or (not words and text.strip()):
            raise ValueError(f"segment {number} ({shown(text)}) holds no words; run Whisper with word_timestamps=True.")
        speaker = str(_field(segment, "speaker") or "")
        for index, word in enumerate(words):
            yield _label(word, f"word {index} of segment {number}", speaker)


def _chunks(chunks: Sequence[Any]) -> Iterator[TimedLabel]:
    for index, chunk in enumerate(chunks):
        label = _label(chunk, f"chunk {index}")
        the_word(label.text, label.place, 'call the pipeline with return_timestamps="word".')
        yield label


def _whisper_cpp(segments: Sequence[Any]) -> Iterator[TimedLabel]:
    """Tokens or segments joined where a piece does not begin with a space."""
    joined: TimedLabel | None = None
    for number, segment in enumerate(segments):
        for piece in _pieces(segment, f"segment {number}"):
            if joined is not None and not piece.text.startswith(" ") and joined.text.strip():
                joined = replace(joined, text=joined.text + piece.text, end=piece.end)
            else:
                if joined is not None:
                    yield joined
                joined = piece
    if joined is not None:
        yield joined


def _pieces(segment: Any, place: str) -> Iterator[TimedLabel]:
    tokens = _field(segment, "tokens")
    for value in tokens if isinstance(tokens, list) else [segment]:
        text = _field(value, "text")
        if not isinstance(text, str):
            raise ValueError(f"{place} is {shown(value)}; expected text and offsets, as whisper.cpp writes them.")
        if text.startswith("[_") or not text.strip():  # whisper.cpp's own signs
            continue
        if value is segment:
            the_word(text, place, "run whisper.cpp with -ojf (tokens), or with -ml 1 -sow (a word a segment).")
        offsets = _field(value, "offsets") or {}
        start, end = (time_of(_field(offsets, name), place) for name in ("from", "to"))
        yield TimedLabel(text, None if start is None else start / 1000, None if end is None else end / 1000, place)


def _tiers(tiers: Any) -> Labels:
    """praatio's two JSON forms: tiers by name, or a list of tiers with their class."""
    named = (
        [(str(name), _field(tier, "type"), _field(tier, "entries")) for name, tier in tiers.items()]
        if isinstance(tiers, Mapping)
        else [(str(_field(tier, "name")), _field(tier, "class"), _field(tier, "entries")) for tier in tiers]
    )
    found: list[tuple[str, list[TimedLabel] | None]] = []
    for name, kind, entries in named:
        if kind not in ("interval", "IntervalTier", "point", "TextTier") or not isinstance(entries, list):
            raise ValueError(f"tier {name!r} is of kind {shown(kind)}; expected a tier of intervals with entries.")
        points = kind in ("point", "TextTier")
        found.append((name, None if points else [_entry(entry, name, i) for i, entry in enumerate(entries, 1)]))
    return tiers_of(found, POINTS)


def _entry(entry: Any, tier: str, index: int) -> TimedLabel:
    place = f"interval {index} of tier {tier!r}"
    if not (isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], str)):
        raise ValueError(f"{place} is {shown(entry)}; expected [start, end, text].")
    return TimedLabel(entry[2], time_of(entry[0], place), time_of(entry[1], place), place)
