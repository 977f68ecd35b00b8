"""Activation patching beside `transformer_lens.patching`: same numbers, and how much faster.

`python benchmarks/patching.py` makes a Llama of random weights and a pair of prompts (another subject), and computes
every grid

- with `transformer_lens.patching` on the model as its users load it (weights laid out as TransformerLens stores them,
  which it copies on every forward pass) and on our views of the checkpoint;
- with `spiritlens.analysis.activation_patching.activation_patch` (grids by position), or the cells it is made of (all
  positions).

Rivals take turns in every round; printed is the median over rounds after one warm-up, in seconds, with the largest
difference of any cell. Numbers must agree to 1e-5 (float32).
"""

import contextlib
import copy
import io
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import tyro
from torch import Tensor
from transformer_lens import ActivationCache, HookedTransformer, patching

from spiritlens.analysis.activation_patching import activation_patch
from spiritlens.analysis.patch_runs import Patch, RunSpec, patch_values
from spiritlens.models.lens import Lens
from spiritlens.models.planted_circuits import Planted, planted, planted_vocabulary
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.metrics import scorers

METRIC = "logit_difference"


@dataclass(frozen=True)
class Grid:
    """One grid: TransformerLens's function, our component, and whether sites are single positions and heads are
    apart."""

    name: str
    rival: Callable[..., Tensor]
    component: str
    by_position: bool
    by_head: bool


GRIDS = (
    Grid("resid_pre by position", patching.get_act_patch_resid_pre, "resid_pre", True, False),
    Grid("resid_mid by position", patching.get_act_patch_resid_mid, "resid_mid", True, False),
    Grid("attn_out by position", patching.get_act_patch_attn_out, "attn_out", True, False),
    Grid("mlp_out by position", patching.get_act_patch_mlp_out, "mlp_out", True, False),
    Grid("z by position", patching.get_act_patch_attn_head_out_by_pos, "z", True, True),
    Grid("q by position", patching.get_act_patch_attn_head_q_by_pos, "q", True, True),
    Grid("k by position", patching.get_act_patch_attn_head_k_by_pos, "k", True, True),
    Grid("v by position", patching.get_act_patch_attn_head_v_by_pos, "v", True, True),
    Grid("z, all positions", patching.get_act_patch_attn_head_out_all_pos, "z", False, True),
    Grid("q, all positions", patching.get_act_patch_attn_head_q_all_pos, "q", False, True),
    Grid("k, all positions", patching.get_act_patch_attn_head_k_all_pos, "k", False, True),
    Grid("v, all positions", patching.get_act_patch_attn_head_v_all_pos, "v", False, True),
    Grid("pattern, all positions", patching.get_act_patch_attn_head_pattern_all_pos, "pattern", False, True),
)


def main(
    layers: int = 8,
    d_model: int = 512,
    heads: int = 8,
    rows: int = 8192,
    rounds: int = 3,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Compare all grids on a written and a spoken prompt of a random Llama (`rows`: size of the vocabulary)."""
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore")
    lens = random_lens(layers, d_model, heads, rows, seed)
    stock = stock_copy(lens.model)
    print(f"{layers} layers, d_model {d_model}, {heads} heads, {rows} rows, float32, {threads} thread(s)")
    print(
        f"{'grid':<26}{'tokens':>7}{'cells':>7}{'TL':>9}{'TL views':>10}{'ours':>9}{'ratio':>8}{'views':>8}"
        f"{'difference':>12}"
    )
    subject_of = Planted("fact machine", lens, planted("fact machine").truth)
    for prompt in (subject_of.text("marlo", "fronted"), subject_of.speech("marlo", "fronted")):
        other = subject_of.counterfactual(prompt)
        for grid in GRIDS:
            compare(lens, stock, prompt, other, grid, rounds)


def random_lens(layers: int, d_model: int, heads: int, rows: int, seed: int) -> Lens:
    """A lens on random weights, with views as checkpoints are loaded, and the planted circuits' vocabulary."""
    shape = random_config(n_layers=layers, d_model=d_model, n_heads=heads, d_mlp=d_model * 11 // 4, d_vocab=rows)
    inside = random_lens_model(shape, seed, torch.float32)
    return Lens(model=inside.model, vocabulary=replace(planted_vocabulary(), size=rows), name="random")


def stock_copy(model: HookedTransformer) -> HookedTransformer:
    """The same weights in TransformerLens's own layout."""
    copy = HookedTransformer(replace_config(model))
    copy.load_state_dict(
        {name: value.clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()},
        strict=False,
    )
    return copy.eval().requires_grad_(False)


def replace_config(model: HookedTransformer) -> object:
    """The model's config as a value of its own."""

    return copy.deepcopy(model.cfg)


def compare(lens: Lens, stock: HookedTransformer, prompt: Prompt, other: Prompt, grid: Grid, rounds: int) -> None:
    """Print one line: seconds of the three, ratios, largest difference."""
    rivals = {
        "stock": lambda: rival_values(stock, prompt, other, grid),
        "views": lambda: rival_values(lens.model, prompt, other, grid),
        "ours": lambda: our_values(lens, prompt, other, grid),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    values: dict[str, np.ndarray] = {}
    for turn in range(rounds + 1):
        for name, run in rivals.items():
            start = time.perf_counter()
            values[name] = run()
            if turn or (name == "ours" and rounds == 0):
                seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(found) for name, found in seconds.items()}
    difference = max(np.abs(values["ours"] - values[name]).max() for name in ("stock", "views"))
    if difference > 1e-5 * max(1.0, np.abs(values["views"]).max()):
        raise ValueError(f"{grid.name}: values differ by {difference:.2g}")
    print(
        f"{grid.name:<26}{len(prompt):>7}{values['ours'].size:>7}{median['stock']:>9.3f}{median['views']:>10.3f}"
        f"{median['ours']:>9.3f}{median['stock'] / median['ours']:>7.1f}x{median['views'] / median['ours']:>7.1f}x"
        f"{difference:>12.1e}",
        flush=True,
    )


def rival_values(model: HookedTransformer, prompt: Prompt, other: Prompt, grid: Grid) -> np.ndarray:
    """TransformerLens's grid: the counterfactual run with clean activations."""
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]

    def metric(logits: Tensor) -> Tensor:
        return logits[0, -1, answer] - logits[0, -1, foil]

    with torch.no_grad():
        _, cache = model.run_with_cache(prompt.tokens)
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
            found = grid.rival(model, other.tokens, ActivationCache(dict(cache), model), metric)
    return found.numpy()


def our_values(lens: Lens, prompt: Prompt, other: Prompt, grid: Grid) -> np.ndarray:
    """The same grid of ours, in the same axes: layer, position (if any), head (if any)."""
    if grid.by_position:
        found = activation_patch(
            lens,
            [prompt],
            [other],
            (grid.component,),
            heads="each" if grid.by_head else "together",
            metrics=(METRIC,),
            progress="none",
        )
        return found["restored"].isel(prompt=0, component=0, sample=0, metric=0).values
    places = tuple(range(len(prompt)))
    cells = [
        Patch(grid.component, (layer,), places, head) for layer in range(lens.n_layers) for head in range(lens.n_heads)
    ]
    text_ids = lens.vocabulary.text_ids.tolist()
    (scorer,) = scorers((METRIC,), prompt.answer_ids, prompt.foil_ids, text_ids, lens.device)
    values = patch_values(lens.inside, RunSpec(other), RunSpec(prompt), cells, scorer, clean="source").values
    return values[:, 0, 0].reshape(lens.n_layers, lens.n_heads).numpy()


if __name__ == "__main__":
    tyro.cli(main)
