"""The protocol against plain full passes, on random float64 models of every backend, with and without grouped-query
attention."""

import pytest
import torch

from spiritlens.components import hook_name
from spiritlens.models.backends import BACKENDS
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.protocol import CachedPrefix
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.shapes import ShapeError

LAYERS, LENGTH, RUNS = 3, 9, 2


NAMES_OF_BACKENDS = [row.maker.name for row in BACKENDS if row.maker]
"""Those that the installed TransformerLens has."""


@pytest.fixture(scope="module", params=NAMES_OF_BACKENDS)
def backend(request) -> str:
    return request.param


@pytest.fixture(scope="module", params=[4, 2, 1], ids=["mha", "gqa", "mqa"])
def inside(request, backend) -> BlockLensModel:
    shape = random_config(n_layers=LAYERS, n_kv_heads=request.param)
    return random_lens_model(shape, seed=request.param, backend=backend)


@pytest.fixture(scope="module")
def tokens() -> torch.Tensor:
    return torch.randint(3, 60, (RUNS, LENGTH), generator=torch.Generator().manual_seed(7))


NAMES = [
    hook_name(part, layer)
    for part in ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z")
    for layer in range(LAYERS)
]


@pytest.fixture(scope="module")
def run(inside, tokens) -> dict[str, torch.Tensor]:
    return inside.cache(tokens, [*NAMES, hook_name("pattern", 0)])  # what a plain pass lacks: the model itself runs


def largest_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


ROWS = torch.tensor([1, 0, 0, 1, 1])  # which run each row continues


def test_forward_equals_the_model_and_embed_enters_block_zero(inside, tokens, run):
    assert largest_difference(inside.forward(tokens), inside.model(tokens)) < 1e-12
    assert torch.equal(inside.embed(tokens), run[hook_name("resid_pre", 0)])


@pytest.mark.parametrize("start", range(LENGTH))
@pytest.mark.parametrize("layer", range(LAYERS))
def test_a_suffix_step_on_unchanged_residuals_gives_the_full_pass(inside, run, layer, start):
    resid = run[hook_name("resid_pre", layer)][ROWS, start:]
    for method, part in ((inside.block, "resid_post"), (inside.attention, "attn_out")):
        expected = run[hook_name(part, layer)][ROWS, start:]
        assert largest_difference(method(layer, resid, CachedPrefix(run, start, ROWS)), expected) < 1e-12
        last = torch.tensor([LENGTH - 1])
        assert largest_difference(method(layer, resid, CachedPrefix(run, start, ROWS), last), expected[:, -1:]) < 1e-12
    mid = run[hook_name("resid_mid", layer)][ROWS, start:]
    assert largest_difference(inside.mlp(layer, mid), run[hook_name("mlp_out", layer)][ROWS, start:]) < 1e-12


@pytest.mark.parametrize("start", [0, 3, LENGTH - 1])
def test_a_patched_suffix_equals_the_full_pass_with_a_hook(inside, tokens, run, start):
    layer = 1
    patch = torch.randn(inside.d_model, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    name = hook_name("resid_pre", layer)

    def add_at_start(activation: torch.Tensor) -> torch.Tensor:
        return torch.cat(
            [activation[:, :start], activation[:, start : start + 1] + patch, activation[:, start + 1 :]], dim=1
        )

    with inside.hooked([(name, add_at_start)]):
        expected = inside.forward(tokens)
    order = torch.tensor([1, 0])
    resid = run[name][order, start:].clone()
    resid[:, 0] += patch
    for later in range(layer, LAYERS):
        resid = inside.block(later, resid, CachedPrefix(run, start, order))
    assert largest_difference(inside.logits(resid), expected[order, start:]) < 1e-12


def test_rows_read_the_keys_of_their_own_run_only(inside, run):
    """Negative control: another run's prefix changes the result."""
    resid = run[hook_name("resid_pre", 1)][[0], 4:]
    right = inside.block(1, resid, CachedPrefix(run, 4, torch.tensor([0])))
    wrong = inside.block(1, resid, CachedPrefix(run, 4, torch.tensor([1])))
    assert largest_difference(right, wrong) > 1e-3


def test_live_hooks_take_effect_in_suffix_steps(inside, run):
    start, layer = 4, 1
    resid = run[hook_name("resid_pre", layer)][ROWS, start:]
    plain = inside.block(layer, resid, CachedPrefix(run, start, ROWS))
    hook = (hook_name("mlp_out", layer), torch.zeros_like)
    with inside.hooked([hook]):
        hooked = inside.block(layer, resid, CachedPrefix(run, start, ROWS))
        assert inside.mlp(layer, resid).abs().max() == 0
    assert largest_difference(hooked, resid + inside.attention(layer, resid, CachedPrefix(run, start, ROWS))) < 1e-12
    assert largest_difference(plain, hooked) > 1e-3
    with inside.hooked([(hook_name("z", layer), torch.zeros_like)]):
        assert inside.attention(layer, resid, CachedPrefix(run, start, ROWS), torch.tensor([5, 8])).abs().max() == 0


def test_projections_are_the_cached_ones(inside, run):
    for part, value in zip("qkv", inside.qkv(2, run[hook_name("resid_pre", 2)]), strict=True):
        assert largest_difference(value, run[hook_name(part, 2)]) < 1e-12


@pytest.mark.parametrize("start", [0, 1, 5, LENGTH - 1])
@pytest.mark.parametrize("order", [[1, 0, 0, 1, 1], [1, 0, 1, 0], [1, 1], [0]], ids=str)
def test_attention_in_three_steps_is_attention(inside, run, order, start):
    """Equal and unequal numbers of rows per run; few queries take the way that shares the prefix, many the other."""
    rows, layer = torch.tensor(order), 1
    resid = run[hook_name("resid_pre", layer)][rows, start:]
    q, k, v = inside.qkv(layer, resid)
    z = inside.attend(layer, q, k, v, CachedPrefix(run, start, rows))
    assert largest_difference(z, run[hook_name("z", layer)][rows, start:]) < 1e-12
    assert largest_difference(inside.project(layer, z), run[hook_name("attn_out", layer)][rows, start:]) < 1e-12
    queries = torch.tensor([start, LENGTH - 1])
    some = inside.attend(layer, q, k, v, CachedPrefix(run, start, rows), queries)
    assert largest_difference(some, run[hook_name("z", layer)][rows][:, queries]) < 1e-12


def test_heads_sum_to_the_attention_output(inside, run):
    z = run[hook_name("z", 0)]
    by_head = torch.einsum("bphd,hdm->bphm", z, inside.w_o(0))
    assert largest_difference(by_head.sum(2), run[hook_name("attn_out", 0)]) < 1e-12


def test_logits_are_the_unembedded_norm(inside, run):
    resid = run[hook_name("resid_post", LAYERS - 1)]
    by_hand = resid / inside.norm_scale(resid) * inside.norm_gain("ln_final") @ inside.w_u
    assert largest_difference(inside.logits(resid), by_hand) < 1e-12
    with inside.hooked([("ln_final.hook_scale", torch.ones_like)]):
        frozen = inside.logits(resid[:, -1])
    assert largest_difference(frozen, resid[:, -1] * inside.norm_gain("ln_final") @ inside.w_u) < 1e-12


def test_a_hook_on_the_final_norm_sees_whole_sequences(inside, tokens):
    """Rows stay apart: a hook that indexes an absolute position does so in every row, as in TransformerLens."""

    def last_only(scale, hook):
        scale = scale.clone()
        scale[:, -1] = 2
        return scale

    batch = torch.cat([tokens, tokens.roll(1, 0)])
    point = inside.model.hook_dict["ln_final.hook_scale"]
    point.add_hook(last_only)
    try:
        assert largest_difference(inside.forward(batch), inside.model(batch)) < 1e-12
    finally:
        point.remove_hooks()


def test_gradients_agree_with_finite_differences(inside, tokens):
    names = [hook_name("resid_pre", 1), hook_name("z", 2), "hook_embed"]
    names += ["blocks.1.ln1.hook_scale", "blocks.2.ln2.hook_scale", "ln_final.hook_scale"]
    gradients = inside.gradients(tokens, names, lambda logits: logits[0, -1, 5] - logits[0, -1, 6])
    for name in names:
        direction = torch.randn(gradients[name].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        values = []
        for step in (1e-5, -1e-5):
            with inside.hooked([(name, lambda x, move=step * direction: x + move)]):
                logits = inside.forward(tokens)
            values.append(float(logits[0, -1, 5] - logits[0, -1, 6]))
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(float((gradients[name] * direction).sum()), rel=1e-6)
    assert gradients["hook_embed"][1].abs().max() == 0  # the other prompt of the batch


def test_gradients_of_what_the_metric_does_not_read_are_zero(inside, tokens):
    name = hook_name("mlp_out", LAYERS - 1)
    gradients = inside.gradients(tokens, [name], lambda logits: logits[0, 2, 5])
    assert gradients[name][0, 2].abs().max() > 0
    assert gradients[name][0, 3:].abs().max() == 0


def test_hooks_leave_with_the_context_and_on_errors(inside, tokens):
    clean = inside.forward(tokens)
    with pytest.raises(RuntimeError, match="boom"), inside.hooked([(hook_name("resid_pre", 1), torch.zeros_like)]):
        raise RuntimeError("boom")
    with (
        pytest.raises(ValueError, match="no hook point"),
        inside.hooked([(hook_name("resid_pre", 1), torch.zeros_like), ("blocks.0.hook_nothing", torch.zeros_like)]),
    ):
        pass
    assert torch.equal(inside.forward(tokens), clean)
    assert not inside.has_user_hooks()
    assert all(not point.fwd_hooks and not point._forward_hooks for point in inside.model.hook_dict.values())


def test_hooks_that_write_in_place_or_change_the_shape_are_refused(inside, tokens):
    name = hook_name("resid_pre", 1)
    with inside.hooked([(name, lambda x: x.zero_())]), pytest.raises(ValueError, match=r"resid_pre.*new tensor"):
        inside.forward(tokens)
    with (
        inside.hooked([(name, lambda x: x[:, :1])]),
        pytest.raises(ShapeError, match=r"\(2, 9, 32\), found \(2, 1, 32\)"),
    ):
        inside.forward(tokens)
    with inside.hooked([(name, lambda x: None)]), pytest.raises(ShapeError, match="NoneType"):
        inside.forward(tokens)


def test_user_hooks_are_seen_and_the_engines_are_not(inside):
    model = inside.model
    with inside.hooked([(hook_name("resid_pre", 1), torch.zeros_like)]):
        assert not inside.has_user_hooks()
        with model.hooks(fwd_hooks=[(hook_name("resid_pre", 1), lambda x, hook: x)]):
            assert inside.has_user_hooks()
        assert not inside.has_user_hooks()
    handle = model.blocks[0].mlp.register_forward_hook(lambda module, inputs, output: output)
    assert inside.has_user_hooks()
    handle.remove()
    assert not inside.has_user_hooks()


def test_user_hooks_work_on_all_paths(inside, tokens, run):
    with inside.model.hooks(fwd_hooks=[(hook_name("mlp_out", 2), lambda x, hook: 0 * x)]):
        logits = inside.forward(tokens)
        resid = inside.block(2, run[hook_name("resid_pre", 2)], CachedPrefix(run, 0, torch.arange(RUNS)))
    assert largest_difference(logits, inside.logits(run[hook_name("resid_mid", 2)])) < 1e-12
    assert largest_difference(resid, run[hook_name("resid_mid", 2)]) < 1e-12


def test_names_that_do_not_exist_or_do_not_fire_are_refused(inside, tokens):
    with pytest.raises(ValueError, match=r"no hook point 'blocks.7.hook_resid_pre'.*did you mean"):
        inside.cache(tokens, ["blocks.7.hook_resid_pre"])
    with pytest.raises(ValueError, match=r"hook_result does not fire"):
        inside.cache(tokens, ["blocks.0.attn.hook_result"])
    with pytest.raises(ValueError, match="component 'hidden' is unknown"):
        hook_name("hidden", 0)


def test_wrong_shapes_are_refused(inside, tokens, run):
    with pytest.raises(ShapeError, match="tokens"):
        inside.forward(tokens[0])
    with pytest.raises(ShapeError, match="d_model=32"):
        inside.block(0, run[hook_name("resid_pre", 0)][..., :5], CachedPrefix(run, 0, torch.arange(RUNS)))
    with pytest.raises(ShapeError, match="sample_of_row"):
        inside.block(0, run[hook_name("resid_pre", 0)], CachedPrefix(run, 0, torch.arange(RUNS + 1)))
    with pytest.raises(ShapeError, match="past the run's 9 cached positions"):
        inside.block(0, run[hook_name("resid_pre", 0)], CachedPrefix(run, LENGTH + 1, torch.arange(RUNS)))


def test_tokens_beyond_the_vocabulary_or_the_context_are_refused(inside):
    with pytest.raises(ValueError, match="token 64 has no embedding: ids go from 0 to 63"):
        inside.forward(torch.tensor([[1, 64]]))
    with pytest.raises(ValueError, match="token -1 has no embedding"):
        inside.embed(torch.tensor([[1, -1]]))
    with pytest.raises(ValueError, match="257 tokens are more than the model's context of 256"):
        inside.cache(torch.ones(1, 257, dtype=torch.long), ["hook_embed"])


def test_queries_before_the_suffix_are_refused(inside, run):
    resid, rows = run[hook_name("resid_pre", 0)][:, 4:], torch.arange(RUNS)
    for bad in (3, LENGTH):
        with pytest.raises(ShapeError, match=f"positions from 4 to 8 here, found {bad} to {bad}"):
            inside.block(0, resid, CachedPrefix(run, 4, rows), torch.tensor([bad]))


def test_transformer_lens_flags_change_nothing(inside, tokens, run):
    """A user may have switched them on for the model; hooks of split inputs then exist, values are the same."""
    model = inside.model
    model.set_use_split_qkv_input(True)
    model.set_use_hook_mlp_in(True)
    try:
        again = inside.cache(tokens, NAMES)
        assert all(largest_difference(again[name], run[name]) < 1e-12 for name in NAMES)
        for hooks in ([], [(hook_name("z", 1), torch.clone)]):  # fused kernels, and TransformerLens's block
            with inside.hooked(hooks):
                resid = inside.block(1, run[hook_name("resid_pre", 1)][ROWS, 3:], CachedPrefix(run, 3, ROWS))
                assert largest_difference(resid, run[hook_name("resid_post", 1)][ROWS, 3:]) < 1e-12
                attn_out = inside.attention(1, run[hook_name("resid_pre", 1)][ROWS, 3:], CachedPrefix(run, 3, ROWS))
                assert largest_difference(attn_out, run[hook_name("attn_out", 1)][ROWS, 3:]) < 1e-12
        with inside.hooked([("blocks.1.hook_mlp_in", torch.zeros_like)]):
            assert inside.mlp(1, run[hook_name("resid_mid", 1)]).abs().max() == 0
    finally:
        model.set_use_split_qkv_input(False)
        model.set_use_hook_mlp_in(False)


@pytest.mark.parametrize("start", [0, 5])
def test_fused_kernels_round_as_the_block_does_in_bfloat16(backend, start):
    low = random_lens_model(random_config(n_kv_heads=2), dtype=torch.bfloat16, backend=backend)
    tokens = torch.randint(3, 60, (RUNS, LENGTH), generator=torch.Generator().manual_seed(7))
    run = low.cache(tokens, NAMES)
    resid = run[hook_name("resid_pre", 1)][ROWS, start:]
    expected = run[hook_name("resid_post", 1)][ROWS, start:].float()
    for queries in (None, torch.tensor([LENGTH - 1])):
        found = low.block(1, resid, CachedPrefix(run, start, ROWS), queries).float()
        wanted = expected if queries is None else expected[:, -1:]
        assert float((found - wanted).square().mean().sqrt()) < 0.01 * float(wanted.square().mean().sqrt())


def test_low_precision_logits_are_float32(backend):
    low = random_lens_model(random_config(), dtype=torch.bfloat16, backend=backend)
    tokens = torch.tensor([[1, 5, 9, 12]])
    assert low.forward(tokens).dtype == torch.float32
    resid = low.cache(tokens, [hook_name("resid_post", 2)])[hook_name("resid_post", 2)]
    precise = resid.double() / low.norm_scale(resid.double()) * low.norm_gain("ln_final").double() @ low.w_u.double()
    assert largest_difference(low.logits(resid).double(), precise) < 1e-5
