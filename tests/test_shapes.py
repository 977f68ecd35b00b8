"""A wrong shape is refused with the axis, what was expected and what was found."""

import random
from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from spiritlens.shapes import ShapeError, checked


@checked
def unembed(
    resid: Float[Tensor, "batch pos d_model"], w_u: Float[Tensor, "d_model d_vocab"]
) -> Float[Tensor, "batch pos d_vocab"]:
    return resid @ w_u


@checked
def wrong_result(resid: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos"]:
    return resid


def test_right_shapes_pass() -> None:
    assert unembed(torch.zeros(2, 3, 4), torch.zeros(4, 7)).shape == (2, 3, 7)


def test_an_axis_that_differs_between_arguments_is_named() -> None:
    with pytest.raises(ShapeError, match=r"unembed: argument 'w_u'.*axis d_model: expected 4, found 5"):
        unembed(torch.zeros(2, 3, 4), torch.zeros(5, 7))


def test_a_missing_axis_is_named() -> None:
    with pytest.raises(ShapeError, match=r"argument 'resid'.*3 axes expected: batch pos d_model; 2 found"):
        unembed(torch.zeros(3, 4), torch.zeros(4, 7))


def test_a_wrong_dtype_is_named() -> None:
    with pytest.raises(ShapeError, match=r"expected Float\[Tensor, 'batch pos d_model'\], found i64\[2,3,4\]"):
        unembed(torch.zeros(2, 3, 4, dtype=torch.int64), torch.zeros(4, 7))


def test_a_wrong_result_is_named_too() -> None:
    with pytest.raises(ShapeError, match=r"wrong_result: result"):
        wrong_result(torch.zeros(2, 3, 4))


def test_it_is_both_a_type_error_and_a_value_error() -> None:
    assert issubclass(ShapeError, TypeError)
    assert issubclass(ShapeError, ValueError)


def test_errors_of_the_function_itself_pass_through() -> None:
    @checked
    def fails(x: int) -> int:
        raise KeyError(x)

    with pytest.raises(KeyError):
        fails(1)


@checked
def named(names: Sequence[str], ids: Sequence[int] = (), *, more: Sequence[str] = ()) -> dict[str, int]:
    return dict.fromkeys([*names, *more], len(ids))


def test_every_item_is_looked_at_and_none_is_drawn() -> None:
    before = random.getstate()
    for _ in range(20):
        assert named(["a", "b"], (1, 2), more=("c",)) == {"a": 2, "b": 2, "c": 2}
        with pytest.raises(ShapeError, match=r"named: argument 'names': expected str, found 5 at place 1"):
            named(["a", 5])
        with pytest.raises(ShapeError, match=r"argument 'more': expected str, found None at place 2"):
            named(["a"], more=["b", "c", None])
        with pytest.raises(ShapeError, match=r"argument 'ids': expected several int, found one text"):
            named(names=["a"], ids="12")
        with pytest.raises(ShapeError, match="argument 'names'"):
            named(5)
    assert random.getstate() == before


@pytest.mark.parametrize("hint", [list[int], tuple[int, ...]], ids=str)
def test_hints_whose_items_would_be_drawn_are_refused_where_they_are_written(hint) -> None:
    def drawn(values) -> None: ...

    drawn.__annotations__["values"] = hint
    with pytest.raises(TypeError, match="'values' would be drawn"):
        checked(drawn)
