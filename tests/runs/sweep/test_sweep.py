"""The sweep against TransformerLens's plain pass of every cell and sample, in float64; no code is shared."""

import itertools

import pytest
import torch
from either_kind import run_hooked
from torch import Tensor, nn

from spiritlens.models.blocks import attending
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.runs.sweep import columns
from spiritlens.runs.sweep import sweep as sweeping
from spiritlens.runs.sweep.plan import Action
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import SweepResult, plan_sweep, resolved_memory_budget
from spiritlens.shapes import ShapeError

TOLERANCE = 1e-10
TOKENS = torch.tensor([[1, 17, 5, 33, 8, 21, 40, 9]])
SUBJECT = (2, 3)
SAMPLES = 2
NAMES = {
    "resid_pre": "blocks.{}.hook_resid_pre",
    "resid_mid": "blocks.{}.hook_resid_mid",
    "resid_post": "blocks.{}.hook_resid_post",
    "attn_out": "blocks.{}.hook_attn_out",
    "mlp_out": "blocks.{}.hook_mlp_out",
    "q": "blocks.{}.attn.hook_q",
    "k": "blocks.{}.attn.hook_k",
    "v": "blocks.{}.attn.hook_v",
    "z": "blocks.{}.attn.hook_z",
}
SPANS = [(0,), (1,), (2,), (3,), (5,), (7,), (2, 3), (4, 6), (1, 2, 7), tuple(range(8))]


def score(logits: Tensor) -> Tensor:
    """Two numbers per row: the probability of token 11 and the logit of token 4, summed over read-outs."""
    return torch.stack([logits.softmax(-1)[:, :, 11].sum(1), logits[:, :, 4].sum(1)], dim=-1)


def corrupted_embeddings(llama: nn.Module, samples: int = SAMPLES, scale: float = 0.5) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    embeddings = llama.embed(TOKENS).repeat(samples, 1, 1)
    noise = torch.randn(samples, len(SUBJECT), embeddings.shape[-1], generator=generator, dtype=torch.float64)
    embeddings[:, list(SUBJECT)] += scale * noise.to(embeddings.dtype)
    return embeddings


@torch.no_grad()
def naive_values(llama, programs, direction, n_readouts=1, embeddings=None) -> Tensor:
    """[cell sample metric] of TransformerLens's pass with hooks: a row for each cell and sample, which no other row
    touches (`test_rows_of_the_slow_twin_are_passes_of_their_own`)."""
    embeddings = corrupted_embeddings(llama) if embeddings is None else embeddings
    samples = len(embeddings)
    _, clean = llama.run_with_cache(TOKENS)
    with llama.hooks(fwd_hooks=[("hook_embed", lambda x, hook: embeddings.clone())]):
        _, corrupted = llama.run_with_cache(TOKENS.repeat(samples, 1))
    puts: dict[str, list[tuple[int, Action, Tensor]]] = {}
    for cell, sample in itertools.product(range(len(programs)), range(samples)):
        for layer, actions in programs[cell].items():
            for action in actions:
                name = NAMES[action.component].format(layer)
                from_clean = (action.run == "source") == (direction == "denoising")
                taken = clean[name][0] if from_clean else corrupted[name][sample]
                puts.setdefault(name, []).append((cell * samples + sample, action, taken))

    def put(x, hook):
        x = x.clone()
        for row, action, taken in puts[hook.name]:
            for position in action.positions:
                if action.head is None:
                    x[row, position] = taken[position]
                else:
                    x[row, position, action.head] = taken[position, action.head]
        return x

    noise = [("hook_embed", lambda x, hook: embeddings.repeat(len(programs), 1, 1))] if direction == "denoising" else []
    tokens = TOKENS.repeat(len(programs) * samples, 1)
    logits = run_hooked(llama, tokens, [*noise, *((name, put) for name in puts)])[:, -n_readouts:]
    return score(logits).unflatten(0, (len(programs), samples))


def run_sweep(inside, programs, direction, embeddings=None, *, two_runs=True, **settings) -> SweepResult:
    """`two_runs`: the sweep knows that base and source are runs of the same tokens."""
    if embeddings is None:
        embeddings = corrupted_embeddings(inside.model)
    base, source = (embeddings, None) if direction == "denoising" else (None, embeddings)
    pair, planned = RunPair(TOKENS, base, source), {"n_readouts", "always"} & set(settings)
    plan = {name: settings.pop(name) for name in planned}
    plan["two_runs"] = two_runs
    sweep = plan_sweep(inside, programs, TOKENS.shape[1], pair.first_changed(inside), **plan)
    runs = pair.record(inside, sweep.names, sweep.n_readouts, sweep.first_changed if two_runs else 0)
    return sweep.run(inside, runs, score, **settings)


def single_layer(component: str, head: int | None = None) -> list[dict[int, tuple[Action, ...]]]:
    return [{layer: (Action(component, span, head),)} for layer in range(3) for span in SPANS]


def windows(component: str, width: int) -> list[dict[int, tuple[Action, ...]]]:
    programs = []
    for span in SPANS:
        for centre in range(3):
            first = centre - width // 2
            programs.append(
                {layer: (Action(component, span),) for layer in range(max(0, first), min(3, first + width))}
            )
    return programs


def severed(component: str, held: str) -> list[dict[int, tuple[Action, ...]]]:
    order = list(NAMES)
    programs = []
    for span in SPANS:
        for layer in range(3):
            program = {layer: [Action(component, span)]}
            for later in range(layer, 3):
                if later > layer or order_of(held) > order_of(component):
                    program.setdefault(later, []).append(Action(held, span, None, "base"))
            programs.append({at: tuple(actions) for at, actions in program.items()})
    assert len(order) == 9
    return programs


def order_of(component: str) -> int:
    return ("resid_pre", "q", "k", "v", "z", "attn_out", "resid_mid", "mlp_out", "resid_post").index(component)


GRIDS = {
    **{name: single_layer(name) for name in NAMES},
    **{f"{name} head 1": single_layer(name, 1) for name in ("q", "k", "v", "z")},
    **{f"{name} window {width}": windows(name, width) for name in ("attn_out", "mlp_out") for width in (1, 2, 3, 10)},
    **{
        f"{name} severed {held}": severed(name, held)
        for name, held in [
            ("resid_pre", "mlp_out"),
            ("resid_pre", "attn_out"),
            ("resid_mid", "mlp_out"),
            ("resid_post", "mlp_out"),
            ("resid_post", "attn_out"),
            ("attn_out", "mlp_out"),
            ("mlp_out", "attn_out"),
            ("z", "mlp_out"),
        ]
    },
}


@pytest.mark.parametrize("direction", ["denoising", "noising"])
@pytest.mark.parametrize("grid", GRIDS)
def test_equals_a_hooked_pass_of_every_cell(llama, inside, grid, direction) -> None:
    expected = naive_values(llama, GRIDS[grid], direction)
    for two_runs in (True, False):
        found = run_sweep(inside, GRIDS[grid], direction, two_runs=two_runs)
        assert (found.values - expected).abs().max() < TOLERANCE
    assert expected.std(0).max() > 1e-4, "a grid on which nothing happens shows nothing"


def test_rows_of_the_slow_twin_are_passes_of_their_own(llama) -> None:
    """Cells of every kind and both samples: together in one batch, and each in a pass of one row."""
    kinds = (*NAMES, "q head 1", "z head 1", "attn_out window 3", "resid_pre severed mlp_out")
    cells = [GRIDS[grid][place] for place, grid in enumerate(kinds, 9)]
    together, embeddings = naive_values(llama, cells, "denoising"), corrupted_embeddings(llama)
    for cell, sample in itertools.product(range(len(cells)), range(SAMPLES)):
        alone = naive_values(llama, [cells[cell]], "denoising", embeddings=embeddings[sample : sample + 1])
        assert (together[cell, sample] - alone[0, 0]).abs().max() < TOLERANCE


def test_what_two_runs_share_is_not_run(llama, inside) -> None:
    """Put back up to the last token that differs, a row is the source run so far."""
    moved = [{layer: (Action("resid_pre", SUBJECT),)} for layer in range(3)]
    found = [run_sweep(inside, moved, "denoising", two_runs=two_runs).values for two_runs in (True, False)]
    expected = naive_values(llama, moved, "denoising")
    assert all((values - expected).abs().max() < TOLERANCE for values in found)


def test_cells_of_several_components_share_columns(llama, inside) -> None:
    mixed = [
        program for grid in ("resid_pre", "z head 1", "attn_out window 2", "mlp_out", "k") for program in GRIDS[grid]
    ]
    expected = naive_values(llama, mixed, "denoising")
    assert (run_sweep(inside, mixed, "denoising").values - expected).abs().max() < TOLERANCE


def test_several_readouts(llama, inside) -> None:
    """Teacher-forced answers are scored at the last positions; a patch may lie on one of them."""
    for grid in ("resid_pre", "mlp_out window 2", "attn_out", "z head 1", "q", "resid_post severed mlp_out"):
        expected = naive_values(llama, GRIDS[grid], "denoising", n_readouts=3)
        found = run_sweep(inside, GRIDS[grid], "denoising", n_readouts=3)
        assert (found.values - expected).abs().max() < TOLERANCE


def test_memory_budgets_agree(inside) -> None:
    grid = GRIDS["attn_out window 3"] + GRIDS["resid_pre"]
    whole = run_sweep(inside, grid, "denoising").values
    for budget in (1, 100_000, 400_000):
        assert (run_sweep(inside, grid, "denoising", memory_budget=budget).values - whole).abs().max() < TOLERANCE


@pytest.mark.parametrize(
    ("module", "constant", "value"),
    [
        (columns, "TOKENS_AT_ONCE", 1),
        (columns, "TOKENS_AT_ONCE", 40),
        (sweeping, "READ_AT_ONCE", 1),
        (attending, "PREFIX_TO_SHARE", 0),
        (attending, "PREFIX_TO_SHARE", 100),
    ],
)
def test_pieces_and_ways_of_computing_agree(inside, monkeypatch, module, constant, value) -> None:
    """What is chosen by size changes nothing."""
    grid = [cell for name in ("resid_pre", "mlp_out window 2", "q head 1", "resid_mid") for cell in GRIDS[name]]
    expected = run_sweep(inside, grid, "denoising").values
    monkeypatch.setattr(module, constant, value)
    assert (run_sweep(inside, grid, "denoising").values - expected).abs().max() < TOLERANCE


def test_one_cell_at_a_time_agrees(inside) -> None:
    grid = GRIDS["mlp_out window 2"]
    together = run_sweep(inside, grid, "noising").values
    alone = torch.cat([run_sweep(inside, [program], "noising").values for program in grid])
    assert (together - alone).abs().max() < TOLERANCE


def test_user_hook_on_an_absolute_position_takes_effect(llama, inside) -> None:
    def users(activation: Tensor, hook: object) -> Tensor:
        changed = activation.clone()
        changed[:, 5] = 2 * changed[:, 5] + changed[:, 1]
        return changed

    grids = (
        GRIDS["resid_pre"] + GRIDS["resid_mid"] + GRIDS["resid_post"] + GRIDS["mlp_out window 2"] + GRIDS["z head 1"]
    )
    without = run_sweep(inside, grids, "denoising").values
    for name in ("blocks.1.hook_resid_pre", "blocks.1.hook_mlp_out"):
        with llama.hooks(fwd_hooks=[(name, users)]):
            expected = naive_values(llama, grids, "denoising")
            found = run_sweep(inside, grids, "denoising", memory_budget=2_000_000).values
        assert (found - expected).abs().max() < TOLERANCE
        assert (found - without).abs().max() > 1e-3


def test_identities(llama, inside: BlockLensModel) -> None:
    everything, last = tuple(range(8)), 7
    cells = [
        *({layer: (Action("resid_pre", everything),)} for layer in range(3)),
        {0: (Action("resid_pre", SUBJECT),)},
        {2: (Action("resid_post", (last,)),)},
        {0: (Action("resid_pre", (0, 1)),)},
        {1: (Action("mlp_out", (0, 1)),)},
        {1: (Action("resid_pre", everything, None, "base"),)},
    ]
    result = run_sweep(inside, cells, "denoising")
    clean = score(llama(TOKENS)[:, -1:])
    assert (result.source - clean).abs().max() < TOLERANCE
    assert (result.values[:5] - clean).abs().max() < TOLERANCE, (
        "restoring all that the corruption touched is the clean run"
    )
    assert torch.equal(result.values[5:], result.base.expand(3, -1, -1)), "what cannot change is the base run exactly"
    assert result.unmoved == (5, 6, 7)


def test_zero_noise_moves_nothing(inside) -> None:
    embeddings = corrupted_embeddings(inside.model, scale=0.0)
    result = run_sweep(inside, GRIDS["resid_pre"], "denoising", embeddings)
    assert len(result.unmoved) == len(GRIDS["resid_pre"])
    assert (result.values - result.source).abs().max() < TOLERANCE


def test_noising_a_layer_is_denoising_its_complement(inside) -> None:
    """A residual layer is parted between two runs: which of them is called the base makes no difference."""
    for span in [(2,), (2, 3), (1, 5), (3, 7)]:
        rest = tuple(position for position in range(8) if position not in span)
        for layer in range(3):
            noised = run_sweep(inside, [{layer: (Action("resid_pre", span),)}], "noising").values
            restored = run_sweep(inside, [{layer: (Action("resid_pre", rest),)}], "denoising").values
            assert (noised - restored).abs().max() < TOLERANCE


def test_all_heads_together_are_attn_out(inside) -> None:
    attn = run_sweep(inside, GRIDS["attn_out"], "denoising").values
    heads = run_sweep(inside, GRIDS["z"], "denoising").values
    assert (attn - heads).abs().max() < TOLERANCE


def test_restoring_every_output_and_the_embeddings_is_the_clean_run(inside) -> None:
    """The stream is the embedding plus what attention and MLPs add; restored all over, nothing corrupted is left."""
    everywhere = tuple(range(8))
    outputs = {layer: (Action("attn_out", everywhere), Action("mlp_out", everywhere)) for layer in range(3)}
    with_embeddings = outputs | {0: (Action("resid_pre", SUBJECT), *outputs[0])}
    result = run_sweep(inside, [with_embeddings, outputs], "denoising")
    assert (result.values[0] - result.source).abs().max() < TOLERANCE
    # without the embeddings the subject's own residuals stay corrupted, but no read-out reads them
    assert (result.values[1] - result.source).abs().max() < TOLERANCE


def test_window_of_one_is_the_single_layer(inside) -> None:
    for component in ("attn_out", "mlp_out"):
        one = run_sweep(inside, GRIDS[f"{component} window 1"], "denoising").values
        single = run_sweep(inside, GRIDS[component], "denoising").values.unflatten(0, (3, len(SPANS)))
        assert (one.unflatten(0, (len(SPANS), 3)).transpose(0, 1) - single).abs().max() < TOLERANCE


def test_queries_keys_and_values_of_all_heads_are_pattern_and_values(llama, inside) -> None:
    everywhere = tuple(range(8))
    _, clean = llama.run_with_cache(TOKENS)
    embeddings = corrupted_embeddings(llama)
    together = {1: tuple(Action(name, everywhere) for name in ("q", "k", "v"))}
    found = run_sweep(inside, [together], "denoising").values[0]
    for sample in range(SAMPLES):
        hooks = [("hook_embed", lambda x, hook, sample=sample: embeddings[sample : sample + 1])]
        hooks += [(f"blocks.1.attn.hook_{name}", lambda x, hook: clean[hook.name]) for name in ("pattern", "v")]
        expected = score(llama.run_with_hooks(TOKENS, fwd_hooks=hooks)[:, -1:])[0]
        assert (found[sample] - expected).abs().max() < TOLERANCE


def test_severing_all_leaves_the_direct_path(llama, inside) -> None:
    """Logits = unembed(norm(corrupted final residual + (clean − corrupted) residual of the restored layer))."""
    embeddings, last = corrupted_embeddings(llama), 7
    _, clean = llama.run_with_cache(TOKENS)
    for layer in range(3):
        held = {
            at: (Action("attn_out", (last,), None, "base"), Action("mlp_out", (last,), None, "base"))
            for at in range(layer, 3)
        }
        program = held | {layer: (Action("resid_pre", (last,)), *held[layer])}
        found = run_sweep(inside, [program], "denoising").values[0]
        for sample in range(SAMPLES):
            with llama.hooks(fwd_hooks=[("hook_embed", lambda x, hook, s=sample: embeddings[s : s + 1])]):
                _, corrupted = llama.run_with_cache(TOKENS)
            name = f"blocks.{layer}.hook_resid_pre"
            final = corrupted["blocks.2.hook_resid_post"][:, last:] + (clean[name] - corrupted[name])[:, last:]
            expected = score(llama.unembed(llama.ln_final(final)))[0]
            assert (found[sample] - expected).abs().max() < TOLERANCE


def test_severing_where_nothing_follows_changes_nothing(inside) -> None:
    plain = [{2: (Action("resid_mid", span),)} for span in SPANS]
    cut = [{2: (Action("resid_mid", span), Action("attn_out", span, None, "base"))} for span in SPANS]
    found, expected = (run_sweep(inside, grid, "denoising").values for grid in (cut, plain))
    assert (found - expected).abs().max() < TOLERANCE


def test_corrupted_into_corrupted_is_the_corrupted_run(inside) -> None:
    nothing = [{layer: (Action(name, (2, 4, 7), None, "base"),)} for layer in range(3) for name in NAMES]
    result = run_sweep(inside, nothing, "denoising", always=range(len(nothing)))
    assert not result.unmoved
    assert (result.values - result.base).abs().max() < TOLERANCE


def test_runs_that_do_not_fit_are_refused(inside) -> None:
    embeddings = corrupted_embeddings(inside.model)
    with pytest.raises(ShapeError, match="axis pos: expected 8, found 7"):
        run_sweep(inside, GRIDS["q"], "denoising", embeddings[:, :7])
    with pytest.raises(ShapeError, match="3 axes expected"):
        run_sweep(inside, GRIDS["q"], "denoising", embeddings[0])


def test_the_default_budget_is_the_machines_and_not_the_moments(monkeypatch) -> None:
    """What is free is not asked for; a quarter of the whole, at most 1 GiB."""
    cpu = torch.device("cpu")
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**19}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    assert resolved_memory_budget(cpu) == 2**29
    pages["SC_PHYS_PAGES"] = 2**24
    assert resolved_memory_budget(cpu) == 2**30
    assert resolved_memory_budget(cpu, 7) == 7
    for wrong in (0, -1, 1.5, float("nan"), True, "1"):
        with pytest.raises(ValueError, match=r"memory_budget=.*whole number ≥ 1"):
            resolved_memory_budget(cpu, wrong)
