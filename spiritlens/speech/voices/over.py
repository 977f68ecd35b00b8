"""A voice that does something before or after another one speaks, and is otherwise that one."""

from dataclasses import dataclass

from spiritlens.speech.engines.utterance import Voice


@dataclass(frozen=True)
class OverVoice:
    """Name and engine of the voice that speaks."""

    voice: Voice

    @property
    def name(self) -> str:
        """Full name of the voice."""
        return self.voice.name

    @property
    def engine(self) -> str:
        """Engine and version of the voice."""
        return self.voice.engine
