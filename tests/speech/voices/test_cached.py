"""The cache of spoken wavs: same answer with and without it, keyed by everything that matters, safe to delete."""

import shutil

import pytest

from spiritlens.speech.voices.cached import CachedVoice
from spiritlens.speech.voices.names import voice


class Counting:
    """A voice that counts how often it speaks."""

    def __init__(self, name="espeak:en-us", **settings):
        self.voice, self.calls = voice(name, **settings), 0
        self.name, self.engine = self.voice.name, self.voice.engine

    def speak(self, text):
        self.calls += 1
        return self.voice.speak(text)


@pytest.fixture
def counting():
    return Counting()


def test_second_time_is_read_and_equal(tmp_path, counting):
    cached = CachedVoice(counting, tmp_path / "cache")
    first, second = cached.speak("in the city"), cached.speak("in the city")
    assert counting.calls == 1
    assert second.waveform.digest == first.waveform.digest == voice().speak("in the city").waveform.digest
    assert (second.words, second.phones, second.text) == (first.words, first.phones, first.text)
    assert (second.voice, second.engine) == (first.voice, first.engine)


def test_key_holds_engine_voice_settings_and_text(tmp_path, counting):
    cached = CachedVoice(counting, tmp_path)
    other = Counting("espeak:en-us+f2")
    newer = Counting()
    newer.engine = "espeak-ng 9.9"
    keys = [
        cached.key("a"),
        cached.key("b"),
        CachedVoice(Counting(rate=1.1), tmp_path).key("a"),
        CachedVoice(Counting(pitch=1.1), tmp_path).key("a"),
        CachedVoice(other, tmp_path).key("a"),
        CachedVoice(newer, tmp_path).key("a"),
    ]
    assert len(set(keys)) == len(keys)
    assert cached.key("a") == CachedVoice(Counting(rate=1), tmp_path).key("a")


def test_safe_to_delete(tmp_path, counting):
    folder = tmp_path / "cache"
    cached = CachedVoice(counting, folder)
    first = cached.speak("paris")
    shutil.rmtree(folder)
    assert cached.speak("paris").waveform.digest == first.waveform.digest
    assert counting.calls == 2


@pytest.mark.parametrize("ending", [".wav", ".json"])
def test_damaged_entry_is_spoken_again(tmp_path, counting, ending):
    cached = CachedVoice(counting, tmp_path)
    first = cached.speak("paris")
    path = next(tmp_path.glob(f"*{ending}"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert cached.speak("paris").waveform.digest == first.waveform.digest
    assert counting.calls == 2
    assert cached.speak("paris").words == first.words
    assert counting.calls == 2


def test_audio_of_another_entry_is_noticed(tmp_path, counting):
    cached = CachedVoice(counting, tmp_path)
    cached.speak("paris")
    rome = cached.speak("rome")
    shutil.copy(tmp_path / f"{cached.key('paris')}.wav", tmp_path / f"{cached.key('rome')}.wav")
    assert cached.speak("rome").waveform.digest == rome.waveform.digest


def test_folder_that_cannot_be_made_costs_only_the_cache(tmp_path, counting):
    (tmp_path / "file").write_text("in the way")
    assert CachedVoice(counting, tmp_path / "file" / "cache").speak("paris").words


def test_no_half_written_files_stay(tmp_path, counting):
    CachedVoice(counting, tmp_path).speak("paris")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".wav"]
