"""What is a `TransformerBridge`'s own; the protocol's calls are tested in `tests/models/blocks/test_lens_model.py`.

The yardstick here is Hugging Face's model itself, held in float64 and patched by plain forward hooks of torch.
"""

import copy

import pytest
import torch
from random_llamas import of_architecture
from torch import Tensor

from spiritlens.components import hook_name
from spiritlens.models.blocks.fingerprint import user_hooks
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.checkpoints.llama import architecture
from spiritlens.models.checkpoints.reference import hold_float64
from spiritlens.models.protocol import CachedPrefix
from spiritlens.models.random_weights import random_config, random_lens_model, random_weights

LAYERS, LENGTH, RUNS = 3, 9, 2
ROWS = torch.tensor([1, 0, 0, 1])
SETTINGS = [("llama", 4), ("llama", 2), ("llama", 1), ("qwen2", 2), ("mistral", 2)]


@pytest.fixture(scope="module", params=SETTINGS, ids=lambda setting: f"{setting[0]} {setting[1]}")
def config(request):
    kind, kv_heads = request.param
    shape = random_config(n_layers=LAYERS, n_kv_heads=kv_heads)
    return shape if kind == "llama" else of_architecture(shape, kind)


@pytest.fixture(scope="module")
def inside(config) -> BlockLensModel:
    """For tests that leave it as it was."""
    return random_lens_model(config, seed=5, backend="bridge")


@pytest.fixture
def own(config) -> BlockLensModel:
    """For a test that changes it, or asks what it is before its first pass."""
    return random_lens_model(config, seed=5, backend="bridge")


@pytest.fixture(scope="module")
def theirs(config):
    llama = architecture(config.model_type).model(config).double()
    llama.load_state_dict(random_weights(config, 5, torch.float64))
    return hold_float64(llama.eval().requires_grad_(False))


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(3, 60, (RUNS, LENGTH), generator=torch.Generator().manual_seed(7))


def moved(activation: Tensor) -> Tensor:
    """Another value at one position, a multiple of the old one."""
    return torch.cat([activation[:, :4], 1.5 * activation[:, 4:5] - 0.2, activation[:, 5:]], dim=1)


def by_torch(theirs, name: str, layer: int):
    """A plain forward hook on Hugging Face's module that writes the activation."""
    block = theirs.model.layers[layer]
    modules = {
        "resid_post": block, "attn_out": block.self_attn, "mlp_out": block.mlp, "q": block.self_attn.q_proj,
        "k": block.self_attn.k_proj, "v": block.self_attn.v_proj,
    }  # fmt: skip
    before = {"resid_pre": block, "z": block.self_attn.o_proj}
    if name in before:
        return before[name].register_forward_pre_hook(lambda module, given: (moved(given[0]), *given[1:]))

    def replace(module, given, output):
        return (moved(output[0]), *output[1:]) if isinstance(output, tuple) else moved(output)

    return modules[name].register_forward_hook(replace)


@pytest.mark.parametrize("name", ["resid_pre", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z"])
def test_a_hook_does_what_hugging_face_s_own_does(inside, theirs, tokens, name):
    assert float((inside.forward(tokens) - theirs(tokens).logits).abs().max()) < 1e-10
    handle = by_torch(theirs, name, 1)
    expected = theirs(tokens).logits
    handle.remove()
    with inside.hooked([(hook_name(name, 1), moved)]):
        found = inside.forward(tokens)
    assert float((found - expected).abs().max()) < 1e-10
    assert float((found - inside.forward(tokens)).abs().max()) > 1e-3


def test_a_hook_on_resid_mid_reaches_the_residual_stream_and_not_the_mlp_alone(inside, tokens):
    """Returned at the hook point itself, TransformerLens's alias, it would reach the MLP only."""
    name, post = hook_name("resid_mid", 1), hook_name("resid_post", 1)
    run = inside.cache(tokens, [name, post])
    mid = moved(run[name])
    expected = mid + inside.mlp(1, mid)
    with inside.hooked([(name, moved)]):
        found = inside.cache(tokens, [name, post])
    assert float((found[name] - mid).abs().max()) < 1e-12
    assert float((found[post] - expected).abs().max()) < 1e-12
    alias = inside.model.hook_dict[name]
    alias.add_hook(lambda value, hook: moved(value))
    half = inside.cache(tokens, [post])[post]
    alias.remove_hooks()
    assert float((half - expected).abs().max()) > 1e-3, "negative control"


def test_a_scale_that_is_held_stays_held_where_its_gradient_is_asked_for(inside, tokens):
    """Two hooks behind one norm: the second goes on from the scale that the first returned."""
    scale, stream = "blocks.1.ln2.hook_scale", hook_name("resid_mid", 1)

    def metric(logits: Tensor) -> Tensor:
        return logits[0, -1, 5]

    with inside.hooked([(scale, lambda value: 2 * value.detach())]):
        alone = inside.gradients(tokens, [stream], metric)
        both = inside.gradients(tokens, [stream, scale], metric)
    free = inside.gradients(tokens, [stream], metric)
    assert float((alone[stream] - both[stream]).abs().max()) < 1e-12
    assert float((alone[stream] - free[stream]).abs().max()) > 1e-4
    assert float(both[scale].abs().max()) > 1e-4


def test_a_point_beside_the_norm_has_no_gradient_and_says_so(inside, tokens):
    message = r"ln1.hook_normalized has no gradient.*ask for the norm's scale \(blocks.1.ln1.hook_scale\)"
    with pytest.raises(ValueError, match=message):
        inside.gradients(tokens, ["blocks.1.ln1.hook_normalized"], lambda logits: logits[0, -1, 5])


def test_a_cached_prefix_is_rotated_once_and_never_written(inside, tokens):
    names = [hook_name(part, 1) for part in ("resid_pre", "resid_post", "k", "v")]
    run = inside.cache(tokens, names)
    kept = {name: value.clone() for name, value in run.items()}
    resid = run[names[0]][ROWS, 5:]
    with inside.hooked([(hook_name("mlp_out", 1), torch.clone)]):
        for _ in range(2):
            found = inside.block(1, resid, CachedPrefix(run, 5, ROWS))
            assert float((found - run[names[1]][ROWS, 5:]).abs().max()) < 1e-12
    assert all(torch.equal(run[name], kept[name]) for name in names)


def test_the_library_s_own_hooks_are_no_user_s(own, tokens):
    own.model(tokens)  # a bridge places hooks on its norms in its first pass
    assert any(module._forward_pre_hooks for module in own.model.modules())
    assert not own.has_user_hooks()
    assert own.is_plain(1, LENGTH)
    own.model.run_with_cache(tokens)  # transformers keeps hooks on its parts, once it was asked for attentions
    assert any(module._forward_hooks for module in own.model.modules())
    assert not own.has_user_hooks()
    assert user_hooks(own.model) == ()
    assert own.is_plain(1, LENGTH)
    handle = own.model.blocks[1].ln2.register_forward_pre_hook(lambda module, given: None)
    assert own.has_user_hooks()
    assert not own.is_plain(1, LENGTH)
    assert own.is_plain(0, LENGTH)
    handle.remove()
    assert own.is_plain(1, LENGTH)


def test_rotary_tables_reach_as_far_as_asked(own):
    whole = own.attention_weights(0).rotary_cos
    own._length, own._made = 5, tuple(table[:5] for table in own._made)
    assert not own.is_plain(0, 9)
    own.reach(0, 9)
    assert torch.equal(own.attention_weights(0).rotary_cos, whole[:9])


def test_rotary_tables_follow_the_models_frequencies(own, tokens):
    table, before = own.model.rotary_emb.original_component.precise_frequencies, own.forward(tokens)
    table.mul_(0.5)
    turned = own.forward(tokens)
    assert not torch.allclose(turned, before)
    torch.testing.assert_close(turned, own.logits(own.stream(tokens)), rtol=1e-9, atol=1e-9)
    table.mul_(2.0)
    assert torch.equal(own.forward(tokens), before)


def test_a_copy_is_a_model_of_its_own(inside, tokens):
    expected = inside.forward(tokens)
    twin = type(inside)(copy.deepcopy(inside.model))
    assert torch.equal(twin.forward(tokens), expected)
    for parameter in twin.model.parameters():
        parameter.mul_(1.1)
    assert torch.equal(inside.forward(tokens), expected)
    assert float((twin.forward(tokens) - twin.model(tokens)).abs().max()) < 1e-10
    assert float((twin.forward(tokens) - expected).abs().max()) > 1e-2
