"""What was packed is read back: numbers, texts, and segments within their stated error."""

from pathlib import Path

import numpy as np
import pytest

from spiritlens.report.page.packing import STEPS, Packing, Unpacked, read_page, script_json


def unpacked(packing: Packing) -> Unpacked:
    return Unpacked({}, packing.blocks())


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6).reshape(2, 3),
        np.array([-300, 7]),
        np.array([70_000, -1]),
        np.array([0.1, np.nan, -1e-9]),
        np.zeros(0),
    ],
)
def test_numbers_come_back(values: np.ndarray) -> None:
    packing = Packing()
    packing.numbers("a", np.ones(3))
    described = packing.numbers("a", values)
    found = unpacked(packing).numbers(described)
    assert found.shape == values.shape
    np.testing.assert_array_equal(found, values.astype(np.float32) if values.dtype.kind == "f" else values)


def test_texts_stand_once_and_come_back() -> None:
    packing = Packing()
    first, second = packing.texts("a", ["é", "</script>", "é"]), packing.texts("b", ["\u2028 'x\" <"])
    found = unpacked(packing)
    assert found.table() == ["é", "</script>", "\u2028 'x\" <"]
    assert found.texts(first) == ["é", "</script>", "é"]
    assert found.texts(second) == ["\u2028 'x\" <"]


def test_segments_are_within_their_error_and_zero_and_missing_stay() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=size) * 10.0**power for size, power in ((5, -6), (0, 0), (40, 3), (1, 0))]
    arrays += [np.array([0.0, np.nan, -2.0]), np.array([np.nan, np.nan]), np.zeros(3)]
    packing = Packing()
    packing.segments("a", [np.ones(3)])
    described = packing.segments("a", arrays)
    found = unpacked(packing)
    for place, array in enumerate(arrays):
        segment = found.segment(described, place)
        assert segment.shape == array.shape
        np.testing.assert_array_equal(np.isnan(segment), np.isnan(array))
        largest = np.nanmax(np.abs(array), initial=0.0)
        np.testing.assert_allclose(segment, array, atol=largest / STEPS * 0.5001, rtol=0)
        assert (segment[array == 0] == 0).all()


def test_what_is_no_page_and_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text("<html></html>")
    with pytest.raises(ValueError, match="has no packed numbers"):
        read_page(path)
    with pytest.raises(ValueError, match="JSON"):
        script_json({"a": float("nan")})
    assert script_json("</script>\u2028") == '"\\u003c/script>\\u2028"'
    with pytest.raises(ValueError, match="at most 32 bits"):
        Packing().numbers("a", np.array([2**40]))
