"""Sets of recordings: read from a folder or a dataset, turned into units, and made by speaking texts.

A set on disk is a folder of audio files with ``metadata.csv``, whose column ``file_name`` names each file; others
(``text``, ``fact_id``, ``voice`` ...) go with the recording. `datasets` reads the same table (its csv builder), whose
column of paths is read as audio; its own audio decoding needs torchcodec, this package's does not. Audio that is
missing or broken is a recording too, so that it is reported by name (`recording_rows`).
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from spiritlens.arguments import check_choice, listed, shown, told_keywords
from spiritlens.files.atomic import write_whole
from spiritlens.speech.audio.sources import RawSource
from spiritlens.speech.audio.waveform import AudioError, Waveform, read_waveform
from spiritlens.speech.audio_columns import looked_at, sound_columns, the_sound_column
from spiritlens.speech.encoders.protocol import SpeechEncoder, given_encoder
from spiritlens.speech.engines.plain_text import UnspeakableError
from spiritlens.speech.recording_rows import (
    AUDIO_ENDINGS,
    read_address,
    sound_files,
    source_of,
    table_rows,
    undecoded,
)
from spiritlens.speech.units import UnitStream
from spiritlens.speech.voices.cached import CachedVoice
from spiritlens.speech.voices.names import voice
from spiritlens.speech.voices.shared_words import words_apart
from spiritlens.speech.word_files.sources import words_beside
from spiritlens.terms import DEFAULT_VOICE, Progress

Broken = Literal["raise", "report"]
"""What becomes of audio that is refused: it ends the run, or is yielded with its problem."""


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording of a set: its name, its audio (whatever `read_waveform` takes) and the columns that go with it."""

    name: str
    audio: RawSource | Waveform | None
    columns: Mapping[str, Any]
    words: tuple[Path, ...] = ()
    """Files of its words: the one that the column ``words`` names, or those with its name beside it."""

    def words_file(self) -> Path:
        """The one file of its words, for `read_words` or ``lens.audio(words=…)``."""
        if len(self.words) != 1:
            found = "has several files of words: " + ", ".join(map(str, self.words)) if self.words else "has no words"
            raise ValueError(f"{self.name} {found}; name the one that is meant in metadata.csv's column words.")
        return self.words[0]

    def waveform(self) -> Waveform:
        """Read the audio."""
        audio = self.audio
        if audio is None:
            raise AudioError(f"{self.name} has no audio (None); leave it out, or give its file.")
        read = read_waveform(read_address(audio) if isinstance(audio, str) and "://" in audio else audio)
        return Waveform(read.samples, read.rate, self.name)


@dataclass(frozen=True, eq=False)
class EncodedRecording:
    """A recording's units per frame; None with the `problem` where its audio was refused."""

    recording: Recording
    units: UnitStream | None
    problem: str = ""


@told_keywords
def recordings_of_folder(folder: str | Path) -> tuple[Recording, ...]:
    """The files that ``metadata.csv`` (or ``.jsonl``) names, or all sound files of a folder without one, by name.

    Sound that cannot be read (``.m4a`` ...) and rows that name no file are among them, so that they are reported; files
    that the table does not name are warned of.

    Returns them in the order of the table. Raises FileNotFoundError without the folder, ValueError for one that holds
    no recordings, or a table that cannot be read.
    """
    if not isinstance(folder, (str, Path)) or not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of recordings.")
    folder = Path(folder)
    rows = table_rows(folder)
    if rows is None:
        paths = sound_files(folder)
        found = tuple(Recording(str(path.relative_to(folder)), path, {}, words_beside(path)) for path in paths)
    else:
        found = tuple(_of_row(folder, row, number) for number, row in enumerate(rows, 1))
    if not found:
        raise ValueError(f"{folder} holds no recordings; expected metadata.csv or files {', '.join(AUDIO_ENDINGS)}.")
    return found


def _of_row(folder: Path, row: Mapping[str, Any], number: int) -> Recording:
    """The recording of a table's row; one that names no file has no audio, which is told when it is read."""
    if not row["file_name"]:
        return Recording(f"row {number}", None, row)
    return Recording(row["file_name"], folder / row["file_name"], row, _words_of(folder, row))


def _words_of(folder: Path, row: Mapping[str, Any]) -> tuple[Path, ...]:
    named = folder / str(row.get("words") or "")
    return (named,) if named.is_file() else words_beside(folder / row["file_name"])


@told_keywords
def recordings_of_dataset(dataset: Any, column: str | None = None) -> Iterator[Recording]:
    """The recordings of a `datasets` data set (streamed or not), of a pandas table, or of a list of rows.

    `column` holds the sound (a file's bytes, a path, samples with their rate); left out, it is the one that does, by
    what it holds (`audio_columns`). A row without audio is a recording whose reading is refused. Returns them one by
    one. Raises ValueError for what is no data set, and where no column or several hold sound.
    """
    rows = undecoded(dataset, column)
    if column is None:
        first, rows = looked_at(rows)
        features = getattr(dataset, "features", None)
        column = the_sound_column(list(first[0]) if first else [], sound_columns(first, features))
    return _of_rows(rows, column)


def _of_rows(rows: Iterable[Mapping[str, Any]], column: str) -> Iterator[Recording]:
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping) or column not in row:
            held = f"its columns are {', '.join(map(str, row))}" if isinstance(row, Mapping) else f"it is {shown(row)}"
            raise ValueError(f"row {index} has no column {column!r}; {held}.")
        audio = row[column]
        path = audio.get("path") if isinstance(audio, Mapping) else audio if isinstance(audio, (str, Path)) else None
        others = {name: value for name, value in row.items() if name != column}
        yield Recording(str(path or f"row {index}"), source_of(audio), others)


@told_keywords
def encode_recordings(
    encoder: SpeechEncoder,
    recordings: Iterable[Recording],
    progress: Progress = "bar",
    broken: Broken = "raise",
) -> Iterator[EncodedRecording]:
    """Units of each recording in order; with a `CachedEncoder` a run that was stopped resumes.

    Audio that is refused ends the run (``broken="raise"``) or is yielded with its problem (``"report"``). Returns them
    one by one, as they are done. Raises AudioError at refused audio, ValueError for another `broken`.
    """
    check_choice("progress", progress, Progress)
    check_choice("broken", broken, Broken)
    given_encoder(encoder)
    if isinstance(recordings, (str, bytes, Path, Recording)) or not isinstance(recordings, Iterable):
        raise ValueError(f"recordings={shown(recordings)}: expected several, such as recordings_of_folder(FOLDER)")
    return _encoded(encoder, recordings, progress, broken)


def _encoded(
    encoder: SpeechEncoder, recordings: Iterable[Recording], progress: Progress, broken: Broken
) -> Iterator[EncodedRecording]:
    total = len(recordings) if isinstance(recordings, Sequence) else None
    for recording in tqdm(recordings, total=total, desc="encoding", unit="file", disable=progress == "none"):
        if not isinstance(recording, Recording):
            raise ValueError(f"{shown(recording)} is no Recording; make it by Recording(name, audio, columns)")
        try:
            units = encoder.encode(recording.waveform())
        except (ValueError, OSError) as error:
            if broken == "raise":
                raise
            yield EncodedRecording(recording, None, str(error))
        else:
            yield EncodedRecording(recording, units)


@told_keywords
def speak_texts(
    rows: Iterable[Mapping[str, Any]],
    out: str | Path,
    voices: Sequence[str] = (DEFAULT_VOICE,),
    progress: Progress = "bar",
) -> Path:
    """Speak the ``text`` of each row in each voice into the folder `out`; return the path of its ``metadata.csv``.

    Each utterance is ``NAME.wav`` with its words in ``NAME.json`` (see `word_sources`), NAME made of the row's ``id``
    (or its number) and the voice. The table is written last, so that its presence means done; spoken audio is cached. A
    text that cannot be said ends it with an error that names the row; `prompts.facts.speaking` leaves such facts out.
    Raises ValueError for rows without a text, and EngineError where a voice is not on this machine.
    """
    check_choice("progress", progress, Progress)
    rows, names = listed("rows", rows, of=(Mapping,)), listed("voices", voices, of=str)
    if not isinstance(out, (str, Path)):
        raise ValueError(f"out={shown(out)}: expected the path of a folder")
    out = Path(out)
    for index, row in enumerate(rows):
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            given = "" if text in (None, "") else f": text={shown(text)}"
            raise ValueError(f"row {index} has no text to speak{given}; give each row a 'text', a str.")
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"the voice {doubled[0]!r} is named twice; name each voice once.")
    pairs = [(_stem(row, index, name), name, row) for name in names for index, row in enumerate(rows)]
    doubled = [stem for stem, count in Counter(stem for stem, _, _ in pairs).items() if count > 1]
    if doubled:
        raise ValueError(f"two rows have the same id: both would be {doubled[0]}.wav; give each row an id of its own.")
    speakers = {name: CachedVoice(voice(name)) for name in names}
    out.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, Any]] = []
    for stem, name, row in tqdm(pairs, desc="speaking", unit="text", disable=progress == "none"):
        try:
            utterance = words_apart(speakers[name].speak(row["text"]), speakers[name])
        except UnspeakableError as error:
            raise UnspeakableError(f"{stem} cannot be spoken: {error}") from error
        write_whole(out / f"{stem}.wav", utterance.waveform.wav_bytes())
        words = [{"word": word.word, "start": word.start, "end": word.end} for word in utterance.words]
        write_whole(out / f"{stem}.json", json.dumps({"words": words}, indent=1).encode())
        made = {"file_name": f"{stem}.wav", "voice": name, "engine": utterance.engine, "words": f"{stem}.json"}
        table.append({**made, **{key: value for key, value in row.items() if key not in made}})
    return _write_table(table, out / "metadata.csv")


def _stem(row: Mapping[str, Any], index: int, voice_name: str) -> str:
    """The name of an utterance's files, without ending: the row's id (or its number) and the voice."""
    return re.sub(r"[^\w.+-]+", "-", f"{row.get('id', f'{index:05d}')}_{voice_name}")


def _write_table(table: list[dict[str, Any]], path: Path) -> Path:
    columns = list(dict.fromkeys(column for row in table for column in row))
    lines: list[list[Any]] = [columns, *([row.get(column, "") for column in columns] for row in table)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    write_whole(path, text.getvalue().encode())
    return path
