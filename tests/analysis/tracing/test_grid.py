"""The cells of a tracing grid against hooked passes: heads, severed outputs, spans."""

import pytest
import torch
from tracing_by_hooks import HOOKS, TOLERANCE, naive_cell, noisy_embeddings

from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.effects.schema import Status
from spiritlens.terms import ROLES


@pytest.mark.parametrize("component", ["z", "q", "k", "v"])
def test_heads(lens, prompts, component) -> None:
    prompt = prompts[0]
    effects = causal_trace(lens, [prompt], (component,), samples=1, metrics=("logit",), progress="none")
    n_heads = lens.backend.n_kv_heads if component in "kv" else 4
    assert effects.sizes["head"] == n_heads
    for layer in range(3):
        for position in (4, 5, 7):
            for head in range(n_heads):
                patches = [(HOOKS[component].format(layer), position, head)]
                expected = naive_cell(lens, prompt, 0, patches)[-1, 11]
                assert abs(float(effects.restored[0, 0, layer, position, head, 0, 0]) - float(expected)) < TOLERANCE


@pytest.mark.parametrize("sever", ["mlp", "attn"])
def test_severing_holds_later_outputs_of_the_patched_tokens(lens, prompts, sever) -> None:
    prompt, held = prompts[1], {"mlp": "mlp_out", "attn": "attn_out"}[sever]
    effects = causal_trace(
        lens, [prompt], Grid(("resid_pre",), at="role", sever=sever), samples=1, metrics=("logit",), progress="none"
    )
    model, tokens = lens.backend.model, prompt.tokens
    noise = [("hook_embed", lambda x, hook: noisy_embeddings(lens, prompt, 0))]
    _, clean = model.run_with_cache(tokens)
    with model.hooks(fwd_hooks=noise):
        _, corrupted = model.run_with_cache(tokens)
    positions = list(prompt.subject.positions)
    for layer in range(3):

        def taken(cache):
            return lambda x, hook: x.index_copy(1, torch.tensor(positions), cache[hook.name][:, positions])

        hooks = [*noise, (HOOKS["resid_pre"].format(layer), taken(clean))]
        hooks += [(HOOKS[held].format(later), taken(corrupted)) for later in range(layer, 3)]
        expected = model.run_with_hooks(tokens, fwd_hooks=hooks)[0, -1, 11]
        assert abs(float(effects.restored[0, 0, layer, ROLES.index("subject"), 0, 0]) - float(expected)) < TOLERANCE


def test_spans_with_eroded_and_dilated_subject(lens, prompts) -> None:
    spans = ("subject", "subject +1", "subject -1", "subject middle", "last token")
    effects = causal_trace(lens, prompts, Grid(("resid_pre",), at="span", spans=spans), samples=1, progress="none")
    assert effects.n_tokens.values.tolist() == [[2, 4, 0, 0, 1], [4, 6, 2, 2, 1]]
    assert (effects.status[0, 0, :, 2:4] == Status.ABSENT).all()
    patches = [(HOOKS["resid_pre"].format(1), position, None) for position in (5, 6)]
    expected = naive_cell(lens, prompts[1], 0, patches)[-1].softmax(-1)[11]
    for span in ("subject -1", "subject middle"):
        found = effects.restored.sel(prompt=1, layer=1, metric="probability").isel(
            span=spans.index(span), component=0, sample=0
        )
        assert abs(float(found) - float(expected)) < TOLERANCE
