"""Causal tracing against plain hooked passes, one cell and sample at a time; nothing is shared with the engine."""

import functools
import hashlib
import json

import numpy as np
import pytest
import torch
from tracing_lens import TinyLens, make_prompt, spoken_prompt, text_prompt, tiny_lens

from spiritlens.analysis.grid.grid import Draws, Grid, Screen
from spiritlens.analysis.tracing.causal_tracing import causal_trace
from spiritlens.analysis.tracing.rome import rome
from spiritlens.effects.schema import Status
from spiritlens.effects.statistics import average_effects, indirect_effect, total_effect
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise
from spiritlens.runs.corruptions.replacement import Replacement
from spiritlens.terms import ROLES

SAMPLES = 2
TOLERANCE = 1e-10
HOOKS = {name: f"blocks.{{}}.hook_{name}" for name in ("resid_pre", "resid_post", "mlp_out", "attn_out")}
HOOKS |= {name: f"blocks.{{}}.attn.hook_{name}" for name in ("q", "k", "v", "z")}


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def lens(request: pytest.FixtureRequest) -> TinyLens:
    return tiny_lens(request.param)


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return [text_prompt(fact_id="f"), spoken_prompt(fact_id="f")]


def noisy_embeddings(lens: TinyLens, prompt: Prompt, sample: int, forced: tuple[int, ...] = ()) -> torch.Tensor:
    """The design's noise, written out again: seeded by a hash, 3 standard deviations of the modality's rows."""
    key = hashlib.sha256(f"0|{prompt.id}|{sample}|noise".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))
    w_e = lens.backend.model.embed.W_E
    rows = w_e[32:46] if prompt.kind == "S2T" else w_e[3:30]
    noise = torch.randn(len(prompt.subject), w_e.shape[1], generator=generator) * np.float32(3 * float(rows.std()))
    embeddings = w_e[torch.tensor([*prompt.ids, *forced])].clone()
    embeddings[list(prompt.subject.positions)] += noise.double()
    return embeddings[None]


@functools.lru_cache(maxsize=64)
def both_runs(lens, prompt, sample, forced):
    """All activations of the clean and of the corrupted run."""
    model, tokens = lens.backend.model, torch.tensor([[*prompt.ids, *forced]])
    _, clean = model.run_with_cache(tokens)
    with model.hooks(fwd_hooks=[("hook_embed", lambda x, hook: noisy_embeddings(lens, prompt, sample, forced))]):
        _, corrupted = model.run_with_cache(tokens)
    return clean, corrupted


def naive_cell(lens, prompt, sample, patches, direction="denoising", forced=()) -> torch.Tensor:
    """Logits of one run: patches are (hook name, position, head or None), from the clean or the corrupted run."""
    model, tokens = lens.backend.model, torch.tensor([[*prompt.ids, *forced]])
    noise = [("hook_embed", lambda x, hook: noisy_embeddings(lens, prompt, sample, forced))]
    clean, corrupted = both_runs(lens, prompt, sample, tuple(forced))
    source = clean if direction == "denoising" else corrupted
    hooks = list(noise) if direction == "denoising" else []
    for name, position, head in patches:

        def put(x, hook, name=name, position=position, head=head):
            x = x.clone()
            where = (0, position) if head is None else (0, position, head)
            x[where] = source[name][where]
            return x

        hooks.append((name, put))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)[0]


def window_of(layer: int, width: int, n_layers: int = 3) -> range:
    return range(max(0, layer - width // 2), min(n_layers, layer - width // 2 + width))


def sites_of(prompt: Prompt, at: str) -> list[tuple[int, ...]]:
    if at == "token":
        return [(position,) for position in range(len(prompt))]
    if at == "role":
        return [tuple(p for p, role in enumerate(prompt.roles) if role == name) for name in ROLES]
    single = [(p,) for p, family in enumerate(prompt.families) if family in ("bos", "marker")]
    words = [tuple(p for p, w in enumerate(prompt.word_index) if w == n) for n in range(len(prompt.words))]
    return sorted([*single, *words])


@pytest.mark.parametrize("direction", ["denoising", "noising"])
@pytest.mark.parametrize("at", ["token", "word", "role"])
def test_equals_one_pass_per_cell(lens, prompts, at, direction) -> None:
    effects = causal_trace(
        lens,
        prompts,
        Grid(at=at, window=2, direction=direction),
        samples=SAMPLES,
        metrics=("probability", "logit"),
        progress="none",
    )
    checked = 0
    for number, prompt in enumerate(prompts):
        for component, name in enumerate(["resid_pre", "mlp_out", "attn_out"]):
            for layer in range(3):
                layers = window_of(layer, 2) if name != "resid_pre" else [layer]
                for site, positions in enumerate(sites_of(prompt, at)):
                    status = int(effects.status[number, component, layer, site])
                    assert (status == Status.ABSENT) == (not positions)
                    if not positions or (layer + site + component) % 2:  # every other cell keeps the test quick
                        continue
                    patches = [(HOOKS[name].format(at_layer), p, None) for at_layer in layers for p in positions]
                    for sample in range(SAMPLES):
                        logits = naive_cell(lens, prompt, sample, patches, direction)[-1]
                        found = effects.restored[number, component, layer, site, sample].values
                        assert abs(found[0] - float(logits.softmax(-1)[11])) < TOLERANCE
                        assert abs(found[1] - float(logits[11])) < TOLERANCE
                        checked += 1
    assert checked > 80


def test_clean_and_corrupted_runs_and_effects(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, samples=SAMPLES, metrics=("probability", "rank"), progress="none")
    for number, prompt in enumerate(prompts):
        clean = lens.backend.model(prompt.tokens)[0, -1]
        assert abs(float(effects.clean[number, 0]) - float(clean.softmax(-1)[11])) < TOLERANCE
        assert effects.clean[number, 1] == 1 + int((clean[:46] > clean[11]).sum()), "rows of padding are not ranked"
        corrupted = [naive_cell(lens, prompt, sample, [])[-1].softmax(-1)[11].item() for sample in range(SAMPLES)]
        assert np.abs(effects.corrupted[number, :, 0].values - corrupted).max() < TOLERANCE
        total = float(clean.softmax(-1)[11]) - np.mean(corrupted)
        assert abs(float(total_effect(effects)[number, 0]) - total) < TOLERANCE
    assert effects.metric_sign.values.tolist() == [1, -1]
    assert float(effects.noise_floor.max()) < 1e-12
    assert json.loads(effects.attrs["window_layers"])["mlp_out"]["1"] == [1, 1]


def test_statuses_say_what_was_not_run(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, ("resid_pre", "resid_post"), samples=1, progress="none")
    status = effects.status.sel(component="resid_pre").values
    assert (status[0, :, :4] == Status.EXACT).all(), "before the subject nothing can change"
    assert (status[0, :, 4:8] == Status.MEASURED).all()
    assert (status[0, :, 8:] == Status.ABSENT).all(), "the written prompt is shorter"
    last = effects.status.sel(component="resid_post", layer=2).values
    assert (last[0, :7] == Status.EXACT).all()
    assert last[0, 7] == Status.MEASURED
    assert abs(effects.restored[0, 1, 2, 7] - effects.clean[0]).max() < TOLERANCE, (
        "the last state of all is the clean run"
    )


def test_resid_post_is_the_next_resid_pre(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, ("resid_pre", "resid_post"), samples=1, progress="none")
    pre, post = effects.restored.sel(component="resid_pre"), effects.restored.sel(component="resid_post")
    assert np.nanmax(np.abs(pre.values[:, 1:] - post.values[:, :-1])) < TOLERANCE


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


def test_answers_of_several_tokens_are_teacher_forced(lens) -> None:
    prompt = text_prompt(answer_ids=(11, 6, 25), foil_ids=(11, 8))
    metrics = ("log_probability", "log_probability_difference", "probability", "logit")
    effects = causal_trace(lens, [prompt], Grid(window=2), samples=1, metrics=metrics, progress="none")
    for component, layer, position in [("resid_pre", 1, 4), ("mlp_out", 1, 7), ("attn_out", 2, 7), ("resid_pre", 2, 5)]:
        layers = window_of(layer, 2) if component != "resid_pre" else [layer]
        patches = [(HOOKS[component].format(at_layer), position, None) for at_layer in layers]

        def summed(targets, patches=patches):
            logits = naive_cell(lens, prompt, 0, patches, forced=targets[:-1])[-len(targets) :]
            return float(sum(logits[place].log_softmax(-1)[token] for place, token in enumerate(targets)))

        found = effects.restored.sel(component=component, layer=layer, pos=position, prompt=0, sample=0).values
        answer, foil = summed((11, 6, 25)), summed((11, 8))
        assert abs(found[0] - answer) < TOLERANCE
        assert abs(found[1] - (answer - foil)) < TOLERANCE
        assert abs(found[2] - np.exp(answer)) < TOLERANCE


def test_shared_first_token_is_refused_for_first_token_metrics_only(lens) -> None:
    prompt = text_prompt(answer_ids=(11, 6), foil_ids=(11, 8))
    causal_trace(lens, [prompt], samples=1, metrics=("log_probability_difference",), progress="none")
    with pytest.raises(ValueError, match="begin with the same token"):
        causal_trace(lens, [prompt], samples=1, metrics=("logit_difference",), progress="none")


def test_prompts_together_equal_prompts_alone(lens, prompts) -> None:
    together = causal_trace(lens, prompts, Grid(at="role"), samples=SAMPLES, progress="none")
    small = TinyLens(lens.backend, memory_budget=50_000)
    reversed_order = causal_trace(small, prompts[::-1], Grid(at="role"), samples=SAMPLES, progress="none")
    assert np.nanmax(np.abs(together.restored.values - reversed_order.restored.values[::-1])) < TOLERANCE
    assert (together.prompt_id.values == reversed_order.prompt_id.values[::-1]).all()


def test_more_samples_keep_the_first_ones(lens, prompts) -> None:
    few = causal_trace(lens, prompts[:1], Grid(at="role"), samples=1, progress="none")
    many = causal_trace(lens, prompts[:1], Grid(at="role"), samples=3, progress="none")
    assert np.nanmax(np.abs(few.restored.values[..., 0, :] - many.restored.values[..., 0, :])) < TOLERANCE


def test_zero_noise_has_no_effect(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, samples=1, corruption=Noise(scale=0.0), progress="none")
    assert float(np.abs(total_effect(effects)).max()) < TOLERANCE
    assert float(np.abs(indirect_effect(effects)).max()) < TOLERANCE


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


def test_whole_subject_restored_before_block_zero_is_the_clean_run(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, Grid(("resid_pre",), at="role"), samples=SAMPLES, progress="none")
    subject = effects.restored.sel(layer=0, role="subject", component="resid_pre")
    assert float(np.abs(subject - effects.clean).max()) < TOLERANCE


def test_control_span_spares_the_subject(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, Grid(("resid_pre",), corrupted="control"), samples=1, progress="none")
    restored = effects.restored.sel(layer=0, component="resid_pre").isel(sample=0, metric=0)
    for number, prompt in enumerate(prompts):
        changed = np.flatnonzero(np.abs(restored[number] - float(effects.corrupted[number, 0, 0])).values > 1e-9)
        assert len(changed) == len(prompt.subject)
        assert not set(changed) & set(prompt.subject.positions)


def test_a_screened_control_keeps_the_controls_cells(lens, prompts) -> None:
    """Before block 0 only the control's own tokens (2 and 3) can move, so that no screen keeps the subject's there."""
    settings = {"samples": 1, "metrics": ("logit",), "progress": "none"}
    grid = Grid(("resid_pre",), corrupted="control")
    whole = causal_trace(lens, prompts[:1], grid, **settings)
    screened = causal_trace(lens, prompts[:1], grid, screen=0.6, **settings)
    before_block_0 = screened.status.values[0, 0, 0]
    assert before_block_0[[2, 3]].tolist() == [Status.MEASURED] * 2
    assert before_block_0[[4, 5]].tolist() == [Status.SCREENED] * 2
    assert json.loads(screened.attrs["config_json"])["keep"] == "each"
    assert json.loads(whole.attrs["config_json"])["keep"] is None


def test_the_noise_floor_is_measured_where_a_corruption_spares_the_first_token(lens, monkeypatch) -> None:
    """The first of the subject's units may stay in its place: the row that patches nothing must still be run."""
    import spiritlens.analysis.tracing.one_prompt as module
    import spiritlens.analysis.tracing.settings as settings_module

    def half(lens, prompt, corruption, **settings):
        embeddings = lens.backend.embed(prompt.tokens).clone()
        embeddings[:, prompt.subject.positions[1]] += 1.0
        return embeddings

    ran: list[tuple[int, ...]] = []
    original = module.sweep

    def watched(*args, **settings):
        result = original(*args, **settings)
        ran.append(result.unmoved)
        return result

    monkeypatch.setattr(settings_module, "corrupted_embeddings", half)
    monkeypatch.setattr(module, "sweep", watched)
    prompt = text_prompt()
    causal_trace(lens, [prompt], ("resid_pre",), samples=1, progress="none")
    assert 3 * len(prompt) not in ran[0], "the last cell patches nothing and is run"


def test_knock_out_needs_no_noise(lens, prompts) -> None:
    effects = causal_trace(lens, prompts, ("resid_pre",), samples=1, corruption=KnockOut("zero"), progress="none")
    assert np.isnan(effects.attrs["noise_scale_text"])
    embeddings = lens.backend.embed(prompts[0].tokens)
    embeddings[0, list(prompts[0].subject.positions)] = 0
    logits = lens.backend.model.run_with_hooks(
        prompts[0].tokens, fwd_hooks=[("hook_embed", lambda x, hook: embeddings)]
    )
    assert abs(float(effects.corrupted[0, 0, 0]) - float(logits[0, -1].softmax(-1)[11])) < TOLERANCE


def test_a_users_hook_takes_effect(lens, prompts) -> None:
    def double(x, hook):
        return torch.cat([x[:, :6], 2 * x[:, 6:]], dim=1)

    model = lens.backend.model
    plain = causal_trace(lens, prompts[:1], Grid(at="role"), samples=1, progress="none")
    both_runs.cache_clear()
    with model.hooks(fwd_hooks=[("blocks.1.hook_mlp_out", double)]):
        hooked = causal_trace(lens, prompts[:1], Grid(at="role", window=1), samples=1, progress="none")
        patches = [(HOOKS["resid_pre"].format(1), position, None) for position in (4, 5)]
        expected = naive_cell(lens, prompts[0], 0, patches)[-1].softmax(-1)[11]
    both_runs.cache_clear()
    found = hooked.restored.sel(
        component="resid_pre", layer=1, role="subject", metric="probability", prompt=0, sample=0
    )
    assert abs(float(found) - float(expected)) < TOLERANCE
    assert np.nanmax(np.abs(plain.restored.values - hooked.restored.values)) > 1e-4


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


def test_symmetric_replacement_is_a_run_of_the_other_subject(lens) -> None:
    donor = make_prompt((1, 30, 7, 21, 17, 18, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))
    corruption = Replacement("symmetric", (donor,))
    effects = causal_trace(lens, [text_prompt()], ("resid_pre",), samples=2, corruption=corruption, progress="none")
    expected = lens.backend.model(donor.tokens)[0, -1].softmax(-1)[11]
    assert np.abs(effects.corrupted[0, :, 0].values - float(expected)).max() < TOLERANCE
    assert effects.attrs["corruption"] == "symmetric replacement of the tokens of the subject"
    assert json.loads(effects.attrs["config_json"])["corruption"]["donors"] == [donor.id]


def test_shuffled_units_corrupt_speech_without_noise(lens) -> None:
    effects = causal_trace(
        lens,
        [spoken_prompt()],
        Grid(("resid_pre",), at="role"),
        samples=3,
        corruption=Replacement("shuffle"),
        progress="none",
    )
    subject = effects.restored.sel(layer=0, role="subject")
    assert float(np.abs(subject - effects.clean).max()) < TOLERANCE
    assert float(np.abs(total_effect(effects)).max()) > 1e-4


def test_bfloat16_models_are_read_out_in_float32() -> None:
    """A bfloat16 logit has eight bits: had the unembedding been rounded, all values would survive the cast."""
    lens = tiny_lens(dtype=torch.bfloat16)
    effects = causal_trace(lens, [text_prompt()], ("resid_pre",), samples=1, metrics=("logit",), progress="none")
    values = torch.from_numpy(effects.restored.values[0, 0, :, 4:].reshape(-1))
    assert values.dtype == torch.float32
    assert (values.bfloat16().float() != values).float().mean() > 0.5


def test_ctrl_c_returns_what_is_finished(lens, prompts, monkeypatch) -> None:
    import spiritlens.analysis.tracing.causal_tracing as module

    original, calls = module.trace_prompt, []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(module, "trace_prompt", interrupted)
    with pytest.warns(UserWarning, match="1 finished of 2"):
        effects = causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none")
    assert effects.prompt_id.values.tolist() == [prompts[0].id]


def test_a_folder_resumes_after_an_interruption(lens, prompts, monkeypatch, tmp_path) -> None:
    import spiritlens.analysis.tracing.causal_tracing as module

    whole = causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none")
    original = module.trace_prompt
    traced: list[str] = []

    def once(lens, prompt, *args, **kwargs):
        if traced:
            raise KeyboardInterrupt
        traced.append(prompt.id)
        return original(lens, prompt, *args, **kwargs)

    monkeypatch.setattr(module, "trace_prompt", once)
    with pytest.raises(KeyboardInterrupt):
        causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none", folder=tmp_path)
    traced.clear()
    effects = causal_trace(lens, prompts, Grid(at="role"), samples=1, progress="none", folder=tmp_path)
    assert traced == [prompts[1].id], "the first prompt was not traced again"
    assert np.array_equal(effects.restored.values, whole.restored.values, equal_nan=True)
    with pytest.raises(ValueError, match=r"other settings"):
        causal_trace(lens, prompts, Grid(at="role"), samples=Draws(1, seed=1), progress="none", folder=tmp_path)


def test_screen_keeps_a_fraction_and_averages_want_common_cells(lens) -> None:
    spoken = [spoken_prompt(fact_id="a")]
    other = make_prompt(
        (1, 31, 34, 38, 36, 40, 39, 41, 32, 37, 44, 39, 33, 30), spoken[0].word_index, (4, 5, 6, 7), fact_id="b"
    )
    pair = [*spoken, other]
    whole = causal_trace(lens, pair, ("resid_pre",), samples=1, progress="none")
    each = causal_trace(lens, pair, ("resid_pre",), samples=1, screen=0.25, progress="none")
    common = causal_trace(lens, pair, ("resid_pre",), samples=1, screen=Screen(0.25, keep="common"), progress="none")
    for effects in (each, common):
        kept = (effects.status.values == Status.MEASURED) | (effects.status.values == Status.EXACT)
        assert (kept.reshape(2, -1).sum(1) == 11).all()
        assert (effects.status.values[~kept] == Status.SCREENED).all()
        assert np.nanmax(np.abs((effects.restored - whole.restored).values)) < TOLERANCE
    assert (common.status.values[0] == common.status.values[1]).all()
    assert not (each.status.values[0] == each.status.values[1]).all()
    with pytest.raises(ValueError, match="screen"):
        average_effects(each)


BAD_INPUT = {
    "samples=0: expected a whole number ≥ 1": lambda: {"samples": 0},
    "window=0: expected a whole number ≥ 1": lambda: {"grid": Grid(window=0)},
    "no 'mlp' here; name one or more of": lambda: {"grid": ("resid_pre", "mlp")},
    "mix heads": lambda: {"grid": ("resid_pre", "z")},
    "contradict": lambda: {"grid": Grid(("mlp_out",), sever="mlp")},
    "contradict each other": lambda: {"grid": Grid(("z",), sever="attn")},
    "at='unit': expected one of token, word": lambda: {"grid": Grid(at="unit")},
    "direction": lambda: {"grid": Grid(direction="restoring")},
    "corrupted='controls'": lambda: {"grid": Grid(corrupted="controls")},
    "grid has heads='together', which this method does not know": lambda: {"grid": Grid(heads="together")},
    "no span 'predicate'": lambda: {"grid": Grid(at="span", spans=("predicate",))},
    "expected a Grid, or the names of components": lambda: {"grid": 5},
    "metric 'perplexity' is unknown": lambda: {"metrics": ("perplexity",)},
    "screen=0: expected a number > 0 and ≤ 1": lambda: {"screen": 0},
    "keep='all'": lambda: {"screen": Screen(0.5, keep="all")},
    "'rank' has no": lambda: {"metrics": ("rank", "probability"), "screen": 0.5},
}


@pytest.mark.parametrize("message", BAD_INPUT)
def test_bad_input_gets_one_clear_error(lens, prompts, message) -> None:
    with pytest.raises(ValueError, match=message):
        causal_trace(lens, prompts, progress="none", **{"samples": 1, **BAD_INPUT[message]()})


def test_unknown_answers_are_refused_or_marked(lens) -> None:
    wrong = next(
        i for i in range(3, 30) if i != int(lens.backend.model(text_prompt().tokens)[0, -1, 3:30].argmax()) + 3
    )
    prompt = text_prompt(answer_ids=(wrong,))
    with pytest.raises(ValueError, match="does not know"):
        rome(lens, [prompt])
    assert causal_trace(lens, [prompt], Grid(at="role"), samples=1, progress="none").known.values.tolist() == [0]


def test_prompts_must_be_several_and_different(lens, prompts) -> None:
    with pytest.raises(ValueError, match="prompts is empty"):
        causal_trace(lens, [], progress="none")
    with pytest.raises(ValueError, match="twice"):
        causal_trace(lens, [prompts[0], prompts[0]], progress="none")
    with pytest.raises(ValueError, match=r"expected several; write"):
        causal_trace(lens, prompts[0], progress="none")
    with pytest.raises(ValueError, match="foil"):
        causal_trace(lens, [text_prompt(foil_ids=())], metrics=("logit_difference",), progress="none")
