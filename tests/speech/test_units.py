"""Unit streams: deduplication loses nothing, times are exact, slices keep them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiritlens.speech.units import UnitStream

frames = st.lists(st.integers(0, 3), min_size=1, max_size=60)
rates = st.sampled_from([25.0, 24.99, 12.5, 50.0])


def same(one: UnitStream, other: UnitStream) -> bool:
    return one.rate == other.rate and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("ids", "starts", "ends", "frames")
    )


def test_hand_worked_deduplication():
    stream = UnitStream.from_frames([7, 7, 7, 2, 2, 7], rate=25.0, offset=0.1)
    units = stream.dedup()
    assert units.ids.tolist() == [7, 2, 7]
    assert units.frames.tolist() == [3, 2, 1]
    assert units.starts.tolist() == [0.1, 0.22, 0.3]
    assert units.ends.tolist() == [0.22, 0.3, 0.34]
    assert units.is_deduplicated
    assert not stream.is_deduplicated


@given(frames, rates, st.floats(0, 100))
def test_expand_inverts_dedup(ids, rate, offset):
    stream = UnitStream.from_frames(ids, rate, offset)
    assert same(stream.dedup().dedup(), stream.dedup())
    again = stream.dedup().expand()
    assert again.ids.tolist() == ids
    assert np.allclose(again.starts, stream.starts, atol=1e-8)
    assert np.allclose(again.ends, stream.ends, atol=1e-8)


@given(frames)
def test_round_trip_is_exact_at_25_frames_per_second(ids):
    stream = UnitStream.from_frames(ids)
    assert same(stream.dedup().expand(), stream)


@given(frames)
def test_dedup_keeps_frames_and_duration(ids):
    units = UnitStream.from_frames(ids).dedup()
    assert units.frames.sum() == len(ids)
    assert (units.ids[1:] != units.ids[:-1]).all()
    assert units.duration == pytest.approx(len(ids) / 25)


def test_equal_units_on_both_sides_of_a_gap_stay_apart():
    stream = UnitStream(np.array([3, 3]), np.array([0.0, 0.2]), np.array([0.04, 0.24]), np.array([1, 1]))
    assert len(stream.dedup()) == 2


def test_frames_of_a_run_over_a_cut_are_dated_from_its_start():
    starts = np.array([99.88, 99.92, 100.0, 100.04])  # the frame at 99.96 s does not exist
    stream = UnitStream(np.array([1, 2, 2, 3]), starts, starts + 0.04, np.ones(4, int))
    again = stream.dedup().expand()
    assert again.ids.tolist() == [1, 2, 2, 3]
    assert again.starts.tolist() == [99.88, 99.92, 99.96, 100.04]


def test_slices():
    stream = UnitStream.from_frames([1, 2, 3, 4, 5])
    assert stream[1:3].ids.tolist() == [2, 3]
    assert stream[1:3].starts.tolist() == [0.04, 0.08]
    assert stream.slice_time(0.05, 0.15).ids.tolist() == [2, 3, 4]  # centres 0.06, 0.10, 0.14
    assert stream.slice_time(0.05, 0.14).ids.tolist() == [2, 3]
    assert len(stream.slice_time(7, 8)) == 0
    with pytest.raises(TypeError, match="by a slice"):
        stream[0]


def test_empty_stream():
    stream = UnitStream.from_frames([])
    assert len(stream.dedup()) == len(stream.expand()) == 0
    assert stream.duration == 0


def test_repr_tells_frames_from_units():
    stream = UnitStream.from_frames([1, 1, 2])
    assert "3 frames, 0.00-0.12 s" in repr(stream)
    assert "2 units" in repr(stream.dedup())
    assert 'title="0.000-0.080 s, 2 frames"' in stream.dedup()._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array([1.5, 2.0])}, "expected integers"),
        ({"ids": np.array([-1, 2])}, "is negative"),
        ({"ids": np.array([1, 2, 3])}, "differ in length"),
        ({"ids": np.array([[1, 2]])}, "expected one axis"),
        ({"frames": np.array([0, 1])}, "run length"),
        ({"starts": np.array([0.0, 0.02])}, "overlap"),
        ({"ends": np.array([0.04, 0.04])}, "overlap or run backwards"),
        ({"rate": 0.0}, r"rate \(frames per second\)=0: expected a number > 0"),
        ({"rate": float("inf")}, "=inf: expected a number > 0 and < inf"),
        ({"rate": True}, "=True: expected a number"),
        ({"starts": np.array([np.nan, 0.04])}, "starts hold NaN"),
        ({"starts": np.array(["0", "1"])}, "expected seconds as numbers"),
        ({"frames": np.array([40, 40])}, "by 80 frames at 25 per second"),
    ],
)
def test_bad_streams_are_refused(change, message):
    good = {
        "ids": np.array([1, 2]),
        "starts": np.array([0.0, 0.04]),
        "ends": np.array([0.04, 0.08]),
        "frames": np.array([1, 1]),
        "rate": 25.0,
    }
    UnitStream(**good)
    with pytest.raises(ValueError, match=message):
        UnitStream(**{**good, **change})
