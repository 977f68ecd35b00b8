"""What spoken prompts need beside a lens: an utterance of a voice, words found in a recording.

Voices and aligners are opened when they are asked for: a lens that only reads text imports none of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.words import WordInterval

if TYPE_CHECKING:
    from spiritlens.speech.engines.utterance import Utterance, Voice


def spoken(text: str, voice: "str | Voice | None") -> "Utterance":
    """The utterance of a voice, through the cache where the voice is a name, or the shipped one without its engine."""
    from spiritlens.speech.engines.process import EngineError
    from spiritlens.speech.voices.cached import CachedVoice
    from spiritlens.speech.voices.names import voice as find_voice
    from spiritlens.speech.voices.shared_words import words_apart
    from spiritlens.speech.voices.shipped import shipped_texts, shipped_utterance
    from spiritlens.terms import DEFAULT_VOICE

    named = voice if voice is not None else DEFAULT_VOICE
    try:
        speaker = CachedVoice(find_voice(named)) if isinstance(named, str) else named
        return words_apart(speaker.speak(text), speaker)
    except EngineError as error:
        name = named if isinstance(named, str) else named.name
        shipped = shipped_utterance(text, name)
        if shipped is None:
            texts = "; ".join(shipped_texts(name)) or "none"
            raise EngineError(f"{error} Shipped in this voice: {texts}.") from error
        return shipped


def aligned(waveform: Waveform, text: str) -> Sequence[WordInterval]:
    """The words of a text in the sound, by forced alignment."""
    from spiritlens.speech.alignment.cached import cached_alignment

    return cached_alignment(waveform, text)
