"""Activation patching beside `transformer_lens.patching`: same numbers, and how much faster.

    python benchmarks/patching.py                            # 11 written tokens, 64 spoken ones; 8 layers of width 512
    python benchmarks/patching.py --d-model 256 --rows 1528  # the size of the model shipped with spiritlens

A Llama of random weights, a pair of prompts (another subject), and every grid

- by `transformer_lens.patching`, on the model as its users load it (weights laid out as TransformerLens stores them,
  which it copies on every forward pass) and on our views of the checkpoint;
- by `spiritlens.analysis.patching.activation_patching.activation_patch` (grids by position), or the cells it is made
  of (all positions: one cell per layer and head, so that there is little to share).

Rivals run a seeded sample of `--cells` cells, spread over the rounds, and are *scaled* to the grid (``--cells 0``: all
cells, every round); ours runs the whole grid in every round. Printed are medians over rounds after one warm-up, in
seconds, ratios, and the largest difference of any cell that both ran: at most 1e-5 (float32).
"""

import contextlib
import copy
import io
import itertools
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
import tyro
from hooked import HookedTransformer
from torch import Tensor
from transformer_lens import ActivationCache, patching

from spiritlens.analysis.grid import grid as grids
from spiritlens.analysis.patching.activation_patching import activation_patch
from spiritlens.analysis.patching.grid import Patch
from spiritlens.analysis.patching.patch_values import RunSpec, patch_values
from spiritlens.models.lens import Lens
from spiritlens.models.planted.planted import Planted, planted
from spiritlens.models.planted.vocabulary import planted_vocabulary
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.prompts.building.segments import SpeechSegment
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.scoring import scorers
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval

METRIC = "logit_difference"
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
SPOKEN_WORDS = (2, 17, 14, 14, 14)
"""Units of each word of the spoken prompt; the second word is the subject."""
Cell = tuple[int, ...]
"""Layer, position (if any), head (if any)."""


@dataclass(frozen=True)
class Grid:
    """One grid: TransformerLens's function, our component, and whether sites are single positions and heads are
    apart."""

    name: str
    rival: partial[Tensor]
    component: str
    by_position: bool
    by_head: bool

    def cells(self, lens: Lens, n_positions: int) -> list[Cell]:
        """All cells, in the order of our values."""
        axes = [range(lens.n_layers)]
        axes += [range(n_positions)] * self.by_position + [range(lens.n_heads)] * self.by_head
        return list(itertools.product(*axes))


GRIDS = (
    Grid("resid_pre by position", patching.get_act_patch_resid_pre, "resid_pre", True, False),
    Grid("resid_mid by position", patching.get_act_patch_resid_mid, "resid_mid", True, False),
    Grid("attn_out by position", patching.get_act_patch_attn_out, "attn_out", True, False),
    Grid("mlp_out by position", patching.get_act_patch_mlp_out, "mlp_out", True, False),
    Grid("z by position", patching.get_act_patch_attn_head_out_by_pos, "z", True, True),
    Grid("q by position", patching.get_act_patch_attn_head_q_by_pos, "q", True, True),
    Grid("k by position", patching.get_act_patch_attn_head_k_by_pos, "k", True, True),
    Grid("v by position", patching.get_act_patch_attn_head_v_by_pos, "v", True, True),
    Grid("pattern by position", patching.get_act_patch_attn_head_pattern_by_pos, "pattern", True, True),
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
    cells: int = 48,
    rounds: int = 3,
    threads: int = 1,
    clock: Literal["wall", "cpu"] = "wall",
    prompts: tuple[Literal["written", "spoken"], ...] = ("written", "spoken"),
    grids: tuple[str, ...] = (),
    seed: int = 0,
) -> None:
    """Compare the grids (default: all) on prompts of a random Llama; `rows`: size of the vocabulary."""
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore")
    lens = random_lens(layers, d_model, heads, rows, seed)
    stock = stock_copy(lens.model)
    print(
        f"{layers} layers, d_model {d_model}, {heads} heads, {rows} rows, float32, {threads} thread(s), {clock} seconds"
    )
    print(
        f"{'grid':<24}{'tokens':>7}{'cells':>7}{'ran':>6}{'TL':>9}{'TL views':>10}{'ours':>9}{'ratio':>8}{'views':>8}"
        f"{'saved':>9}{'difference':>12}"
    )
    for kind in prompts:
        pair = written_pair(lens) if kind == "written" else spoken_pair(lens, seed)
        for grid in GRIDS:
            if not grids or grid.name in grids:
                compare(lens, stock, pair, grid, Timing(cells, rounds, CLOCKS[clock], seed))


def written_pair(lens: Lens) -> tuple[Prompt, Prompt]:
    """A written prompt of 11 tokens and the same about another subject."""
    about = Planted("fact machine", lens, planted("fact machine").truth)
    prompt = about.text("marlo", "fronted")
    return prompt, about.counterfactual(prompt)


def spoken_pair(lens: Lens, seed: int) -> tuple[Prompt, Prompt]:
    """A spoken prompt of 64 tokens (beginning, marker, 61 units, marker), and one with other units of its subject."""
    draw = np.random.default_rng(seed)
    words, seconds, start = [], 0.04, 0
    for place, size in enumerate(SPOKEN_WORDS):
        words.append(WordInterval(f"word{place}", start * seconds, (start + size) * seconds))
        start += size
    units = draw.permutation(start)  # no unit twice in a row
    other = np.array(units)
    subject = slice(SPOKEN_WORDS[0], SPOKEN_WORDS[0] + SPOKEN_WORDS[1])
    other[subject] = start + draw.permutation(SPOKEN_WORDS[1])
    first, second = (
        lens.prompt(
            [SpeechSegment(UnitStream.from_frames(ids, 1 / seconds), words)],
            "word1",
            "red",
            "blue",
            origin=Origin(fact_id="benchmark"),
        )
        for ids in (units, other)
    )
    return first, second


def random_lens(layers: int, d_model: int, heads: int, rows: int, seed: int) -> Lens:
    """A lens on random weights, with views as checkpoints are loaded, and the planted circuits' vocabulary."""
    shape = random_config(n_layers=layers, d_model=d_model, n_heads=heads, d_mlp=d_model * 11 // 4, d_vocab=rows)
    inside = random_lens_model(shape, seed, torch.float32)
    return Lens(model=inside.model, vocabulary=replace(planted_vocabulary(), size=rows), name="random")


def stock_copy(model: HookedTransformer) -> HookedTransformer:
    """The same weights in TransformerLens's own layout."""
    stock = HookedTransformer(copy.deepcopy(model.cfg))
    stock.load_state_dict(
        {name: value.clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()},
        strict=False,
    )
    return stock.eval().requires_grad_(False)


@dataclass(frozen=True)
class Timing:
    """How to measure: cells that rivals run (0: all), rounds, the clock and the seed of the sample."""

    cells: int
    rounds: int
    clock: Callable[[], float]
    seed: int

    def sample(self, n_cells: int) -> list[np.ndarray]:
        """Indices of the cells that rivals run in each round."""
        if not self.cells or self.cells >= n_cells:
            return [np.arange(n_cells)] * self.rounds
        chosen = np.random.default_rng(self.seed).permutation(n_cells)[: self.cells]
        return np.array_split(chosen, self.rounds)


def compare(lens: Lens, stock: HookedTransformer, pair: tuple[Prompt, Prompt], grid: Grid, timing: Timing) -> None:
    """Print one line: seconds of the three for the whole grid, ratios, seconds saved, largest difference."""
    prompt, other = pair
    cells, models = grid.cells(lens, len(prompt)), {"stock": stock, "views": lens.model}
    caches = {name: clean_cache(model, prompt) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in (*models, "ours")}
    difference = 0.0
    for turn, chosen in enumerate([np.arange(min(2, len(cells))), *timing.sample(len(cells))]):
        start = timing.clock()
        ours = our_values(lens, prompt, other, grid)
        spent = {"ours": timing.clock() - start}
        for name, model in models.items():
            start = timing.clock()
            found = rival_values(model, caches[name], pair, grid, [cells[index] for index in chosen])
            spent[name] = (timing.clock() - start) * len(cells) / len(chosen)
            difference = max(difference, float(np.abs(found - ours.flatten()[chosen]).max()))
        if turn:  # the first is the warm-up
            for name, value in spent.items():
                seconds[name].append(value)
    if difference > 1e-5:
        raise ValueError(f"{grid.name}: values differ by {difference:.2g}")
    median = {name: statistics.median(found) for name, found in seconds.items()}
    ran = timing.cells if 0 < timing.cells < len(cells) else len(cells)
    print(
        f"{grid.name:<24}{len(prompt):>7}{len(cells):>7}{ran:>6}{median['stock']:>9.3f}{median['views']:>10.3f}"
        f"{median['ours']:>9.3f}{median['stock'] / median['ours']:>7.1f}x{median['views'] / median['ours']:>7.1f}x"
        f"{median['stock'] - median['ours']:>8.1f}s{difference:>12.1e}",
        flush=True,
    )


def clean_cache(model: HookedTransformer, prompt: Prompt) -> ActivationCache:
    """What TransformerLens's functions patch from; its one pass is not counted against them."""
    with torch.no_grad():
        _, cache = model.run_with_cache(prompt.tokens)
    return ActivationCache(dict(cache), model)


def rival_values(
    model: HookedTransformer, cache: ActivationCache, pair: tuple[Prompt, Prompt], grid: Grid, cells: list[Cell]
) -> np.ndarray:
    """TransformerLens's values ``[cell]``: the counterfactual run with clean activations."""
    prompt, other = pair
    answer, foil = prompt.answer_ids[0], prompt.foil_ids[0]

    def metric(logits: Tensor) -> Tensor:
        return logits[0, -1, answer] - logits[0, -1, foil]

    axes = grid.rival.keywords["index_axis_names"]
    rival = partial(
        grid.rival.func, **{key: value for key, value in grid.rival.keywords.items() if key != "index_axis_names"}
    )
    order = (0, 2, 1) if "dest_pos" in axes else range(len(axes))  # patterns: head before position
    frame = pd.DataFrame([[cell[place] for place in order] for cell in cells], columns=list(axes))
    with torch.no_grad(), contextlib.redirect_stderr(io.StringIO()):  # its progress bars
        return rival(model, other.tokens, cache, metric, index_df=frame).numpy()


def our_values(lens: Lens, prompt: Prompt, other: Prompt, grid: Grid) -> np.ndarray:
    """The same grid of ours, in the order of `Grid.cells`."""
    if grid.by_position:
        found = activation_patch(
            lens,
            [prompt],
            [other],
            grids.Grid((grid.component,), heads="each" if grid.by_head else "together"),
            metrics=(METRIC,),
            progress="none",
        )
        return found["restored"].isel(prompt=0, component=0, sample=0, metric=0).values
    places = tuple(range(len(prompt)))
    cells = [Patch(grid.component, (layer,), places, head) for layer, head in grid.cells(lens, len(prompt))]
    text_ids = lens.vocabulary.text_ids.tolist()
    (scorer,) = scorers((METRIC,), prompt.answer_ids, prompt.foil_ids, text_ids, lens.device)
    return patch_values(lens.backend, RunSpec(other), RunSpec(prompt), cells, scorer, clean="source").values.numpy()


if __name__ == "__main__":
    tyro.cli(main)
