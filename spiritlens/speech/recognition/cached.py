"""A cache of what a recogniser heard, by the sound and the recogniser: a folder that can be deleted at any time.

The key is a hash of the samples and of the recogniser's ``digest``, so that the same sound under another name is heard
once, and a changed recogniser starts afresh. One without a digest cannot be told from another and is not cached.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from spiritlens.arguments import shown
from spiritlens.files.atomic import write_cached
from spiritlens.files.cache import cache_folder
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.recognition.heard import (
    Heard,
    Recogniser,
    given_recogniser,
    heard_by,
    recogniser_digest,
    recogniser_name,
)
from spiritlens.speech.words import WordInterval

FORMAT = "spiritlens.heard/1"


@dataclass(frozen=True)
class CachedRecogniser:
    """A recogniser that looks into the cache before it listens; it returns what the recogniser itself would."""

    recogniser: Recogniser
    folder: Path = field(default_factory=lambda: cache_folder("heard"))

    def __post_init__(self) -> None:
        given_recogniser(self.recogniser)
        if not recogniser_digest(self.recogniser):
            raise ValueError(
                f"the recogniser {recogniser_name(self.recogniser)} has no digest, a text that stands for all that "
                "decides its answers: give it one, or use it uncached"
            )
        if not isinstance(self.folder, (str, Path)):
            raise ValueError(f"folder={shown(self.folder)}: expected the path of a folder for the cache")
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def name(self) -> str:
        """The recogniser's own."""
        return recogniser_name(self.recogniser)

    @property
    def digest(self) -> str:
        """The recogniser's own."""
        return recogniser_digest(self.recogniser)

    def __call__(self, waveform: Waveform) -> Heard:
        """What is heard, from the cache where it is there."""
        path = self.path(waveform)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(path.read_text(encoding="utf-8"))
            return Heard(record["text"], tuple(WordInterval(*word) for word in record["words"]))
        heard = heard_by(self.recogniser, waveform)
        record = {"text": heard.text, "words": [(word.word, word.start, word.end) for word in heard.words]}
        with contextlib.suppress(OSError):
            write_cached(path, json.dumps(record).encode())
        return heard

    def path(self, waveform: Waveform) -> Path:
        """Where what is heard in this sound is kept."""
        key = hashlib.sha256(f"{FORMAT}:{self.digest}:{waveform.digest}".encode()).hexdigest()[:32]
        return self.folder / key[:2] / f"{key}.json"
