"""A pass by the kernels of suffix steps against the model's own pass, on every backend, in float64."""

import pytest
import torch

from spiritlens.components import hook_name
from spiritlens.models.backends import BACKENDS
from spiritlens.models.blocks import plain_pass
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.protocol import AT_HAND
from spiritlens.models.random_weights import random_config, random_lens_model

LAYERS = 3
NAMES = [hook_name("embed", 0), *(hook_name(name, layer) for name in AT_HAND for layer in range(LAYERS))]
TOKENS = torch.randint(3, 60, (4, 9), generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="module", params=[row.maker.name for row in BACKENDS if row.maker])
def backend(request) -> str:
    return request.param


@pytest.fixture(scope="module", params=[4, 2, 1], ids=["mha", "gqa", "mqa"])
def model(request, backend) -> BlockLensModel:
    shape = random_config(n_layers=LAYERS, n_kv_heads=request.param)
    return random_lens_model(shape, seed=request.param, backend=backend)


def own_pass(model: BlockLensModel, tokens: torch.Tensor = TOKENS) -> dict[str, torch.Tensor]:
    """What the model's own hook points see: a pattern is asked for as well, which a plain pass lacks."""
    assert not plain_pass.serves(model, tokens.shape[1], [*NAMES, hook_name("pattern", 0)])
    return model.cache(tokens, [*NAMES, hook_name("pattern", 0)])


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert all(one[name].shape == other[name].shape for name in NAMES)
    return max(float((one[name] - other[name]).abs().max()) for name in NAMES)


def test_every_activation_is_the_models_own(model: BlockLensModel) -> None:
    assert plain_pass.serves(model, 9, NAMES)
    plain = model.cache(TOKENS, NAMES)
    assert set(plain) == set(NAMES)
    assert largest_difference(plain, own_pass(model)) < 1e-12
    assert float((model.forward(TOKENS) - model.model(TOKENS)).abs().max()) < 1e-12


def test_replaced_embeddings_take_effect(model: BlockLensModel) -> None:
    embeddings = torch.randn(4, 9, model.d_model, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    plain_before = model.cache(TOKENS, NAMES)
    with model.hooked([(hook_name("embed", 0), lambda _: embeddings)]):
        assert plain_pass.serves(model, 9, NAMES)
        plain, own = model.cache(TOKENS, NAMES), own_pass(model)
    assert torch.equal(plain[hook_name("resid_pre", 0)], embeddings)
    assert largest_difference(plain, own) < 1e-12
    assert largest_difference(plain, plain_before) > 1e-3


def test_a_live_hook_is_never_passed_by(model: BlockLensModel) -> None:
    """One in a block, one on the whole model: the model itself runs, and the hook takes effect."""
    clean = model.cache(TOKENS, NAMES)
    with model.hooked([(hook_name("mlp_out", 1), torch.zeros_like)]):
        assert not plain_pass.serves(model, 9, NAMES)
        hooked = model.cache(TOKENS, NAMES)
    assert float(hooked[hook_name("mlp_out", 1)].abs().max()) == 0
    assert largest_difference(clean, hooked) > 1e-3
    handle = model.model.register_forward_hook(lambda *_: None)
    try:
        assert not plain_pass.serves(model, 9, NAMES)
    finally:
        handle.remove()
    assert plain_pass.serves(model, 9, NAMES)


def test_what_stands_behind_a_position_does_not_move_it(model: BlockLensModel) -> None:
    short, long = model.forward(TOKENS[:, :5]), model.forward(TOKENS)
    assert float((short - long[:, :5]).abs().max()) < 1e-12
