"""Sums lose nothing that float32 holds, and float64 stays float64."""

import pytest
import torch

from spiritlens.models.precision import widened


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_small_dtypes_are_summed_in_float32(dtype):
    values = torch.full((4096,), 1 / 4096, dtype=dtype)
    assert widened(values).dtype == torch.float32
    assert float(widened(values).sum()) == 1.0


def test_float64_is_left_as_it_is():
    values = torch.tensor([1e-300, 1.0], dtype=torch.float64)
    assert widened(values) is values
