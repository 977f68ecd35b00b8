"""The reference algorithm of causal tracing, written out with plain hooks."""

import numpy as np
import torch
from tracing_by_hooks import HOOKS, TOLERANCE
from tracing_lens import text_prompt

from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.rome import rome


def test_rome_is_the_reference_algorithm(lens) -> None:
    """Eleven rows, row 0 clean; one stream of noise of seed 1; clean states copied across rows inside the same pass."""
    argmax = int(lens.backend.model(text_prompt().tokens)[0, -1, :46].argmax())
    prompt = text_prompt(answer_ids=(argmax,))
    effects = causal_trace(lens, [prompt], **rome(lens, [prompt]), progress="none")
    assert effects.component.values.tolist() == ["resid_post", "mlp_out", "attn_out"]
    model, subject = lens.backend.model, list(prompt.subject.positions)
    scale = 3 * float(model.embed.W_E[[prompt.ids[p] for p in subject]].std())
    drawn = torch.from_numpy(np.random.RandomState(1).randn(10, len(subject), 24))
    tokens = prompt.tokens.expand(11, -1)

    def corrupt(x, hook):
        x = x.clone()
        x[1:, subject] += scale * drawn
        return x

    def traced(names, position):
        def copy_clean(x, hook):
            x = x.clone()
            x[1:, position] = x[0, position]
            return x

        logits = model.run_with_hooks(tokens, fwd_hooks=[("hook_embed", corrupt), *((n, copy_clean) for n in names)])
        return float(logits[1:, -1].softmax(-1)[:, argmax].mean())

    for position in range(len(prompt)):
        for layer in range(3):
            block = effects.restored.sel(component="resid_post", layer=layer, pos=position).mean()
            assert abs(float(block) - traced([HOOKS["resid_post"].format(layer)], position)) < TOLERANCE
            for kind in ("mlp_out", "attn_out"):
                names = [HOOKS[kind].format(at) for at in range(max(0, layer - 5), min(3, layer + 5))]
                window = effects.restored.sel(component=kind, layer=layer, pos=position).mean()
                assert abs(float(window) - traced(names, position)) < TOLERANCE


def test_rome_severing_reimposes_the_corrupted_outputs_of_the_token(lens) -> None:
    """Two passes: record the corrupted run, then restore a block's output while the token's MLPs stay corrupted."""
    argmax = int(lens.backend.model(text_prompt().tokens)[0, -1, :46].argmax())
    prompt = text_prompt(answer_ids=(argmax,))
    effects = causal_trace(lens, [prompt], **rome(lens, [prompt], sever="mlp"), progress="none")
    model, subject = lens.backend.model, list(prompt.subject.positions)
    scale = 3 * float(model.embed.W_E[[prompt.ids[p] for p in subject]].std())
    noise = scale * torch.from_numpy(np.random.RandomState(1).randn(10, len(subject), 24))
    embeddings = model.embed(prompt.tokens).repeat(10, 1, 1)
    embeddings[:, subject] += noise
    corrupt = ("hook_embed", lambda x, hook: embeddings)
    tokens = prompt.tokens.expand(10, -1)
    _, clean = model.run_with_cache(prompt.tokens)
    with model.hooks(fwd_hooks=[corrupt]):
        _, corrupted = model.run_with_cache(tokens)

    def put(cache, position):
        def hook(x, hook):
            x = x.clone()
            x[:, position] = cache[hook.name][:, position]
            return x

        return hook

    assert effects.component.values.tolist() == ["resid_post"]
    for layer in range(3):
        for position in (4, 5, 7):
            hooks = [corrupt, (HOOKS["resid_post"].format(layer), put(clean, position))]
            hooks += [(HOOKS["mlp_out"].format(at), put(corrupted, position)) for at in range(3)]
            expected = model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1].softmax(-1)[:, argmax].mean()
            found = effects.restored.sel(layer=layer, pos=position).mean()
            assert abs(float(found) - float(expected)) < TOLERANCE
