"""Voices over a voice speak under its name."""

import pytest

from spiritlens.models.speaking_ahead import RememberedVoice
from spiritlens.speech.voices.aligned import AlignedVoice
from spiritlens.speech.voices.cached import CachedVoice
from spiritlens.speech.voices.names import voice


@pytest.mark.parametrize("over", [AlignedVoice, CachedVoice, RememberedVoice])
def test_a_voice_over_a_voice_has_its_name_and_engine(over, tmp_path) -> None:
    plain = voice("espeak:en-gb+m7")
    found = over(plain, tmp_path) if over is CachedVoice else over(plain)
    assert (found.name, found.engine) == (plain.name, plain.engine)
    assert "en-gb" in found.name
