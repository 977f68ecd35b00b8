"""Folders of pairs in the layouts of sWUGGY, sBLIMP, sStoryCloze and SALMon; a missing file costs its pair alone."""

import pytest
from sounds import encoded

from spiritlens.speech.spoken_sets.pairs import recording_pairs


@pytest.fixture
def made(tmp_path, tone):
    def folder(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(tone[:800]))
        return tmp_path

    return folder


def told(found):
    return [(pair.name, pair.right.name, pair.wrong.name) for pair in found]


def test_swuggy_counts_from_an_even_number_by_size(made):
    found = recording_pairs(made("0_tiger.wav", "1_tigar.wav", "10_sea.wav", "11_zea.wav", "2_rose.wav", "3_roke.wav"))
    assert told(found) == [
        ("0", "0_tiger.wav", "1_tigar.wav"),
        ("1", "2_rose.wav", "3_roke.wav"),
        ("5", "10_sea.wav", "11_zea.wav"),
    ]
    assert len(found) == 3
    assert found.left_out == {}
    assert len(found.pairs[0].right.waveform()) == 800


def test_sblimp_has_a_plus_and_may_count_from_one(made):
    found = recording_pairs(made("1+dogs+bark.wav", "2+dogs+barks.wav", "3+a.wav", "4+b.wav"))
    assert [pair.wrong.name for pair in found] == ["2+dogs+barks.wav", "4+b.wav"]


def test_a_missing_file_does_not_shift_the_others(made):
    found = recording_pairs(made("0_a.wav", "1_b.wav", "3_d.wav", "4_e.wav", "5_f.wav", "notes.wav"))
    assert [pair.right.name for pair in found] == ["0_a.wav", "4_e.wav"]
    assert found.left_out["3_d.wav"] == "the other of its pair is missing"
    assert "gives no number" in found.left_out["notes.wav"]
    assert "2 pairs, 2 files left out\n" in str(found)


def test_storycloze_of_one_number_goes_by_its_names(made):
    found = recording_pairs(made("7_incorrect.wav", "7_correct.wav", "8_correct.wav", "8_incorrect.wav"))
    assert told(found)[0] == ("7", "7_correct.wav", "7_incorrect.wav")
    assert len(found) == 2


def test_two_of_one_number_without_names_are_reported(made):
    found = recording_pairs(made("0_a.wav", "0_b.wav", "1_correct.wav", "1_incorrect.wav"))
    assert told(found) == [("1", "1_correct.wav", "1_incorrect.wav")]
    assert "which one is right is not said" in found.left_out["0_a.wav"]


def test_salmon_has_a_folder_a_part(made):
    names = [f"{part}/sample_{index}_{place}.wav" for part in ("rir", "gender") for index in (0, 10) for place in "01"]
    found = recording_pairs(made(*names, "rir/sample_3_0.wav"))
    assert [(pair.part, pair.name) for pair in found] == [
        ("gender", "gender/0"),
        ("gender", "gender/10"),
        ("rir", "rir/0"),
        ("rir", "rir/10"),
    ]
    assert found.pairs[0].right.name == "gender/sample_0_0.wav"
    assert found.left_out == {"rir/sample_3_0.wav": "the other of its pair is missing"}


def test_refusals(made, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder of pairs"):
        recording_pairs(tmp_path / "none")
    with pytest.raises(ValueError, match="holds no pairs of recordings: it holds no sound"):
        recording_pairs(tmp_path)
    with pytest.raises(ValueError, match=r"the first file, 0_a\.wav: the other of its pair is missing"):
        recording_pairs(made("0_a.wav"))
