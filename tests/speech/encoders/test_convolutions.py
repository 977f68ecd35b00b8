"""Convolution strings: read, never run."""

import pytest

from spiritlens.speech.encoders.convolutions import Convolutions, parse_convolutions

FIFTY_HZ = "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2"


def test_published_strings():
    fifty = parse_convolutions(FIFTY_HZ)
    assert (fifty.hop, fifty.receptive_field, len(fifty.layers)) == (320, 400, 7)
    twenty_five = parse_convolutions(FIFTY_HZ + " + [(768,2,2)]")
    assert (twenty_five.hop, twenty_five.receptive_field) == (640, 720)
    assert twenty_five.layers[-1] == (768, 2, 2)
    assert parse_convolutions("2 * [(8, 3, 2)]").layers == ((8, 3, 2),) * 2


@pytest.mark.parametrize(
    ("n_samples", "n_frames"), [(719, 0), (720, 1), (1359, 1), (1360, 2), (146160, 228), (1600000, 2499)]
)
def test_frames_of_25_hz(n_samples, n_frames):
    assert parse_convolutions(FIFTY_HZ + " + [(512,2,2)]").n_frames(n_samples) == n_frames


@pytest.mark.parametrize(
    "source",
    [
        "__import__('os').system('true')",
        "[(512,10,5)] * 10**9",
        "[(512,10,5)] * 1000",
        "[(x,10,5)]",
        "[(512,10.5,5)]",
        "[(512,10)]",
        "[(512,10,0)]",
        "[]",
        "(512,10,5)",
        "[512]",
        "[(512,10,5)",
        "[(512, True, 5)]",
        "[" * 500,
    ],
)
def test_anything_else_is_refused(source):
    with pytest.raises(ValueError, match="convolution"):
        parse_convolutions(source)


def test_layers_are_checked():
    with pytest.raises(ValueError, match="1 to 64"):
        Convolutions(())
