"""A small attention-only model, trained here on repeated sequences, in which the known induction circuit must be found.

Each sequence holds six pairs of tokens (key, value) and then the same pairs in another order; after a repeated key
the model must give its value. It learns what Olsson et al. 2022 describe: a head in layer 0 writes each token's
previous token into it, and heads in layer 1 look, from a key, for the token whose previous token is that key: the
edge previous-token head → induction head's K.
"""

import math

import numpy as np
import pytest
import torch
from random_llamas import opened
from transformer_lens import HookedTransformer, HookedTransformerConfig

import spiritlens as sl
from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.heads.attention_mass import DETECTORS, attention_patterns, detector_scores
from spiritlens.analysis.heads.head_knockout import Ablation, head_knockout
from spiritlens.analysis.paths.nodes import Receiver, Sender
from spiritlens.analysis.paths.path_patching import path_patch
from spiritlens.analysis.paths.paths import Paths
from spiritlens.effects.paths import path_change
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.prompts.roles import token_parts, token_roles
from spiritlens.prompts.spans import EVERYWHERE
from tests.analysis.tracing_lens import TinyLens, TinyVocabulary

N_TOKENS, PAIRS, STEPS, BATCH = 33, 6, 700, 32
LENGTH = 1 + 4 * PAIRS
KEYS = torch.arange(2 * PAIRS + 1, LENGTH, 2)
"""Positions of repeated keys, after which a value is asked for."""


def sequences(count, stream):
    """Sequences ``[count pos]``: 0, six pairs, the same pairs in another order."""
    tokens = torch.rand(count, N_TOKENS - 1, generator=stream).argsort(1)[:, : 2 * PAIRS] + 1
    pairs = tokens.view(count, PAIRS, 2)
    order = torch.rand(count, PAIRS, generator=stream).argsort(1)
    again = pairs.gather(1, order[..., None].expand(-1, -1, 2))
    return torch.cat([torch.zeros(count, 1, dtype=torch.long), pairs.flatten(1), again.flatten(1)], dim=1)


@pytest.fixture(scope="module")
def lens():
    torch.manual_seed(0)
    shape = {"n_layers": 2, "d_model": 48, "d_head": 24, "n_heads": 2, "d_mlp": 4, "n_ctx": 64, "rotary_dim": 24}
    model = HookedTransformer(
        HookedTransformerConfig(
            **shape,
            d_vocab=N_TOKENS,
            act_fn="silu",
            normalization_type="RMS",
            final_rms=True,
            gated_mlp=True,
            positional_embedding_type="rotary",
            rotary_adjacent_pairs=False,
            seed=0,
        )
    )
    for block in model.blocks:  # attention only: the MLPs write nothing
        for parameter in block.mlp.parameters():
            parameter.data.zero_()
            parameter.requires_grad_(False)
    train(model)
    model.eval().requires_grad_(False)
    return TinyLens(opened(model), TinyVocabulary(text_ids=np.arange(1, N_TOKENS), unit_ids=range(0), size=N_TOKENS))


def train(model):
    stream = torch.Generator().manual_seed(1)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3, betas=(0.9, 0.98), weight_decay=0.05)
    for step in range(STEPS):
        tokens = sequences(BATCH, stream)
        optimizer.param_groups[0]["lr"] = 5e-3 * min(1, (step + 1) / 50) * (1 - 0.6 * step / STEPS)
        guesses = model(tokens)[:, KEYS].log_softmax(-1)
        loss = -guesses.gather(-1, tokens[:, KEYS + 1, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            return


def asked(tokens, key):
    """The sequence up to a repeated key, and the same with another token in the place of the key's first occurrence."""
    ids = tokens[: KEYS[key] + 1].tolist()
    first = ids.index(ids[-1])
    other = next(token for token in range(1, N_TOKENS) if token not in tokens.tolist())
    answer, foil = int(tokens[KEYS[key] + 1]), ids[first + 1 + (2 if first < 2 * PAIRS - 2 else -2)]
    changed = [*ids[:first], other, *ids[first + 1 :]]
    return prompt_of(ids, first, answer, foil), prompt_of(changed, first, foil, answer)


def prompt_of(ids, subject, answer, foil):
    families = ["bos", *["text"] * (len(ids) - 1)]
    words = list(range(-1, len(ids) - 1))
    return Prompt(
        ids=tuple(ids),
        text=" ".join(map(str, ids)),
        labels=tuple(map(str, ids)),
        families=tuple(families),
        modalities=("none", *["text"] * (len(ids) - 1)),
        words=tuple(map(str, ids[1:])),
        word_index=tuple(words),
        roles=token_roles(families, words, (subject,)),
        parts=token_parts(len(ids), (subject,)),
        starts=(math.nan,) * len(ids),
        ends=(math.nan,) * len(ids),
        subject=Span("key", (subject,)),
        answer=str(answer),
        answer_ids=(answer,),
        foil=str(foil),
        foil_ids=(foil,),
        kind="T2T",
        fact_id=" ".join(map(str, ids)),
    )


@pytest.fixture(scope="module")
def prompts():
    tokens = sequences(6, torch.Generator().manual_seed(7))
    pairs = [asked(row, 2) for row in tokens]
    return [clean for clean, _ in pairs], [other for _, other in pairs]


@pytest.fixture(scope="module")
def previous_token_head(lens):
    """The layer-0 head that looks one back most, over whole sequences."""
    scores = [
        detector_scores(
            attention_patterns(lens.backend, tokens[None])[:, :, : 2 * PAIRS + 1, : 2 * PAIRS + 1],
            tokens[: 2 * PAIRS + 1].tolist(),
        )
        for tokens in sequences(8, torch.Generator().manual_seed(3))
    ]
    return int(torch.stack(scores).mean(0)[0, :, DETECTORS.index("previous_token")].argmax())


def test_the_model_has_learned_the_task(lens, prompts):
    found = head_knockout(lens, prompts[0], "zero", groups={"one": [(0, 0)]}, metrics=("probability",), progress="none")
    assert float(found["clean"].min()) > 0.9


def test_layer_one_heads_are_induction_heads(lens):
    tokens = sequences(1, torch.Generator().manual_seed(5))[0]
    scores = detector_scores(attention_patterns(lens.backend, tokens[None]), tokens.tolist())
    induction = scores[:, :, DETECTORS.index("induction")]
    assert float(induction[1].max()) > 0.3  # keys alone look for their values; values need not
    assert float(induction[1].max()) > 3 * float(induction[0].max())


@pytest.mark.parametrize("method", ["patched", "attributed"])
def test_previous_token_to_induction_key_is_the_dominant_edge_between_heads(lens, prompts, previous_token_head, method):
    senders = [Sender("z", 0, head) for head in range(2)]
    receivers = [Receiver(f"{letter}_input", 1, head) for letter in "qkv" for head in range(2)]
    verb = path_patch if method == "patched" else attribute_edges
    found = verb(
        lens,
        *prompts,
        Paths(senders, receivers, base="clean"),
        metrics=("logit_difference",),
        progress="none",
    )
    change = (
        path_change(found)
        .isel(pos=0, metric=0)
        .mean("prompt")
        .squeeze(["sender_component", "sender_layer", "receiver_layer"])
    )
    by_input = change.sum("receiver_head")  # [sender_head receiver_component]
    strongest = by_input.where(by_input == by_input.min(), drop=True)
    assert str(strongest["receiver_component"].values[0]) == "k_input"
    assert int(strongest["sender_head"][0]) == previous_token_head
    rest = by_input.where(by_input != by_input.min())
    assert float(by_input.min()) < 2 * float(rest.min())


def test_without_the_previous_token_head_the_answer_is_a_guess(lens, prompts, previous_token_head):
    found = head_knockout(
        lens,
        prompts[0],
        Ablation("mean", reference=prompts[0], spans=(EVERYWHERE,)),
        metrics=("probability",),
        progress="none",
    )
    kept = found["restored"].isel(component=0, span=0, sample=0, metric=0).mean("prompt")
    ranked = sl.heads.rank((found["clean"].mean() - kept).transpose("layer", "head"))
    assert f"L0H{previous_token_head}" in ranked["name"].tolist()[:2]
    assert float(kept.sel(layer=0, head=previous_token_head)) < 0.4
