"""A model's hash is of its state now, and its hooks are told apart."""

import dataclasses
import functools

import pytest
import torch
from random_llamas import of_architecture

import spiritlens as sl
from spiritlens.models.backends import backend_of
from spiritlens.models.blocks.fingerprint import FILL, described, user_hooks
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.lens import Lens
from spiritlens.models.random_weights import random_config, random_lens_model


@pytest.fixture
def lens() -> Lens:
    return sl.planted().lens


def small(lens: Lens) -> Lens:
    """Two layers of random weights."""
    config = random_config(n_layers=2, d_vocab=lens.vocabulary.size)
    return dataclasses.replace(lens, model=random_lens_model(config, seed=3).model)


def test_every_single_value_counts_and_the_way_back_is_the_same(lens: Lens) -> None:
    assert lens.id == sl.planted().lens.id
    lens = small(lens)
    before = lens.id
    buffers = [pair for pair in lens.model.named_buffers() if not pair[0].endswith(FILL)]
    for name, tensor in (*lens.model.named_parameters(), *buffers):
        if not tensor.is_floating_point() or not tensor.numel():
            continue
        last = (-1,) * tensor.ndim
        value = tensor.data[last].item()
        tensor.data[last] = 0.25 if value in (0, float("-inf")) else value / 2
        assert lens.id != before, name
        tensor.data[last] = value
    assert lens.id == before == small(sl.planted().lens).id


def test_biases_of_queries_keys_and_values_count() -> None:
    config = of_architecture(random_config(n_kv_heads=2), "qwen2")
    inside = random_lens_model(config, seed=3)
    before = _hash(inside)
    assert before == _hash(random_lens_model(config, seed=3)) != _hash(random_lens_model())
    for bias in (
        inside.attention_weights(1).q.bias, inside.attention_weights(1).k.bias, inside.attention_weights(2).v.bias
    ):  # fmt: skip
        value = bias[2].item()
        bias[2] += 1e-6
        assert _hash(inside) != before
        bias[2] = value
    assert _hash(inside) == before


def _hash(inside: BlockLensModel) -> str:
    return backend_of(inside.model).fingerprint(inside.model)


def test_the_default_dtype_of_the_moment_makes_no_other_model(lens: Lens) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        again = sl.planted().lens
    finally:
        torch.set_default_dtype(torch.float32)
    assert again.id == lens.id


def test_hooks_of_the_user_s_are_told_and_the_toolkit_s_are_not(lens: Lens) -> None:
    assert lens.hooks == ()
    with lens.backend.hooked([("hook_embed", lambda value: value)]):
        assert lens.hooks == ()
    lens.model.add_hook("blocks.1.hook_mlp_out", lambda value, hook: value)
    handle = lens.model.blocks[0].register_forward_hook(print)
    assert [line.split(":")[0] for line in lens.hooks] == ["blocks.0", "blocks.1.hook_mlp_out"]
    handle.remove()
    lens.model.reset_hooks()
    assert user_hooks(lens.model) == ()


def test_functions_are_told_apart_by_what_they_do() -> None:
    def scaled(by: float) -> object:
        return lambda value, hook: value * by

    def plain(value: torch.Tensor, by: float) -> torch.Tensor:
        return value * by

    doubled, halved = scaled(2.0), scaled(0.5)
    assert described(doubled) == described(scaled(2.0)) != described(halved)  # type: ignore[arg-type]
    assert described(functools.partial(plain, by=2)) != described(functools.partial(plain, by=3))
    assert described(lambda value, hook: value) != described(lambda value, hook: value * 0)
    assert described(print).startswith("builtins.print ")


class Scaling:
    """A hook with a state of its own."""

    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, value: torch.Tensor, hook: object) -> torch.Tensor:
        return value * self.by


BY = torch.ones(2)


def test_functions_are_told_apart_by_the_values_that_they_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(by: object) -> object:
        return lambda value, hook: value * by

    def recorded(value: torch.Tensor, hook: object) -> None:
        seen.append(value * BY)

    for make in (lambda by: scaled(torch.tensor(by)), Scaling, lambda by: Scaling(by).__call__):
        assert described(make(0.5)) == described(make(0.5)) != described(make(0.7))  # type: ignore[no-untyped-call]
    seen: list[torch.Tensor] = []
    before = described(recorded)
    recorded(torch.ones(2), None)
    assert described(recorded) == before, "what a hook records makes no other hook"
    monkeypatch.setitem(globals(), "BY", torch.zeros(2))
    assert described(recorded) != before
