"""The sound that a fact brings: a recording of one of its phrasings in one voice.

``audio`` is whatever `read_waveform` takes (a path, a file's bytes, ``{bytes, path}``, ``{array, sampling_rate}``, a
`Waveform`), an address that `datasets` streams from, or a `Recording`; any rate and format, read by this package and
not before it is asked for. A row of a set may lack its audio: then ``audio`` is None, and reading it is refused.

``words`` are its words with times in any form of `read_words`; without them the text is aligned to the audio. ``text``
is what is said, where that is not the fact's own prompt; ``phrasing`` "" is the fact's first one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spiritlens.arguments import shown, written

if TYPE_CHECKING:
    from spiritlens.speech.audio.sources import RawSource
    from spiritlens.speech.audio.waveform import Waveform
    from spiritlens.speech.recordings import Recording
    from spiritlens.speech.word_files.sources import WordsSource
    from spiritlens.speech.words import WordInterval


@dataclass(frozen=True, eq=False)
class FactSound:
    """One utterance of a fact: who speaks it, which phrasing, its audio, its words' times, what is said, its name."""

    voice: str
    phrasing: str
    audio: "RawSource | Waveform | Recording | None" = field(repr=False)
    words: "WordsSource | None" = field(default=None, repr=False)
    text: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        for name in ("voice", "phrasing", "text", "name"):
            written(f"{name} of a sound", getattr(self, name), blank="allowed")
        if type(self.audio).__name__ == "Recording":
            self._take_recording(self.audio)
        if self.words is not None and not isinstance(self.words, (str, Path)) and not hasattr(self.words, "__iter__"):
            raise ValueError(f"words of a sound={shown(self.words)}: expected words with times, or a file of them")

    def _take_recording(self, recording: Any) -> None:
        """The audio, the name and the files of words of a recording."""
        object.__setattr__(self, "audio", recording.audio)
        object.__setattr__(self, "name", self.name or recording.name)
        if self.words is None and recording.words:
            object.__setattr__(self, "words", one_of(recording.words))

    def waveform(self) -> "Waveform":
        """The audio at 16 kHz. Raises AudioError or OSError where there is none or it cannot be read."""
        from spiritlens.speech.recordings import Recording

        return Recording(self.called, cast("RawSource | Waveform | None", self.audio), {}).waveform()

    def timed_words(self, duration: float) -> "tuple[WordInterval, ...] | None":
        """The words with their times in audio of so many seconds; None where it brings none.

        Raises ValueError for words that are none or lie outside of the audio, and for several files of them,
        FileNotFoundError without their file.
        """
        from spiritlens.speech.word_files.sources import read_words

        if isinstance(self.words, tuple) and all(isinstance(one, Path) for one in self.words):
            files = ", ".join(path.name for path in self.words)
            raise ValueError(f"{self.called} has several files of words: {files}; keep the one that is meant")
        return None if self.words is None else read_words(self.words, duration=duration)

    @property
    def called(self) -> str:
        """Its name; without one its file's, or ``a sound``."""
        audio = self.audio
        path = audio.get("path") if isinstance(audio, Mapping) else audio if isinstance(audio, (str, Path)) else None
        return self.name or str(path or getattr(audio, "source", "") or "a sound")


def one_of(files: tuple[Path, ...]) -> Path | tuple[Path, ...] | None:
    """The one file of words, several that are told when they are read, or None."""
    return files[0] if len(files) == 1 else files or None
