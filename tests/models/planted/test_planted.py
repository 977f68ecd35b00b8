"""Planted circuits: their truth shown with plain TransformerLens hooks, nothing of the toolkit's engine."""

import itertools

import pytest
import torch

from spiritlens.models import backends
from spiritlens.models.planted.planted import planted
from spiritlens.models.planted.vocabulary import ANSWERS
from spiritlens.models.planted.weights import CIRCUITS, MOVER_LAYER, N_LAYERS

MACHINES = ("fact machine", "fact machine, speech later")
PAIRS = ("or pair", "and pair")


@pytest.fixture(scope="session")
def circuits():
    return {name: planted(name) for name in CIRCUITS}


def probability(circuit, prompt, hooks=()):
    """P(answer) at the last position with hooks (name, function of the activation)."""
    placed = [(name, lambda value, hook, function=function: function(value)) for name, function in hooks]
    logits = circuit.lens.model.run_with_hooks(prompt.tokens, fwd_hooks=placed)[0, -1]
    return float(logits.softmax(-1)[prompt.answer_ids[0]])


def take(values, positions, head=None):
    """A patch: these positions (of one head) become those of `values`."""

    def patch(activation):
        patched = activation.clone()
        where = (slice(None), list(positions)) if head is None else (slice(None), list(positions), head)
        patched[where] = values[where]
        return patched

    return patch


def swap_map(circuit, prompt, component, positions):
    """P(answer) by layer when `component` at `positions` of the counterfactual run is taken from the clean run; a row
    of one pass for each layer."""
    _, clean = circuit.lens.model.run_with_cache(prompt.tokens)

    def patch_of(layer):
        def patch(activation, hook):
            patched = activation.clone()
            patched[layer, list(positions)] = clean[f"blocks.{layer}.{component}"][0, list(positions)]
            return patched

        return patch

    hooks = [(f"blocks.{layer}.{component}", patch_of(layer)) for layer in range(N_LAYERS)]
    tokens = circuit.counterfactual(prompt).tokens.repeat(N_LAYERS, 1)
    logits = circuit.lens.model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1]
    return logits.softmax(-1)[:, prompt.answer_ids[0]]


def expected(*on):
    return torch.tensor([1.0 if layer in on else 0.0 for layer in range(N_LAYERS)])


def near(found, wanted):
    return torch.allclose(found, wanted.to(found.dtype), atol=1e-3)


def sample_prompts(circuit):
    """A written and a spoken prompt about two subjects."""
    half = len(circuit.prompts) // 2
    return [circuit.prompts[index] for index in (0, half + 7)]


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_subject_is_answered_in_both_modalities_and_phrasings(circuits, name):
    circuit = circuits[name]
    assert len(circuit.prompts) == 24
    assert {prompt.kind for prompt in circuit.prompts} == {"T2T", "S2T"}
    for build, phrasing in itertools.product((circuit.text, circuit.speech), ("plain", "fronted")):
        prompts = [build(subject, phrasing) for subject in (*circuit.subjects, *circuit.strangers)]
        logits = circuit.lens.model(torch.cat([prompt.tokens for prompt in prompts]))[:, -1]
        for prompt, row in zip(prompts, logits, strict=True):
            assert int(row.argmax()) == prompt.answer_ids[0]
            assert float(row.softmax(-1)[prompt.answer_ids[0]]) > 0.999
    assert {prompt.answer for prompt in circuit.prompts} == set(ANSWERS)


def test_spoken_subjects_have_six_units_and_written_ones_two_pieces(circuits):
    circuit = circuits["fact machine"]
    assert {len(circuit.text(subject).subject) for subject in circuit.subjects} == {2}
    assert {len(circuit.speech(subject).subject) for subject in circuit.subjects} == {6}
    assert circuit.text("marlo").text == "[Text] the colour of marlo is[Text]"


@pytest.mark.parametrize("name", CIRCUITS)
def test_counterfactuals_differ_at_the_subject_only(circuits, name):
    circuit = circuits[name]
    for prompt in circuit.prompts:
        other = circuit.counterfactual(prompt)
        differing = [here for here, pair in enumerate(zip(prompt.ids, other.ids, strict=True)) if pair[0] != pair[1]]
        assert tuple(differing) == prompt.subject.positions == other.subject.positions
        assert other.answer == prompt.foil != prompt.answer


@pytest.mark.parametrize("name", MACHINES)
def test_residual_stream_carries_the_fact_from_the_subject_to_the_end(circuits, name):
    circuit = circuits[name]
    before = set(range(circuit.truth.merge.layer + 1))
    for prompt in sample_prompts(circuit):
        subject = prompt.subject.positions
        reached = set(range(MOVER_LAYER + 1))
        assert near(swap_map(circuit, prompt, "hook_resid_pre", subject), expected(*reached))
        assert near(swap_map(circuit, prompt, "hook_resid_pre", subject[-1:]), expected(*(reached - before)))
        assert near(swap_map(circuit, prompt, "hook_resid_pre", (len(prompt) - 1,)), expected(7))
        for position in {0, 1, *subject[:-1], subject[-1] + 1, len(prompt) - 2} - {subject[-1]}:
            assert near(swap_map(circuit, prompt, "hook_resid_pre", (position,)), expected())


@pytest.mark.parametrize("name", MACHINES)
def test_one_mlp_layer_recalls_and_one_attention_layer_moves(circuits, name):
    circuit = circuits[name]
    for prompt in sample_prompts(circuit):
        end = prompt.subject.positions[-1:]
        fact_layer = circuit.truth.fact_layers[prompt.kind]
        assert near(swap_map(circuit, prompt, "hook_mlp_out", end), expected(fact_layer))
        assert near(swap_map(circuit, prompt, "hook_attn_out", end), expected(circuit.truth.merge.layer))
        assert near(swap_map(circuit, prompt, "hook_attn_out", (len(prompt) - 1,)), expected(MOVER_LAYER))
    layers = circuit.truth.fact_layers
    assert layers["S2T"] - layers["T2T"] == (3 if name.endswith("later") else 0)


def head_effects(circuit, prompt, base, source):
    """P(prompt's answer) in the run of `base` when z of each head of the mover layer at the end is taken from
    `source`."""
    _, values = circuit.lens.model.run_with_cache(source.tokens)
    hook = f"blocks.{MOVER_LAYER}.attn.hook_z"
    base = type(prompt)(**{**vars(base), "answer_ids": prompt.answer_ids})
    end = (len(prompt) - 1,)
    return [probability(circuit, base, [(hook, take(values[hook], end, head))]) for head in range(4)]


@pytest.mark.parametrize("name", CIRCUITS)
def test_only_the_movers_matter_and_pairs_tell_denoising_from_noising(circuits, name):
    circuit = circuits[name]
    movers = {mover.head for mover in circuit.truth.movers}
    for prompt in sample_prompts(circuit):
        other = circuit.counterfactual(prompt)
        restored = head_effects(circuit, prompt, other, prompt)
        noised = head_effects(circuit, prompt, prompt, other)
        sufficient = movers if circuit.truth.rule != "and" else set()
        necessary = movers if circuit.truth.rule != "or" else set()
        assert torch.allclose(
            torch.tensor(restored), torch.tensor([float(h in sufficient) for h in range(4)]), atol=1e-3
        )
        assert torch.allclose(
            torch.tensor(noised), torch.tensor([float(h not in necessary) for h in range(4)]), atol=1e-3
        )


@pytest.mark.parametrize("name", CIRCUITS)
def test_knocking_out_the_end_to_subject_attention_of_the_movers_kills_the_answer(circuits, name):
    circuit = circuits[name]
    hook = f"blocks.{MOVER_LAYER}.attn.hook_attn_scores"
    for prompt in sample_prompts(circuit):

        def cut(scores, subject=prompt.subject.positions):
            scores = scores.clone()
            scores[:, [mover.head for mover in circuit.truth.movers], -1, subject[0] : subject[-1] + 1] = float("-inf")
            return scores

        assert probability(circuit, prompt) > 0.999
        assert probability(circuit, prompt, [(hook, cut)]) < 1e-3


@pytest.mark.parametrize("name", MACHINES)
def test_gaussian_noise_wipes_the_fact_out_and_restoring_the_path_brings_it_back(circuits, name):
    """The noise of the field's default scale: three standard deviations of the modality's embedding rows."""
    circuit = circuits[name]
    model, vocabulary = circuit.lens.model, circuit.lens.vocabulary
    for prompt in sample_prompts(circuit):
        rows = vocabulary.text_ids if prompt.kind == "T2T" else list(vocabulary.unit_ids)
        subject, samples = list(prompt.subject.positions), 40
        noise = torch.randn(
            samples, len(subject), model.cfg.d_model, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
        )
        noise *= 3 * model.W_E[rows].std()
        tokens = prompt.tokens.expand(samples, -1)
        _, clean = model.run_with_cache(prompt.tokens)

        def corrupt(embedded, hook, subject=subject, noise=noise):
            embedded = embedded.clone()
            embedded[:, subject] += noise
            return embedded

        def recall(name=None, position=None, tokens=tokens, clean=clean, corrupt=corrupt, prompt=prompt):
            hooks = [("hook_embed", corrupt)]
            if name:
                hooks.append((name, lambda value, hook: take(clean[name], (position,))(value)))
            return float(
                model.run_with_hooks(tokens, fwd_hooks=hooks)[:, -1].softmax(-1)[:, prompt.answer_ids[0]].mean()
            )

        fact = circuit.truth.fact_layers[prompt.kind]
        assert recall() < 0.15
        assert recall(f"blocks.{fact}.hook_resid_pre", subject[-1]) > 0.999
        assert recall(f"blocks.{MOVER_LAYER}.hook_attn_out", -1) > 0.999
        assert recall(f"blocks.{fact}.hook_mlp_out", subject[-1]) > 0.6
        assert recall(f"blocks.{fact + 1}.hook_mlp_out", subject[-1]) < 0.15


@pytest.mark.parametrize("backend", [row.maker.name for row in backends.BACKENDS if row.maker])
@pytest.mark.parametrize("name", CIRCUITS)
def test_every_circuit_builds_on_every_kind_of_model(circuits, name, backend):
    circuit = planted(name, backend=backend)
    assert isinstance(circuit.lens.model, next(row.model for row in backends.BACKENDS if row.maker.name == backend))
    for prompt in sample_prompts(circuit):
        assert probability(circuit, prompt) > 0.999
        logits = [one.lens.backend.forward(prompt.tokens) for one in (circuit, circuits[name])]
        assert torch.allclose(*logits, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_truth_does_not_hang_on_the_dtype(dtype):
    circuit = planted("fact machine", dtype)
    assert all(probability(circuit, prompt) > 0.999 for prompt in sample_prompts(circuit))


def test_bad_names_are_refused(circuits):
    with pytest.raises(ValueError, match="no planted circuit 'nor pair'; there are 'fact machine'"):
        planted("nor pair")
    with pytest.raises(ValueError, match="'paris' is no planted subject"):
        circuits["fact machine"].text("paris")
    with pytest.raises(ValueError, match="no phrasing 'sung'"):
        circuits["fact machine"].text("marlo", "sung")


def test_the_lens_is_a_lens_like_any_other(circuits):
    """Tokens of the text are the prompt's ids, and the engine finds the same logits."""
    lens = circuits["fact machine"].lens
    for prompt in sample_prompts(circuits["fact machine"]):
        assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)
        assert torch.allclose(lens.backend.forward(prompt.tokens), lens.model(prompt.tokens), atol=1e-10)
