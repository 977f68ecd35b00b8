"""Subtitles whose words have times: SRT and WebVTT.

A word's time is given in one of three ways: a cue of one word; a cue in which one word is underlined or coloured
(Whisper's ``highlight_words``); or stamps within a cue of WebVTT, "the <00:00:00.500>capital", each of which begins the
next word. A cue of several words without any of these is refused, because their times are not given. ``<v Anna>`` names
the speaker; notes, styles and other tags are passed over.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from spiritlens.speech.word_files.labels import Labels, TimedLabel, clock_time, the_word

CLOCK = r"(?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3}"
TIMES = re.compile(rf"^\s*({CLOCK})\s*-->\s*({CLOCK})", re.MULTILINE)
STAMP = re.compile(rf"<({CLOCK})>")
MARKED = re.compile(r"<(u|font)\b[^>]*>(.*?)</\1>", re.DOTALL)
SPEAKER = re.compile(r"<v(?:\.[^ \t>]*)?[ \t]+([^>]+)>")
TAG = re.compile(r"</?[a-z][^>]*>|\{\\[^}]*\}")
REMEDY = "export the subtitles word by word (whisper --word_timestamps True --max_words_per_line 1)."


@dataclass(frozen=True)
class Cue:
    """A cue's start and end in seconds, and its text with all tags."""

    start: float
    end: float
    text: str
    place: str


def recognises(text: str) -> bool:
    """Whether it is WebVTT, or holds a line of SRT's times."""
    return text.startswith("WEBVTT") or TIMES.search(text) is not None


def read(text: str) -> Labels:
    """The words of all cues."""
    cues = list(_cues(text))
    marked = any(MARKED.search(cue.text) for cue in cues)
    return Labels(tuple(label for cue in cues for label in (_marked(cue) if marked else _stamped(cue))))


def _cues(text: str) -> Iterator[Cue]:
    found = list(TIMES.finditer(text))
    for number, match in enumerate(found, 1):
        rest = text[match.end() :].partition("\n")[2]
        own = re.split(r"\n[ \t]*\n", "\n" + rest, maxsplit=1)[0]
        yield Cue(clock_time(match[1]), clock_time(match[2]), own, f"cue {number}")


def _marked(cue: Cue) -> list[TimedLabel]:
    """The underlined word; a cue without one is the time between two words."""
    return [_label(match[2], cue.start, cue.end, cue) for match in MARKED.finditer(cue.text)]


def _stamped(cue: Cue) -> list[TimedLabel]:
    """The pieces between the stamps, each from its stamp to the next one or the cue's end."""
    first, *rest = STAMP.split(cue.text)
    starts = [cue.start, *(clock_time(stamp) for stamp in rest[::2])]
    pieces = zip([first, *rest[1::2]], starts, [*starts[1:], cue.end], strict=True)
    return [_label(piece, start, end, cue) for piece, start, end in pieces if TAG.sub("", piece).strip()]


def _label(text: str, start: float, end: float, cue: Cue) -> TimedLabel:
    speaker = SPEAKER.search(cue.text)
    plain = html.unescape(TAG.sub("", text)).replace("\N{NO-BREAK SPACE}", " ")
    return TimedLabel(
        the_word(plain, cue.place, REMEDY), start, end, cue.place, speaker=speaker[1].strip() if speaker else ""
    )
