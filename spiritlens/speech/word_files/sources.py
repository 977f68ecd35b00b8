"""Words with times from files and from other programs, as `WordInterval` values: one reader for all of them.

`read_words` takes whatever a researcher has (`word_files` has a module for each format, known by its content):

- Praat's TextGrid (long, short, chronological, binary; UTF-8 or UTF-16) and its JSON forms; ELAN's ``.eaf``;
- the output of Montreal Forced Aligner: TextGrid, JSON, CSV; CTM, of NIST and Kaldi;
- labels of Audacity and HTK, and what ``spiritlens align`` prints; tables with the columns word, start, end;
- SRT and WebVTT whose words have times;
- the content of such a file, as a text (a cell of a table may hold it);
- transcripts of openai-whisper, faster-whisper, WhisperX, whisper.cpp, the Hugging Face pipeline, Gentle and Vosk, as
  JSON or as Python objects; lists of (word, start, end); pandas tables, `unit_table` among them.

Times are seconds; spaces around a word are removed and nothing else. `word_choice` says which words are meant where a
file holds several tiers, speakers, channels or recordings, what silence is, and what becomes of words without times.
Words must be sorted, may overlap by a rounding of 1e-6 s (CTM: 10 ms) and end at most 50 ms after the audio.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spiritlens.arguments import number, shown, told_keywords
from spiritlens.speech.word_files import FORMATS, format_of, labels_of_file, transcripts
from spiritlens.speech.word_files.choice import Missing, WordChoice
from spiritlens.speech.word_files.labels import Labels
from spiritlens.speech.word_files.tables import read_frame
from spiritlens.speech.words import WordInterval, check_words

PRAATS = (".TextGrid", ".textgrid")
"""Both spellings of the ending; a file system may keep them apart."""

WordsSource = str | Path | Mapping[str, Any] | Sequence[Any] | Iterable[Any]


@told_keywords
def read_words(
    source: WordsSource,
    *,
    duration: float | None = None,
    tier: str | None = None,
    speaker: str | Sequence[str] | None = None,
    channel: str | int | None = None,
    recording: str | None = None,
    missing: Missing = "refuse",
) -> tuple[WordInterval, ...]:
    """Words from a file or from Python values; `duration` (s) of their audio bounds the times.

    `tier`, `speaker` (one, or a list), `channel` and `recording` choose among several; `missing` says what becomes of
    words without times. Returns them in order. Raises ValueError for an unknown form, times beyond the audio, or a
    choice that is needed.
    """
    return chosen_words(source, WordChoice(tier, speaker, channel, recording, missing), duration)


def chosen_words(source: WordsSource, choice: WordChoice, duration: float | None = None) -> tuple[WordInterval, ...]:
    """`read_words` with its choice in one value."""
    if duration is not None:
        duration = number("duration", duration, above=0)
    named = isinstance(source, Path) or (isinstance(source, str) and not is_content(source))
    name = (str(source)[:200] or "''") if named else "words"
    try:
        return check_words(choice.words(_labels(source), duration), duration)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except OSError as error:
        raise type(error)(f"{name}: {error}") from None


def words_beside(audio: Path) -> tuple[Path, ...]:
    """The files of words with the name of an audio file and another ending, in the order of `FORMATS`.

    A ``.txt`` or ``.lab`` counts only where it holds times: many sets keep transcripts in such files.
    """
    found = []
    for ending in (ending for one in FORMATS for ending in one.endings):
        spellings = (audio.with_suffix(own) for own in (PRAATS if ending == ".textgrid" else (ending,)))
        found += [path for path in spellings if path.is_file() and path != audio][:1]
    return tuple(path for path in found if path.suffix not in (".txt", ".lab") or _has_times(path))


def _has_times(path: Path) -> bool:
    try:
        return bool(labels_of_file(path).labels)
    except (ValueError, OSError):
        return False


def is_content(text: str) -> bool:
    """Whether a text is a file's content (several lines, or JSON) and no path of one."""
    return "\n" in text or transcripts.recognises(text)


def _labels(source: WordsSource) -> Labels:
    if isinstance(source, str) and is_content(source):
        lines = source.replace("\r\n", "\n").replace("\r", "\n")
        return format_of(lines, Path("words")).read(lines)
    if isinstance(source, (str, Path)):
        path = Path(source)
        try:
            folder, there = path.is_dir(), path.is_file()
        except OSError:  # a name that is too long
            folder = there = False
        if folder:
            raise ValueError("it is a folder; name a file of words in it.")
        if not there:
            raise FileNotFoundError("no such file of words.")
        return labels_of_file(path)
    if isinstance(source, pd.DataFrame):
        return read_frame([str(name) for name in source.columns], source.itertuples(index=False, name=None))
    if isinstance(source, (bytes, bytearray)) or hasattr(source, "read"):
        raise ValueError(f"expected a path or a list of words, found {shown(source)}; give the file's path.")
    return transcripts.read_values(source)
