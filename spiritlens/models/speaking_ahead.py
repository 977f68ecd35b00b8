"""Facts spoken and encoded block by block, before their prompts are made: voice and encoder answer from memory then.

1. A voice says the texts of a block, in their order; what it cannot say is left for the prompt to tell.
2. The encoder takes all sounds of the block at once (`spiritlens.speech.encoders.protocol.encode_each`); where it
   cannot take one of them, each is encoded by itself, when its prompt is made.

Nothing but time changes: `RememberedVoice` and `EncodedBefore` give what the voice and the encoder give.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from spiritlens.models.lens import Lens
from spiritlens.models.speaking import spoken
from spiritlens.own_errors import OWN_ERRORS
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.over import OverEncoder
from spiritlens.speech.encoders.protocol import encode_each
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.engines.utterance import Utterance
from spiritlens.speech.units import UnitStream
from spiritlens.speech.voices.cached import CachedVoice
from spiritlens.speech.voices.names import voice as find_voice
from spiritlens.speech.voices.over import OverVoice


@dataclass(frozen=True)
class RememberedVoice(OverVoice):
    """A voice that says each text once, single words that it ran together included, and then knows it."""

    said: dict[str, Utterance] = field(default_factory=dict)

    def speak(self, text: str) -> Utterance:
        """What the voice says."""
        if text not in self.said:
            self.said[text] = self.voice.speak(text)
        return self.said[text]


@dataclass(frozen=True)
class EncodedBefore(OverEncoder):
    """A speech encoder that has the units of some recordings at hand, by the recordings' digests."""

    units: Mapping[str, UnitStream]

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame."""
        found = self.units.get(waveform.digest)
        return self.encoder.encode(waveform) if found is None else found


def remembered_voice(name: str) -> RememberedVoice | None:
    """The voice of a name, through the cache; None where there is none of this name or its engine is not installed."""
    with suppress(ValueError, EngineError):
        return RememberedVoice(CachedVoice(find_voice(name)))
    return None


def say_ahead(texts: Iterable[str], voice: RememberedVoice) -> list[Waveform]:
    """Let a voice say texts; the sounds of those that it can say."""
    sounds = []
    for text in texts:
        with suppress(ValueError, EngineError):
            sounds.append(spoken(text, voice).waveform)
    return sounds


def encode_ahead(lens: Lens, sounds: Iterable[Waveform]) -> Lens:
    """The lens with the units of these sounds at hand; as it is where its family reads further streams."""
    encoder, by_digest = lens.required_encoder(), {sound.digest: sound for sound in sounds}
    if by_digest and not lens.family.extra_streams:
        with suppress(*OWN_ERRORS):
            found = encode_each(encoder, tuple(by_digest.values()))
            return replace(lens, encoder=EncodedBefore(encoder, dict(zip(by_digest, found, strict=True))))
    return lens
