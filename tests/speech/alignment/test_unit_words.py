"""Words and units: each rule by hand, every unit assigned or silent, bad words refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlens.speech.alignment.unit_words import unit_table, words_of_units
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval, check_words, interval_groups

UNITS = UnitStream.from_frames([0, 1, 2, 3, 4, 5, 6, 7])  # 40 ms each, 0-320 ms


def word(name: str, start: float, end: float) -> WordInterval:
    return WordInterval(name, start, end)


def test_centre_rule_by_hand():
    words = [word("in", 0.05, 0.13), word("paris", 0.13, 0.25)]
    # centres: .02 .06 .10 .14 .18 .22 .26 .30
    assert words_of_units(UNITS, words).tolist() == [-1, 0, 0, 1, 1, 1, -1, -1]


def test_overlap_rule_by_hand():
    words = [word("in", 0.05, 0.135), word("paris", 0.135, 0.25)]
    # unit 3 (.12-.16) shares .015 with "in" and .025 with "paris"; unit 6 (.24-.28) shares .01 with "paris"
    assert words_of_units(UNITS, words, rule="overlap").tolist() == [-1, 0, 0, 1, 1, 1, 1, -1]


def test_start_rule_by_hand():
    words = [word("in", 0.05, 0.13), word("paris", 0.13, 0.25)]
    # starts: 0 .04 .08 .12 .16 .20 .24 .28
    assert words_of_units(UNITS, words, rule="start").tolist() == [-1, -1, 0, 0, 1, 1, 1, -1]


def test_slack_takes_silent_units_only():
    words = [word("a", 0.04, 0.08), word("b", 0.20, 0.24)]
    assert words_of_units(UNITS, words).tolist() == [-1, 0, -1, -1, -1, 1, -1, -1]
    assert words_of_units(UNITS, words, slack_units=1).tolist() == [0, 0, 0, -1, 1, 1, 1, -1]
    assert words_of_units(UNITS, words, slack_units=2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]  # the earlier word first


def test_words_that_share_an_interval_are_one_group():
    words = [word("in", 0.0, 0.12), word("the", 0.0, 0.12), word("city", 0.12, 0.32)]
    assert interval_groups(words) == (range(0, 2), range(2, 3))
    assert words_of_units(UNITS, words).tolist() == [0, 0, 0, 2, 2, 2, 2, 2]


def test_deduplicated_units_go_by_their_whole_extent():
    units = UnitStream.from_frames([5, 5, 5, 5, 9, 9]).dedup()  # 0-160 ms, 160-240 ms
    assert words_of_units(units, [word("a", 0.0, 0.07), word("b", 0.07, 0.24)]).tolist() == [1, 1]


@given(st.lists(st.floats(0.01, 0.5), min_size=2, max_size=8), st.sampled_from(["centre", "overlap", "start"]))
def test_words_without_gaps_leave_no_unit_silent_and_keep_order(lengths, rule):
    edges = np.concatenate([[0.0], np.cumsum(lengths)])
    words = [word(f"w{i}", a, b) for i, (a, b) in enumerate(itertools.pairwise(edges))]
    n_frames = int(edges[-1] * 25)
    index = words_of_units(UnitStream.from_frames(list(range(n_frames))), words, rule=rule)
    assert (index >= 0).all()
    assert (np.diff(index) >= 0).all()


def test_table_shows_units_with_their_words():
    words = [word("in", 0.0, 0.12), word("the", 0.0, 0.12), word("city", 0.12, 0.2)]
    table = unit_table(UNITS, words)
    assert table["word"].tolist() == ["in the"] * 3 + ["city"] * 2 + [""] * 3
    assert table["start"].tolist()[:2] == [0.0, 0.04]


def test_unknown_rule_and_negative_slack():
    with pytest.raises(ValueError, match="rule='middle': expected one of centre, overlap, start"):
        words_of_units(UNITS, [word("a", 0, 1)], rule="middle")
    with pytest.raises(ValueError, match="slack_units=-1"):
        words_of_units(UNITS, [word("a", 0, 1)], slack_units=-1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no words"),
        ([("b", 0.5, 0.6), ("a", 0.1, 0.2)], "unsorted"),
        ([("a", 0.1, 0.5), ("b", 0.3, 0.6)], "words overlap"),
        ([("a", 0.1, 0.5), ("b", 0.6, 2.6)], "audio lasts 1.000 s"),
    ],
)
def test_bad_word_lists(words, message):
    with pytest.raises(ValueError, match=message):
        check_words([word(*entry) for entry in words], duration=1.0)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ((" ", 0.0, 1.0), "is blank"),
        (("a", 1.0, 1.0), "start < end"),
        (("a", -0.1, 1.0), "0 <= start"),
        (("a", 0.0, np.nan), "end of word 'a'=nan"),
        (("a", 0.0, np.inf), "start < end"),
        (("a", "0", 1.0), "start of word 'a'='0': expected a number"),
        ((5, 0.0, 1.0), "word=5 is a int; expected a text"),
    ],
)
def test_bad_intervals(entry, message):
    with pytest.raises(ValueError, match=message):
        WordInterval(*entry)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ((None, 0.0, 1.0), "word=None"),
        (("a", None, 1.0), "start of word 'a'=None"),
        (("a", 0.0, "1"), "end of word"),
    ],
)
def test_words_and_times_of_other_kinds_are_refused(entry, named):
    with pytest.raises(ValueError, match=named):
        WordInterval(*entry)
