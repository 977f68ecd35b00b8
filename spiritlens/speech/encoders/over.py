"""A speech encoder that does something before or after another one encodes, and is otherwise that one."""

from dataclasses import dataclass

from spiritlens.speech.encoders.protocol import SpeechEncoder


@dataclass(frozen=True)
class OverEncoder:
    """Name, rate, number of units and digest of the encoder that encodes."""

    encoder: SpeechEncoder

    @property
    def name(self) -> str:
        """Name of the encoder."""
        return self.encoder.name

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.encoder.rate

    @property
    def n_units(self) -> int:
        """Number of different units."""
        return self.encoder.n_units

    @property
    def digest(self) -> str:
        """The encoder's own."""
        return self.encoder.digest
