"""An error of one prompt is a reason to leave it out; that of a device, or of the program, is not."""

import pytest

from spiritlens.own_errors import OWN_ERRORS, own_reason, would_repeat


def test_reasons_are_one_line_with_the_kind() -> None:
    assert own_reason(IndexError("index 3 is\n  out of range")) == "IndexError: index 3 is out of range"


def test_a_refusal_is_a_sentence_by_itself() -> None:
    for error, reason in ((ValueError("it has\nno subject"), "it has no subject"), (KeyError("a"), "KeyError: 'a'")):
        assert own_reason(error, (ValueError, OSError)) == reason
    with pytest.raises(ValueError, match="CUDA error"):
        own_reason(ValueError("CUDA error: 1"), (ValueError,))


@pytest.mark.parametrize("words", ["CUDA error: an illegal memory access", "HIP error: 1", "NCCL error in: x"])
def test_the_error_of_a_device_is_raised_again(words: str) -> None:
    error = RuntimeError(words)
    with pytest.raises(RuntimeError, match=words):
        own_reason(error)
    assert not would_repeat(error)


def test_another_try_meets_an_error_of_the_prompt_again() -> None:
    for error in (ValueError("a"), ZeroDivisionError(), KeyError("b"), RuntimeError("shapes differ")):
        assert would_repeat(error)
    for error in (MemoryError(), RuntimeError("CUDA out of memory"), OSError("no room"), AssertionError()):
        assert not would_repeat(error)
    assert not issubclass(OSError, OWN_ERRORS)
