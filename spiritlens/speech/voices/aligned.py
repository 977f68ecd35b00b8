"""A voice whose engine gives sound alone: its words are placed by the forced aligner."""

from dataclasses import dataclass, replace

from spiritlens.speech.alignment.forced import align
from spiritlens.speech.engines.plain_text import plain_text
from spiritlens.speech.engines.utterance import Utterance
from spiritlens.speech.voices.over import OverVoice


@dataclass(frozen=True)
class AlignedVoice(OverVoice):
    """A voice whose words come from forced alignment: estimates on a grid of 10 ms; needs the ``align`` extra."""

    def speak(self, text: str) -> Utterance:
        """What the voice says, with the words as they are spoken (numbers written out)."""
        utterance = self.voice.speak(text)
        return replace(utterance, words=align(utterance.waveform, " ".join(plain_text(text).words)))
