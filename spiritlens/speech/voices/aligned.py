"""A voice whose engine gives sound alone: its words are placed by the forced aligner."""

from dataclasses import dataclass, replace

from spiritlens.speech.alignment.forced import align
from spiritlens.speech.engines.plain_text import plain_text
from spiritlens.speech.engines.utterance import Utterance, Voice


@dataclass(frozen=True)
class AlignedVoice:
    """A voice whose words come from forced alignment: estimates on a grid of 10 ms; needs the ``align`` extra."""

    voice: Voice

    @property
    def name(self) -> str:
        """Full name of the voice."""
        return self.voice.name

    @property
    def engine(self) -> str:
        """Engine and version of the voice."""
        return self.voice.engine

    def speak(self, text: str) -> Utterance:
        """What the voice says, with the words as they are spoken (numbers written out)."""
        utterance = self.voice.speak(text)
        return replace(utterance, words=align(utterance.waveform, " ".join(plain_text(text).words)))
