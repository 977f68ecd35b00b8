import numpy as np
import pytest
from prompt_making import mixed_prompt, speech_prompt

from spiritlens.prompts.building.segments import SpeechSegment
from spiritlens.prompts.building.streams import merge_streams
from spiritlens.prompts.vocabulary.families import SPIRITLM_BASE, SPIRITLM_EXPRESSIVE
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval

WORDS = [WordInterval("rome", 0.0, 0.3), WordInterval("is", 0.3, 1.2)]


def frames(ids, rate):
    return UnitStream.from_frames(np.array(ids), rate=rate)


def three(units, pitch, style):
    return {"unit": frames(units, 25.0), "pitch": frames(pitch, 12.5), "style": frames(style, 1.0)}


def test_at_equal_times_style_comes_first_then_pitch_then_unit():
    streams = three([3, 3, 4, 5, 5, 5], [0, 1, 1], [7])
    merged = merge_streams(SPIRITLM_EXPRESSIVE, streams, WORDS)
    assert [(unit.stream, unit.id, unit.start) for unit in merged] == [
        ("style", 7, 0.0),
        ("pitch", 0, 0.0),
        ("unit", 3, 0.0),
        ("pitch", 1, 0.08),
        ("unit", 4, 0.08),
        ("unit", 5, 0.12),
    ]


def test_runs_are_merged_in_units_and_pitch_but_not_in_style():
    merged = merge_streams(SPIRITLM_EXPRESSIVE, three([3] * 60, [1] * 30, [7, 7, 7]), [WordInterval("rome", 0.0, 2.4)])
    assert [(unit.stream, unit.start, unit.end) for unit in merged] == [
        ("style", 0.0, 1.0),
        ("pitch", 0.0, 2.4),
        ("unit", 0.0, 2.4),
        ("style", 1.0, 2.0),
        ("style", 2.0, 3.0),
    ]


@pytest.mark.parametrize(("rate", "first"), [(24.99, "pitch"), (25.0, "unit")])
def test_main_units_are_dated_by_the_official_rate(rate, first):
    """Unit 2501 begins at 100.04 s, but at 24.99 Hz it is dated 100.08003 s, after the pitch of 100.08 s."""
    streams = three(np.arange(2600) % 500, np.arange(1300) % 64, np.zeros(104, int))
    family = SPIRITLM_EXPRESSIVE.replace(order_rate=rate)
    merged = merge_streams(family, streams, [WordInterval("x", 0.0, 100.0)])
    times = [(unit.stream, round(unit.start, 2)) for unit in merged]
    pitch, unit = times.index(("pitch", 100.08)), times.index(("unit", 100.04))
    assert times[min(pitch, unit)][0] == first


def test_a_unit_lies_in_its_word_by_its_centre_and_other_streams_by_their_start():
    merged = merge_streams(SPIRITLM_EXPRESSIVE, three(np.arange(30), np.arange(15), [7, 7]), WORDS)
    of_units = [unit.word for unit in merged if unit.stream == "unit"]
    assert of_units == [0] * 7 + [1] * 23  # unit 7 covers 0.28 to 0.32 s, its centre is the second word's first instant
    assert [unit.word for unit in merged if unit.stream == "pitch"] == [0] * 4 + [1] * 11
    assert [unit.word for unit in merged if unit.stream == "style"] == [0, 1]
    assert [unit.word for unit in merged] == sorted(unit.word for unit in merged)


def test_words_stay_in_order_where_a_run_begins_in_the_word_before_its_own(vocabularies):
    """Unit 9 lasts from 0.20 to 0.44 s and is of the second word by its centre; the pitch that begins at 0.24 s, in the
    first word, stands after it."""
    streams = three([0, 1, 2, 3, 4, *[9] * 6, *range(10, 29)], np.arange(15), [7, 8])
    merged = merge_streams(SPIRITLM_EXPRESSIVE, streams, WORDS)
    assert [unit.word for unit in merged] == sorted(unit.word for unit in merged)
    late = next(unit for unit in merged if (unit.stream, unit.id) == ("pitch", 3))
    assert (late.start, late.word) == (0.24, 1)
    prompt = speech_prompt(vocabularies["expressive"], streams.pop("unit"), WORDS, "Rome", "the", streams=streams)
    expected = ["[St7]", "[Pi0]", "[Hu0]", "[Hu1]", "[Pi1]", "[Hu2]", "[Hu3]", "[Pi2]", "[Hu4]"]
    assert [prompt.labels[position] for position in prompt.subject] == expected


def test_words_stay_in_order_where_the_order_rate_moves_a_pitch_before_a_unit_of_the_word_before():
    """Past 100 s the pitch of 100.08 s stands before the unit of 100.04 s; a word ends in between."""
    streams = three(np.arange(2600) % 500, np.arange(1300) % 64, np.zeros(104, int))
    words = [WordInterval("long", 0.0, 100.07), WordInterval("is", 100.07, 103.0)]
    merged = merge_streams(SPIRITLM_EXPRESSIVE, streams, words)
    assert [unit.word for unit in merged if unit.word >= 0] == sorted(unit.word for unit in merged if unit.word >= 0)


def test_a_pitch_that_begins_in_silence_has_no_word():
    words = [WordInterval("rome", 0.0, 0.2), WordInterval("is", 0.6, 1.2)]
    merged = merge_streams(SPIRITLM_EXPRESSIVE, three(np.arange(30), np.arange(15), [7, 7]), words)
    pitch = {unit.start: unit.word for unit in merged if unit.stream == "pitch"}
    assert (pitch[0.16], pitch[0.24], pitch[0.56], pitch[0.64]) == (0, -1, -1, 1)


@pytest.mark.parametrize("given", [{"unit"}, {"unit", "pitch"}, {"unit", "pitch", "style", "pause"}])
def test_the_family_s_streams_and_no_others(given):
    streams = {name: frames([1], 25.0) for name in given}
    with pytest.raises(ValueError, match=r"writes the unit streams \['style', 'pitch', 'unit'\], but .* are given"):
        merge_streams(SPIRITLM_EXPRESSIVE, streams, WORDS)


def test_a_base_family_has_one_stream():
    with pytest.raises(ValueError, match=r"writes the unit streams \['unit'\], but \['pitch', 'unit'\] are given"):
        merge_streams(SPIRITLM_BASE, {name: frames([1], 25.0) for name in ("unit", "pitch")}, WORDS)


def test_an_expressive_prompt(vocabularies):
    vocabulary = vocabularies["expressive"]
    streams = three(np.repeat(np.arange(10), 3), np.arange(15) // 2, [7, 8])
    prompt = speech_prompt(vocabulary, streams.pop("unit"), WORDS, "Rome", "the", streams=streams)
    assert prompt.text == (
        "[Speech][St7][Pi0][Hu0][Hu1][Pi1][Hu2][Pi2][Hu3][Pi3][Hu4][Hu5][Pi4][Hu6][Pi5][Hu7][Pi6][Hu8][St8][Hu9][Pi7]"
        "[Text]"
    )
    assert vocabulary.encode(prompt.text) == list(prompt.ids)
    assert vocabulary.decode(prompt.ids) == prompt.text
    assert prompt.families[2:5] == ("style", "pitch", "unit")
    assert [prompt.labels[position] for position in prompt.subject] == [
        "[St7]",
        "[Pi0]",
        "[Hu0]",
        "[Hu1]",
        "[Pi1]",
    ]  # [Hu2] lasts from 0.24 to 0.36 s: its centre is the next word's first instant
    assert (prompt.starts[2], prompt.ends[2]) == (0.0, 1.0)


def test_a_pitch_that_the_family_lacks(vocabularies):
    streams = three([1, 2], [64], [0])
    segment = SpeechSegment(streams.pop("unit"), [WordInterval("rome", 0.0, 0.08)], streams=streams)
    with pytest.raises(ValueError, match="pitch 64 is not one of the 64 of family 'spiritlm-expressive'"):
        mixed_prompt(vocabularies["expressive"], [segment], "rome", "the")


def test_units_at_another_rate_than_the_family_s_are_refused():
    fast = UnitStream.from_frames(np.arange(50), 50.0)
    with pytest.raises(ValueError, match="stream 'unit' have 50 frames per second, family 'spiritlm-base' reads 25"):
        merge_streams(SPIRITLM_BASE, {"unit": fast}, WORDS)
    nearly = UnitStream.from_frames(np.arange(25), 24.99)  # as the published code dates units
    assert len(merge_streams(SPIRITLM_BASE, {"unit": nearly}, WORDS)) == 25
    streams = three(np.arange(25), np.arange(12), [0])
    pitch = UnitStream.from_frames(np.arange(25), 25.0)
    with pytest.raises(ValueError, match=r"stream 'pitch' have 25 frames per second, .* reads 12\.5"):
        merge_streams(SPIRITLM_EXPRESSIVE, {**streams, "pitch": pitch}, WORDS)
