"""Encoders over an encoder are told apart by what it is."""

import pytest

from spiritlens.models.speaking_ahead import EncodedBefore
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.units import UnitStream


class Made:
    """An encoder that was made for this."""

    name, rate, n_units, digest = "made", 25.0, 7, "d1"

    def encode(self, waveform) -> UnitStream:
        raise NotImplementedError


@pytest.mark.parametrize("over", [CachedEncoder, EncodedBefore])
def test_an_encoder_over_an_encoder_has_its_name_rate_units_and_digest(over, tmp_path) -> None:
    found = CachedEncoder(Made(), tmp_path) if over is CachedEncoder else EncodedBefore(Made(), {})
    assert (found.name, found.rate, found.n_units, found.digest) == ("made", 25.0, 7, "d1")
