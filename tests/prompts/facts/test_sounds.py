"""The sound of a fact: audio in any form, words in any form, read when asked for."""

import json

import numpy as np
import pytest
from clips import clip, said, timed

from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.speech.audio.waveform import AudioError
from spiritlens.speech.recordings import Recording

TEXT = "the capital of france is"


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "a.flac"
    made.write_bytes(clip(TEXT, "flac"))
    return made


def test_audio_in_every_form_is_the_same_sound(path):
    utterance = said(TEXT)
    samples = np.asarray(utterance.waveform.samples)
    forms = [
        path,
        str(path),
        path.read_bytes(),
        {"bytes": path.read_bytes(), "path": "b.flac"},
        {"bytes": None, "path": str(path)},
        {"array": samples, "sampling_rate": 16000},
        utterance.waveform,
        Recording("r", path, {}),
        path.as_uri(),
    ]
    for audio in forms:
        sound = FactSound("anna", "first", audio)
        assert len(sound.waveform()) == len(samples)
        assert np.abs(sound.waveform().samples - samples).max() <= 1 / 32768
        assert sound.timed_words(2.0) is None


@pytest.mark.parametrize("rate", [24000, 44100, 48000])
@pytest.mark.parametrize("ending", ["mp3", "opus", "flac"])
def test_formats_and_rates_of_published_sets(ending, rate):
    if (ending, rate) == ("opus", 44100):
        rate = 16000  # opus has no such rate
    sound = FactSound("", "", {"bytes": clip(TEXT, ending, rate), "path": None})
    read, whole = sound.waveform(), said(TEXT).waveform
    assert read.rate == 16000
    assert abs(read.duration - whole.duration) < 0.05
    n = min(len(read), len(whole))
    assert np.corrcoef(read.samples[:n], whole.samples[:n])[0, 1] > 0.9


def test_words_in_every_form(tmp_path):
    triples, duration = timed(TEXT), said(TEXT).waveform.duration
    columns = dict(zip(("word", "start", "end"), map(list, zip(*triples, strict=True)), strict=True))
    structs = [{"word": word, "start": start, "end": end} for word, start, end in triples]
    grid = 'File type = "ooTextFile short"\n"TextGrid"\n\n0\n9\n<exists>\n1\n"IntervalTier"\n"words"\n0\n9\n'
    grid += f"{len(triples)}\n" + "".join(f'{start}\n{end}\n"{word}"\n' for word, start, end in triples)
    ctm = "".join(f"a 1 {start:.3f} {end - start:.3f} {word}\n" for word, start, end in triples)
    (tmp_path / "a.TextGrid").write_text(grid)
    forms = [triples, structs, columns, {"segments": [{"words": structs}]}, json.dumps({"words": structs}), grid, ctm]
    forms += [tmp_path / "a.TextGrid", np.array(structs)]
    for words in forms:
        found = FactSound("", "", b"", words).timed_words(duration)
        assert [word.word for word in found] == [word for word, _, _ in triples]
        assert [word.start for word in found] == pytest.approx([start for _, start, _ in triples], abs=2e-3)
    with pytest.raises(ValueError, match="ends at"):
        FactSound("", "", b"", triples).timed_words(0.1)
    with pytest.raises(FileNotFoundError, match="no such file of words"):
        FactSound("", "", b"", tmp_path / "none.ctm").timed_words(1.0)


def test_a_recording_brings_its_name_and_its_words(path, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"words": [{"word": "a", "start": 0, "end": 1}]}))
    sound = FactSound("anna", "", Recording("clips/a.flac", path, {}, (tmp_path / "a.json",)))
    assert (sound.called, sound.audio) == ("clips/a.flac", path)
    assert sound.timed_words(2.0)[0].word == "a"
    two = FactSound("", "", Recording("a.flac", path, {}, (tmp_path / "a.json", tmp_path / "a.ctm")))
    with pytest.raises(ValueError, match=r"a\.flac has several files of words: a\.json, a\.ctm; keep the one"):
        two.timed_words(2.0)


def test_what_is_missing_or_broken_is_refused_when_it_is_read(tmp_path):
    with pytest.raises(AudioError, match="row 3 has no audio"):
        FactSound("", "", None, name="row 3").waveform()
    with pytest.raises(FileNotFoundError, match=r"none\.wav: no such audio file"):
        FactSound("", "", tmp_path / "none.wav").waveform()
    with pytest.raises(AudioError, match=r"b\.mp3"):
        FactSound("", "", {"bytes": b"no sound", "path": "b.mp3"}).waveform()
    with pytest.raises(ValueError, match="voice of a sound=3"):
        FactSound(3, "", b"")
    with pytest.raises(ValueError, match="words of a sound=3"):
        FactSound("", "", b"", 3)
