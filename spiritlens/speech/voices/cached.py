"""A cache of spoken wavs: a folder that can be deleted at any time.

Each utterance is two files, ``KEY.wav`` (16-bit) and ``KEY.json`` (words and phones), where KEY is a hash of engine,
version, voice (whose name says rate and pitch) and text. Files are written to a temporary name and renamed, so that a
reader never sees half of one; a damaged entry is spoken again. The folder is ``$SPIRITLENS_CACHE``, or the user's cache
folder.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from spiritlens.arguments import shown
from spiritlens.files.atomic import write_cached
from spiritlens.files.cache import cache_folder
from spiritlens.speech.audio.waveform import AudioError, Waveform, read_waveform
from spiritlens.speech.engines.phones import Phone
from spiritlens.speech.engines.utterance import Utterance
from spiritlens.speech.voices.over import OverVoice
from spiritlens.speech.words import WordInterval

FORMAT = "spiritlens.spoken/3"


@dataclass(frozen=True)
class CachedVoice(OverVoice):
    """A voice that looks into the cache before it speaks; it returns what the voice itself would."""

    folder: Path = field(default_factory=lambda: cache_folder("spoken"))

    def speak(self, text: str) -> Utterance:
        """Speak `text`, or read it from the cache."""
        path = self.folder / self.key(text)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return _read(path)
        utterance = self.voice.speak(text)
        _write(path, utterance)
        return utterance

    def key(self, text: str) -> str:
        """File name (without ending) of an utterance."""
        if not isinstance(text, str):
            raise ValueError(f"text={shown(text)}: expected a text to speak, a str")
        parts = (FORMAT, self.engine, self.name, text)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _read(path: Path) -> Utterance:
    record = json.loads(path.with_suffix(".json").read_text())
    samples = read_waveform(path.with_suffix(".wav"))
    waveform = Waveform(samples.samples, samples.rate, record["voice"])
    if waveform.digest != record["digest"]:
        raise AudioError(f"{path}.wav is not the audio that {path}.json describes; delete both.")
    words = tuple(WordInterval(*word) for word in record["words"])
    phones = tuple(Phone(*phone) for phone in record["phones"])
    return Utterance(waveform, record["text"], words, phones, record["voice"], record["engine"])


def _write(path: Path, utterance: Utterance) -> None:
    """Both files; a folder that cannot be written costs only the cache."""
    record = {
        "text": utterance.text,
        "voice": utterance.voice,
        "engine": utterance.engine,
        "digest": utterance.waveform.digest,
        "words": [(word.word, word.start, word.end) for word in utterance.words],
        "phones": [(phone.label, phone.start, phone.end) for phone in utterance.phones],
    }
    with contextlib.suppress(OSError):
        write_cached(path.with_suffix(".wav"), utterance.waveform.wav_bytes())
        write_cached(path.with_suffix(".json"), json.dumps(record).encode())
