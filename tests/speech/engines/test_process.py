"""Engine processes: one per Python process, restarted when they end, never out of step after an interrupt."""

import os
import threading

import pytest

from spiritlens.speech.engines import process as process_module
from spiritlens.speech.engines.espeak import espeak_process
from spiritlens.speech.engines.process import EngineError, EngineProcess, engine_process
from spiritlens.speech.voices.names import voice

TEXT = "the capital of france is paris"


def test_one_process_is_kept():
    assert espeak_process("espeak") is espeak_process("espeak")


def test_restarted_after_it_ended(spoken):
    first = espeak_process("espeak")
    first.close()
    assert not first.alive
    assert voice().speak(TEXT).waveform.digest == spoken.waveform.digest
    assert espeak_process("espeak") is not first


def test_never_out_of_step_after_an_interrupt(spoken, monkeypatch):
    read = EngineProcess._read_header

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(EngineProcess, "_read_header", interrupted)
    with pytest.raises(KeyboardInterrupt):
        voice().speak("an answer that nobody reads")
    monkeypatch.setattr(EngineProcess, "_read_header", read)
    assert voice().speak(TEXT).waveform.digest == spoken.waveform.digest


def test_threads_get_their_own_answers():
    texts = ["paris", "the old key", "rome lies in italy", "seven hens"]
    alone = {text: voice().speak(text).waveform.digest for text in texts}
    together: dict[str, str] = {}

    def speak(text):
        together[text] = voice().speak(text).waveform.digest

    threads = [threading.Thread(target=speak, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_silent_engine_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(process_module, "LONGEST_ANSWER_SECONDS", 0.2)
    (tmp_path / "silent.py").write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(EngineError, match=r"gave none in 0\.2 s"):
        EngineProcess(os.path.relpath(tmp_path / "silent", process_module.__file__ + "/.."), ())


def test_missing_library_is_said():
    with pytest.raises(EngineError, match="does not load"):
        engine_process("espeak_child", "/nowhere/libespeak-ng.so")


def test_systems_without_fork_answer_one_request(spoken, tmp_path):
    """The same script with os.fork taken away: the parent starts a new process for each utterance."""
    folder = os.path.dirname(process_module.__file__)
    script = tmp_path / "forkless.py"
    child = f"runpy.run_path({folder + '/espeak_child.py'!r}, run_name='__main__')"
    script.write_text(f"import os, runpy, sys\ndel os.fork\nsys.argv[0] = 'x'\n{child}\n")
    from spiritlens.speech.engines.espeak import _library_of

    relative = os.path.relpath(tmp_path / "forkless", folder)
    lengths = []
    for _ in range(2):
        child = EngineProcess(relative, _library_of("espeak"))
        answer, samples = child.request({"voice": "en-us", "text": TEXT, "words_per_minute": 175, "pitch": 50})
        assert not child.alive
        lengths.append((answer["rate"], samples.tobytes()))
    assert lengths[0] == lengths[1]
