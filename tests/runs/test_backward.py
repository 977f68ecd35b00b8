"""RelP's backward pass against one written out by hand, and its bookkeeping: nothing is lost, nothing said twice."""

import pytest
import torch
from random_llamas import opened, random_llama
from tracing_lens import TinyLens, text_prompt, tiny_lens

from spiritlens.components import hook_name
from spiritlens.models.backends import BACKENDS
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.runs.backward import check_read, differentiate
from spiritlens.runs.sweep.recorded import record, replaced_embeddings


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request: pytest.FixtureRequest) -> TinyLens:
    return tiny_lens(request.param)


@pytest.fixture(scope="module", params=[row.maker.name for row in BACKENDS if row.maker])
def each(request: pytest.FixtureRequest) -> BlockLensModel:
    """A model of every kind that is installed, with grouped queries."""
    return opened(random_llama(2, backend=request.param))


def readout(prompt):
    return lambda logits: logits[0, -1, prompt.answer_ids[0]]


def test_the_plain_rule_is_the_models_own_gradient(lens) -> None:
    prompt, name = text_prompt(), hook_name("resid_pre", 1)
    own = lens.backend.gradients(prompt.tokens, [name], readout(prompt))[name]
    assert torch.equal(differentiate(lens.backend, prompt.tokens, [name], readout(prompt)).gradients[name], own)


def test_in_every_layer_the_stream_adds_up_to_the_logit(each) -> None:
    """By homogeneity: the linear model's logit is its activation times its gradient, at each cut through the stream."""
    prompt, model = text_prompt(), each
    names = [hook_name(name, layer) for layer in range(model.n_layers) for name in ("resid_pre", "resid_mid")]
    logit = model.forward(prompt.tokens)[0, -1, prompt.answer_ids[0]]
    values = model.cache(prompt.tokens, names)
    for rule, adds_up in (("relp", True), ("gradient", False)):
        found = differentiate(model, prompt.tokens, names, readout(prompt), rule).gradients
        off = max(abs(float((values[name] * found[name]).sum() - logit)) for name in names)
        assert (off < 1e-10) == adds_up


@pytest.mark.parametrize("rule", ["gradient", "relp"])
def test_what_the_forward_pass_computed_is_what_a_recorded_run_holds(each, rule) -> None:
    prompt, model = text_prompt(), each
    components = ("resid_pre", "attn_out", "mlp_out", "z", "v")
    names = [hook_name(name, layer) for layer in range(model.n_layers) for name in components]
    with replaced_embeddings(model, model.embed(prompt.tokens) * 1.5):
        found = differentiate(model, prompt.tokens, names, readout(prompt), rule)
    ran = record(model, prompt.tokens, model.embed(prompt.tokens) * 1.5, names)
    for name in names:
        torch.testing.assert_close(found.values[name], ran.values[name], rtol=0, atol=1e-10)
    torch.testing.assert_close(found.logits[:, -1:], ran.logits, rtol=0, atol=1e-10)


def test_values_stay_as_they_are(lens) -> None:
    prompt, seen = text_prompt(), []

    def metric(logits):
        seen.append(logits.detach())
        return logits[0, -1, 7]

    for rule in ("gradient", "relp"):
        differentiate(lens.backend, prompt.tokens, [hook_name("resid_pre", 0)], metric, rule)
    assert torch.equal(*seen)
    assert not lens.backend.has_user_hooks()


@pytest.mark.parametrize("norm", ["blocks.1.ln1", "blocks.1.ln2", "ln_final"])
def test_the_scale_of_a_norm_is_replaced_where_it_divides_and_the_rest_has_its_gradients(each, norm) -> None:
    """Twice the scale is half of the norm's output, in value and in gradient."""
    prompt, name = text_prompt(), f"{norm}.hook_scale"
    stream = hook_name("resid_pre", each.n_layers - 1)
    with each.hooked([(name, lambda scale: 2 * scale.detach())]):
        twice = each.gradients(prompt.tokens, [stream], readout(prompt))[stream]
        values = each.cache(prompt.tokens, [stream])[stream]
    with each.hooked([(name, lambda scale: scale.detach())]):
        once = each.gradients(prompt.tokens, [stream], readout(prompt))[stream]
    assert float(once.abs().max()) > 1e-3
    if norm == "ln_final":
        assert float((2 * twice - once).abs().max()) < 1e-12
    else:
        assert float((values - each.cache(prompt.tokens, [stream])[stream]).abs().max()) > 1e-3


def linear_block(model, layer, cached, resid):
    """A block as a linear map: scales, patterns and gate ratios are numbers of the cached run, written out."""
    block = model.model.blocks[layer]
    kept = {name: cached[f"blocks.{layer}.{name}"] for name in PARTS}
    normed = resid / kept["ln1.hook_scale"] * block.ln1.w
    values = torch.einsum("bpd,hde->bphe", normed, block.attn.W_V)
    values = values.repeat_interleave(model.n_heads // values.shape[2], dim=2)
    z = torch.einsum("bhqk,bkhe->bqhe", kept["attn.hook_pattern"], values)
    mid = resid + torch.einsum("bqhe,hed->bqd", z, block.attn.W_O)
    normed = mid / kept["ln2.hook_scale"] * block.ln2.w
    gate, up, post = (kept[f"mlp.hook_{name}"] for name in ("pre", "pre_linear", "post"))
    inner = ((normed @ block.mlp.W_gate) * (post / gate) + (normed @ block.mlp.W_in) * (post / up)) / 2
    return mid + inner @ block.mlp.W_out


PARTS = (
    "ln1.hook_scale", "attn.hook_pattern", "ln2.hook_scale", "mlp.hook_pre", "mlp.hook_pre_linear", "mlp.hook_post",
)  # fmt: skip


def test_the_gradient_is_that_of_the_linear_model_written_out(lens) -> None:
    prompt, model = text_prompt(), lens.backend
    names = [f"blocks.{layer}.{part}" for layer in range(model.n_layers) for part in PARTS]
    cached = model.cache(prompt.tokens, [*names, "ln_final.hook_scale", hook_name("resid_pre", 0)])
    start = cached[hook_name("resid_pre", 0)].clone().requires_grad_(True)
    resid = start
    for layer in range(model.n_layers):
        resid = linear_block(model, layer, cached, resid)
    final = resid / cached["ln_final.hook_scale"] * model.model.ln_final.w
    logit = (final @ model.w_u)[0, -1, prompt.answer_ids[0]]
    (expected,) = torch.autograd.grad(logit, start)
    name = hook_name("resid_pre", 0)
    found = differentiate(model, prompt.tokens, [name], readout(prompt), "relp").gradients[name]
    assert float((found - expected).abs().max()) < 1e-10 * float(expected.abs().max())


def test_queries_and_keys_are_refused() -> None:
    check_read("gradient", ("q", "k"))
    check_read("relp", ("v", "z"))
    with pytest.raises(ValueError, match=r"component 'k'.*leave it out"):
        check_read("relp", ("v", "k"))
