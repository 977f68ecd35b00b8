"""Folders of triples, as slamkit's cross-modal sets have them; one that is not whole is reported."""

import pytest
from sounds import encoded

from spiritlens.speech.spoken_sets.triples import PARTS, has_triples, spoken_triples

TEXTS = {"mutual": "the cat sat on", "correct": "the mat", "incorrect": "the moon"}


@pytest.fixture
def put(tmp_path, tone):
    def triple(name, without=(), **texts):
        for part, text in {**TEXTS, **texts}.items():
            for ending, data in ((".txt", text.encode()), (".wav", encoded(tone))):
                if f"{part}{ending}" not in without:
                    path = tmp_path / f"{name}_{part}{ending}"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
        return tmp_path

    return triple


def test_triples_in_the_folder_and_in_those_within(put, tone):
    put("10")
    put("2", mutual=" the dog\nsat on \n")
    folder = put("story/4_a")
    found = spoken_triples(folder)
    assert [triple.name for triple in found] == ["2", "10", "story/4_a"]
    assert found.triples[0].beginning.text == "the dog sat on"
    assert (found.triples[1].right.text, found.triples[1].wrong.text) == ("the mat", "the moon")
    assert len(found.triples[1].beginning.recording.waveform()) == len(tone)
    assert found.triples[2].part == "story"
    assert has_triples(folder)


def test_what_is_not_whole_is_reported_and_the_others_go_on(put):
    put("1")
    put("2", without=("mutual.wav",))
    put("3", without=("incorrect.txt",))
    put("4", incorrect="The Mat")
    put("5", correct=" ")
    put("6", without=("correct.wav", "incorrect.wav"))
    found = spoken_triples(put("7"))
    assert [triple.name for triple in found] == ["1", "6", "7"]
    assert found.triples[1].right.recording is None
    assert found.left_out["2"] == "its mutual sound is missing (…_mutual.wav)"
    assert found.left_out["3"] == "its incorrect text is missing (…_incorrect.txt)"
    assert "are the same" in found.left_out["4"]
    assert found.left_out["5"] == "5_correct.txt is empty"


def test_refusals(put, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder of triples"):
        spoken_triples("nowhere")
    with pytest.raises(ValueError, match="holds no triples X_mutual, X_correct, X_incorrect"):
        spoken_triples(tmp_path)
    assert not has_triples(tmp_path)
    with pytest.raises(ValueError, match="the first, 1: its mutual text is missing"):
        spoken_triples(put("1", without=("mutual.txt",)))
    assert len(PARTS) == 3
