"""Words of a whole set: a folder of files, or one file that names its recordings."""

import pytest

from spiritlens.speech.word_files.sets import recording_name, words_by_recording
from spiritlens.speech.word_files.sources import read_words


def test_one_ctm_of_all_recordings(tmp_path):
    path = tmp_path / "set.ctm"
    path.write_text("clips/a.wav 1 0.1 0.2 hello\nclips/a.wav 1 0.3 0.2 you\nb 1 0.0 0.4 <eps>\nb 1 0.4 0.2 bye\n")
    found = words_by_recording(path)
    assert list(found) == ["a", "b"]
    assert [(word.word, word.start) for word in read_words(found["a"])] == [("hello", 0.1), ("you", 0.3)]
    assert [word.word for word in read_words(found["b"], duration=1.0)] == ["bye"]


def test_a_table_with_a_column_of_recordings(tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("file,word,start,end\nx,one,0,0.5\ny,two,0.1,0.2\n")
    assert set(words_by_recording(str(path))) == {"x", "y"}


def test_a_folder_of_files(tmp_path):
    (tmp_path / "anna").mkdir()
    (tmp_path / "anna" / "1.TextGrid").write_text("broken")
    (tmp_path / "2.json").write_text("[]")
    (tmp_path / "2.wav").write_bytes(b"")
    found = words_by_recording(tmp_path)
    assert found == {"1": tmp_path / "anna" / "1.TextGrid", "2": tmp_path / "2.json"}, "and nothing is read yet"
    (tmp_path / "1.ctm").write_text("")
    with pytest.raises(ValueError, match="two files of the words of '1'"):
        words_by_recording(tmp_path)


def test_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder of words"):
        words_by_recording(tmp_path / "none")
    with pytest.raises(ValueError, match="holds no files of words"):
        words_by_recording(tmp_path)
    with pytest.raises(ValueError, match="words=3: expected a folder"):
        words_by_recording(3)
    (tmp_path / "a.json").write_text('[{"word": "a", "start": 0, "end": 1}]')
    with pytest.raises(ValueError, match="entry 0 names no recording; give a CTM"):
        words_by_recording(tmp_path / "a.json")


def test_a_name_without_folder_and_ending():
    assert [recording_name(name) for name in ("a/b/12.wav", "12", "c\\12.flac", "12.a.wav")] == [
        "12",
        "12",
        "12",
        "12.a",
    ]
