"""The plugin that makes a machine of the tests another one."""

import pytest
import torch
from other_processor import OtherProcessor


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_row_depends_on_its_batch_and_the_same_call_on_nothing(dtype: torch.dtype) -> None:
    drawn = torch.Generator().manual_seed(0)
    rows, weight = (torch.randn(64, 64, generator=drawn, dtype=torch.float64).to(dtype) for _ in range(2))
    plain = rows @ weight
    with OtherProcessor():
        whole, again, half = rows @ weight, rows @ weight, rows[:32] @ weight
    assert torch.equal(whole, again)
    assert not torch.equal(whole[:32], half)
    assert (whole - plain).abs().max() <= 2 * torch.finfo(dtype).eps * plain.abs().max()


def test_softmaxes_sums_and_products_of_gradients_move_and_copies_do_not() -> None:
    drawn = torch.Generator().manual_seed(0)
    rows = torch.randn(64, 64, generator=drawn, dtype=torch.float64, requires_grad=True)
    with OtherProcessor():
        (found,) = torch.autograd.grad((rows @ rows).sigmoid().sum(), [rows])
        moved = [rows.softmax(-1), rows.sum(-1), rows.mean(0)]
        same = [rows.clone(), rows[3:5], rows * 2]
    (plain,) = torch.autograd.grad((rows @ rows).sigmoid().sum(), [rows])
    assert not torch.equal(found, plain)
    assert torch.allclose(found, plain, rtol=1e-10, atol=1e-10)
    assert not any(map(torch.equal, moved, [rows.softmax(-1), rows.sum(-1), rows.mean(0)]))
    assert all(map(torch.equal, same, [rows.clone(), rows[3:5], rows * 2]))
