"""Rows of folders and data sets: whatever a column is declared as, and a row lacks, nothing is passed over."""

import json
import zipfile

import pytest
from sounds import encoded

from spiritlens.speech.recordings import encode_recordings, recordings_of_dataset, recordings_of_folder
from spiritlens.speech.units import UnitStream


class Halves:
    name, rate, n_units, digest = "halves", 2.0, 1, ""

    def encode(self, waveform):
        return UnitStream.from_frames([0] * round(2 * waveform.duration), 2.0)


@pytest.fixture
def path(tmp_path, tone):
    made = tmp_path / "a.wav"
    made.write_bytes(encoded(tone))
    return made


def test_columns_of_every_declaration(path, tmp_path, tone):
    from datasets import Audio, Dataset, load_dataset

    (tmp_path / "rows.csv").write_text(f"audio,text\n{path},hello\n")
    (tmp_path / "rows.jsonl").write_text(json.dumps({"audio": str(path), "text": "hello"}))
    cache = {"cache_dir": str(tmp_path / "cache"), "split": "train"}
    from_csv = load_dataset("csv", data_files=str(tmp_path / "rows.csv"), **cache)
    plain = Dataset.from_dict({"audio": [str(path)], "text": ["hello"]})
    sets = [
        from_csv,
        load_dataset("csv", data_files=str(tmp_path / "rows.csv"), streaming=True, **cache),
        load_dataset("json", data_files=str(tmp_path / "rows.jsonl"), **cache),
        plain,
        plain.cast_column("audio", Audio()),
        plain.cast_column("audio", Audio(decode=False)),
        plain.to_iterable_dataset().map(lambda row: row),
        plain.with_format("numpy"),
        Dataset.from_dict({"audio": [{"bytes": path.read_bytes(), "path": None}], "text": ["hello"]}),
        [{"audio": {"array": tone, "sampling_rate": 16000}, "text": "hello"}],
        [{"audio": path, "text": "hello"}],
    ]
    for data in sets:
        (recording,) = recordings_of_dataset(data)
        assert len(recording.waveform()) == len(tone)
        assert str(recording.columns["text"]) == "hello"
    (renamed,) = recordings_of_dataset(plain.rename_column("audio", "sound"), "sound")
    assert renamed.name == str(path)


def test_other_columns_of_audio_are_not_decoded(path):
    from datasets import Audio, Dataset

    both = Dataset.from_dict({"audio": [str(path)], "echo": [str(path)]})
    (recording,) = recordings_of_dataset(both.cast_column("audio", Audio()).cast_column("echo", Audio()))
    assert set(recording.columns["echo"]) == {"bytes", "path"}


def test_rows_that_lack_audio_are_reported(path, tone):
    rows = [
        {"audio": str(path)},
        {"audio": None},
        {"audio": {"bytes": None, "path": None}},
        {"audio": "gone.wav"},
        {"audio": {"bytes": b"", "path": "b.wav"}},
        {"audio": tone},
        {"audio": 3},
    ]
    done = list(encode_recordings(Halves(), recordings_of_dataset(rows), progress="none", broken="report"))
    problems = [one.problem for one in done]
    assert [one.units is not None for one in done] == [True, *[False] * 6]
    for problem, words in zip(
        problems[1:],
        ("row 1 has no audio", "row 2 has no", "no such", "0 bytes", "no rate", "expected a path"),
        strict=True,
    ):
        assert words in problem
    with pytest.raises(ValueError, match="row 1 has no audio"):
        list(encode_recordings(Halves(), recordings_of_dataset(rows), progress="none"))


def test_a_row_without_the_column(path):
    with pytest.raises(ValueError, match="row 1 has no column 'audio'; its columns are sound"):
        list(recordings_of_dataset([{"audio": str(path)}, {"sound": 1}]))


def test_addresses_of_streamed_data_sets_are_opened(path, tmp_path, tone):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.wav")
    good, gone = recordings_of_dataset([{"audio": f"zip://{name}.wav::{tmp_path / 'a.zip'}"} for name in "ab"])
    assert len(good.waveform()) == len(tone)
    with pytest.raises(OSError, match=r"zip://b\.wav.* cannot be opened"):
        gone.waveform()


ENDINGS = ("wav", "WAVE", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff", "au", "caf", "w64", "sph", "m4a", "raw")


def test_sound_of_every_ending_is_read_or_reported(tmp_path, tone):
    for ending in ENDINGS:
        data = b"\0\0\0\x20ftypM4A " + bytes(99) if ending == "m4a" else bytes(99) if ending == "raw" else encoded(tone)
        (tmp_path / f"a.{ending}").write_bytes(data)
    (tmp_path / "._a.wav").write_bytes(b"hidden")
    (tmp_path / "a.txt").write_text("words")
    done = list(encode_recordings(Halves(), recordings_of_folder(tmp_path), progress="none", broken="report"))
    assert {one.recording.name for one in done} == {f"a.{ending}" for ending in ENDINGS}
    assert {one.recording.name for one in done if one.problem} == {"a.m4a", "a.raw"}


def test_tables(path, tone):
    folder = path.parent
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "a.wav", "n": 3}) + "\n\n")
    (recording,) = recordings_of_folder(folder)
    assert recording.columns["n"] == 3
    (folder / "metadata.jsonl").write_text('{"file_name": "a.wav", "text": "one\u2028line"}\n', encoding="utf-8")
    assert recordings_of_folder(folder)[0].columns["text"] == "one\u2028line"
    (folder / "metadata.jsonl").write_text('{"file_name": "a.wav", "text": "x", "text": "y"}\n')
    with pytest.raises(ValueError, match=r"line 1 is not JSON \('text' is there twice"):
        recordings_of_folder(folder)
    (folder / "metadata.jsonl").write_text('{"file_name": "a.wav"}\n')
    (folder / "b.aif").write_bytes(encoded(tone, format="AIFF"))
    with pytest.warns(UserWarning, match=r"does not name 1 of the sound files beside it, which are left out: b\.aif"):
        assert len(recordings_of_folder(folder)) == 1
    (folder / "metadata.csv").write_text("file_name\na.wav\n")
    with pytest.raises(ValueError, match="keep the one that holds"):
        recordings_of_folder(folder)
    (folder / "metadata.jsonl").unlink()
    for table, message in (
        ("file_name,text\na.wav,x,y\n", "row 1 has 3 cells, the first line 2"),
        ("file_name,text\na.wav\n", "row 1 has 1 cells"),
        ("name,text\na.wav,x\n", "expected a column file_name; found name, text"),
        ("file_name,text,text\na.wav,x,y\n", "two columns have the same name"),
        ('file_name,text\na.wav,"x\n', "is not CSV"),
    ):
        (folder / "metadata.csv").write_text(table)
        with pytest.raises(ValueError, match=message):
            recordings_of_folder(folder)
    (folder / "metadata.csv").write_text("file_name,text\n,x\na.wav,y\n")
    with pytest.warns(UserWarning, match="does not name 1"):
        silent, heard = recordings_of_folder(folder)
    assert heard.waveform().duration > 0
    with pytest.raises(ValueError, match="row 1 has no audio"):
        silent.waveform()
    (folder / "metadata.csv").write_bytes("file_name\né.wav\n".encode("latin-1"))
    with pytest.raises(ValueError, match="is not UTF-8"):
        recordings_of_folder(folder)
