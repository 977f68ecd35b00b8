"""Sets of recordings: spoken, read back by this package and by datasets, encoded with resume."""

import csv

import numpy as np
import pytest
import soundfile

from spiritlens.speech.audio.waveform import AudioError
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.recordings import (
    encode_recordings,
    recordings_of_dataset,
    recordings_of_folder,
    speak_texts,
)
from spiritlens.speech.units import UnitStream
from spiritlens.speech.voices.names import voice
from spiritlens.speech.word_files.sources import read_words

ROWS = [{"id": "capital-france", "text": "the capital of france is", "answer": "paris"}, {"id": "b", "text": "hello"}]


class Signs:
    """A unit per 40 ms: whether its first sample is positive."""

    name, rate, n_units, digest = "signs", 25.0, 2, ""

    def __init__(self):
        self.heard = []

    def encode(self, waveform):
        self.heard.append(waveform.source)
        return UnitStream.from_frames((waveform.samples[: len(waveform) // 640 * 640 : 640] > 0).astype(int))


@pytest.fixture(scope="module")
def spoken_set(tmp_path_factory):
    out = tmp_path_factory.mktemp("set")
    assert speak_texts(ROWS, out, voices=("espeak:en-us", "espeak:en-us+f2"), progress="none") == out / "metadata.csv"
    return out


def test_spoken_set_reads_back(spoken_set):
    recordings = recordings_of_folder(spoken_set)
    assert len(recordings) == 4
    first = recordings[0]
    assert first.name == "capital-france_espeak-en-us.wav"
    assert first.columns["answer"] == "paris"
    utterance = voice().speak(ROWS[0]["text"])
    assert np.array_equal(first.waveform().samples, utterance.waveform.samples)
    words = read_words(spoken_set / first.columns["words"], duration=utterance.waveform.duration)
    assert words == utterance.words
    assert recordings[2].columns["voice"] == "espeak:en-us+f2"


def test_words_that_the_voice_runs_together_are_written_apart(tmp_path):
    speak_texts([{"id": "x", "text": "it lies in the city"}], tmp_path, progress="none")
    words = read_words(tmp_path / "x_espeak-en-us.json", duration=9)
    assert [word.word for word in words] == ["it", "lies", "in", "the", "city"]
    assert len({word.start for word in words}) == 5


def test_datasets_reads_the_same_set(spoken_set):
    datasets = pytest.importorskip("datasets")
    table = datasets.load_dataset(
        "csv", data_files=str(spoken_set / "metadata.csv"), split="train", cache_dir=str(spoken_set / "cache")
    )
    table = table.map(lambda row: {"audio": str(spoken_set / row["file_name"])})
    read = list(recordings_of_dataset(table))
    own = recordings_of_folder(spoken_set)
    assert [recording.columns["text"] for recording in read] == [recording.columns["text"] for recording in own]
    for one, other in zip(read, own, strict=True):
        assert one.waveform().digest == other.waveform().digest


def test_datasets_with_the_bytes_inside(spoken_set):
    datasets = pytest.importorskip("datasets")
    path = spoken_set / "b_espeak-en-us.wav"
    table = datasets.Dataset.from_dict({"audio": [{"bytes": path.read_bytes(), "path": None}], "text": ["hello"]})
    (recording,) = recordings_of_dataset(table)
    assert recording.name == "row 0"
    assert recording.waveform().digest == voice().speak("hello").waveform.digest
    with pytest.raises(ValueError, match="no column 'sound'; its columns are audio, text"):
        list(recordings_of_dataset(table, "sound"))


def test_folder_without_a_table(tmp_path, tone):
    (tmp_path / "inner").mkdir()
    for name in ("b.wav", "inner/a.flac"):
        soundfile.write(tmp_path / name, tone, 16000)
    (tmp_path / "notes.txt").write_text("no audio")
    assert [recording.name for recording in recordings_of_folder(tmp_path)] == ["b.wav", "inner/a.flac"]


def test_words_beside_the_audio_are_found(spoken_set, tmp_path, tone):
    first = recordings_of_folder(spoken_set)[0]
    assert first.words_file() == spoken_set / first.columns["words"]
    soundfile.write(tmp_path / "a.wav", tone, 16000)
    (tmp_path / "a.txt").write_text("a transcript without times")
    with pytest.raises(ValueError, match=r"a\.wav has no words; name the one that is meant in metadata\.csv's column"):
        recordings_of_folder(tmp_path)[0].words_file()
    (tmp_path / "a.lab").write_text("1000000 2500000 hello\n")
    assert read_words(recordings_of_folder(tmp_path)[0].words_file())[0].word == "hello"
    (tmp_path / "a.ctm").write_text("a 1 0.1 0.15 hello\n")
    with pytest.raises(ValueError, match=r"a\.wav has several files of words: .*a\.ctm, .*a\.lab; name the one"):
        recordings_of_folder(tmp_path)[0].words_file()
    (tmp_path / "metadata.csv").write_text("file_name,words\na.wav,a.ctm\n")
    assert recordings_of_folder(tmp_path)[0].words_file() == tmp_path / "a.ctm"


def test_encoding_in_order_and_resumed(spoken_set, tmp_path):
    recordings = recordings_of_folder(spoken_set)
    encoder = Signs()
    cached = CachedEncoder(encoder, tmp_path)
    run = encode_recordings(cached, recordings, progress="none")
    first = [next(run), next(run)]  # stopped after two of four
    run.close()
    assert len(encoder.heard) == 2
    whole = list(encode_recordings(cached, recordings, progress="none"))
    assert encoder.heard == [recording.name for recording in recordings]
    assert [encoded.recording.name for encoded in whole] == [recording.name for recording in recordings]
    for before, after in zip(first, whole, strict=False):
        assert np.array_equal(before.units.ids, after.units.ids)


def test_broken_files(spoken_set, tmp_path):
    for path in spoken_set.glob("b_*.wav"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "a.wav").write_bytes(b"")
    recordings = recordings_of_folder(tmp_path)
    with pytest.raises(AudioError, match=r"a\.wav is empty"):
        list(encode_recordings(Signs(), recordings, progress="none"))
    encoded = list(encode_recordings(Signs(), recordings, progress="none", broken="report"))
    assert [item.units is None for item in encoded] == [True, False, False]
    assert "is empty" in encoded[0].problem


def test_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        recordings_of_folder(tmp_path / "none")
    with pytest.raises(ValueError, match="holds no recordings"):
        recordings_of_folder(tmp_path)
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "text"], ["a.wav", "hello"]])
    with pytest.raises(ValueError, match="expected a column file_name; found path, text"):
        recordings_of_folder(tmp_path)
    with pytest.raises(ValueError, match="row 1 has no text"):
        speak_texts([{"text": "a"}, {"text": " "}], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    for first, second in (("x", "x"), ("new york", "new-york")):  # one file name for both
        with pytest.raises(ValueError, match=r"same id: both would be .*_espeak-en-us\.wav"):
            speak_texts([{"id": first, "text": "a"}, {"id": second, "text": "b"}], tmp_path / "out", progress="none")
    assert not (tmp_path / "out").exists(), "nothing is spoken, and nothing written over, before all is checked"


def test_a_table_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        speak_texts([{"id": "x", "text": "hello", "note": "\ud800"}], tmp_path, progress="none")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".wav"]
