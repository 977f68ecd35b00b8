"""Plan of single grids at SpiritLM-7B's shape (Llama 2 7B with 32,512 rows, bfloat16), on a model without any weight.

    python experiments/plan_grid.py                          # prompts of 12, 64 and 128 tokens, for a GPU of 80 GB
    python experiments/plan_grid.py --tokens 100 --memory-gb 48 --tflops 60

The model stands on torch's meta device, which knows shapes and holds no number, so that the plan, the operations and
the memory are those that the sweep itself would ask of a GPU; nothing was run on one. *The reference loop* runs a pass
of all tokens for every cell, noise sample and once clean (Meng et al. 2022). Ours counts its recorded runs. Seconds are
operations over a rate that you state.

Grids: ``block outputs``, each token and layer by itself; ``three components``, these beside MLP and attention outputs
in windows of ten layers. The subject begins at the second token, where an exact grid saves least.
"""

from dataclasses import dataclass
from typing import Any

import tyro

GIGA = 1e9
WINDOW, FIRST = 10, 1
META = "meta"


@dataclass(frozen=True)
class Settings:
    """Which prompts, and the GPU."""

    tokens: tuple[int, ...] = (12, 64, 128)
    samples: int = 10
    memory_gb: float = 80.0
    """10⁹ bytes of the GPU; an eighth of them is what rows may take, as on a GPU that is there."""
    tflops: float = 150.0
    """10¹² operations a second that the GPU sustains: stated, not measured."""


@dataclass(frozen=True)
class GridPlan:
    """One grid of one prompt."""

    cells: int
    reference: int
    """Token-layers of the reference loop."""
    token_layers: int
    flops: float
    peak: int
    """Bytes on the device: weights, recorded runs, rows."""
    batch: int
    """Rows (cells × noise samples) that go together."""
    fits: int
    """The largest batch that fits; 0 where not one row does."""
    whole: int
    """Rows that would go together if none were split."""


def main(settings: Settings) -> None:
    model = meta_model(seven_billion())
    print(
        f"{settings.samples} samples, a GPU of {settings.memory_gb:g} GB at a stated {settings.tflops:g} TFLOP/s "
        "(nothing was run on one); token-layers in millions"
    )
    print(
        f"{'grid':<18}{'tokens':>7}{'cells':>7}{'reference':>11}{'ours':>9}{'ratio':>7}{'TFLOP':>9}{'seconds':>9}"
        f"{'peak, GB':>10}{'batch':>8}{'fits':>8}{'of':>8}"
    )
    for name, grid in (("block outputs", block_outputs), ("three components", three_components)):
        for tokens in settings.tokens:
            found = grid_plan(model, grid(model.n_layers, tokens), tokens, settings)
            seconds = found.flops / (settings.tflops * 1e12)
            print(
                f"{name:<18}{tokens:>7}{found.cells:>7,}"
                f"{found.reference / 1e6:>11,.1f}{found.token_layers / 1e6:>9,.2f}"
                f"{found.reference / found.token_layers:>7.1f}{found.flops / 1e12:>9,.0f}{seconds:>9,.1f}"
                f"{found.peak / GIGA:>10.2f}{found.batch:>8,}{found.fits:>8,}{found.whole:>8,}"
            )


def seven_billion() -> Any:
    """The configuration of SpiritLM-7B."""
    from spiritlens.models.random_weights import random_config

    return random_config(n_layers=32, d_model=4096, n_heads=32, d_mlp=11008, d_vocab=32512, n_ctx=4096)


def meta_model(config: Any) -> Any:
    """A model of a shape in bfloat16 on torch's meta device, behind the protocol: no memory is taken for it."""
    import torch

    from spiritlens.models.backends import backend_of, maker
    from spiritlens.models.checkpoints.llama import tensor_shapes

    nothing = torch.zeros((), dtype=torch.bfloat16)
    shapes = {**tensor_shapes(config), "lm_head.weight": (config.vocab_size, config.hidden_size)}
    weights = {name: nothing.expand(tuple(shape)) for name, shape in shapes.items()}
    model = maker(None).converted(weights, config, torch.bfloat16, name="7B")
    model._apply(lambda value: value.to(META))
    model.cfg.device = META
    for block in model.blocks:
        for name in ("rotary_cos", "rotary_sin", "mask", "IGNORE"):
            if hasattr(block.attn, name):  # a bridge has none of them: its tables follow the model's frequencies
                setattr(block.attn, name, getattr(block.attn, name).to(META))
        for name, weight in block.attn._parameters.items():  # laid out as in a checkpoint: flattened without a copy
            if name.strip("_") in ("W_Q", "W_K", "W_V"):
                laid_out = weight.transpose(1, 2).contiguous().transpose(1, 2)
                block.attn._parameters[name] = torch.nn.Parameter(laid_out, requires_grad=False)
    return backend_of(model).opened(model)


def block_outputs(n_layers: int, tokens: int) -> list[Any]:
    """Each block's output at each token by itself."""
    return _by_token("resid_post", n_layers, tokens, 1)


def three_components(n_layers: int, tokens: int) -> list[Any]:
    """Block outputs, and outputs of MLPs and of attention in windows of layers, at each token by itself."""
    windows = [program for name in ("mlp_out", "attn_out") for program in _by_token(name, n_layers, tokens, WINDOW)]
    return block_outputs(n_layers, tokens) + windows


def _by_token(component: str, n_layers: int, tokens: int, window: int) -> list[Any]:
    from spiritlens.runs.sweep.plan import Action

    starts = [layer - window // 2 for layer in range(n_layers)]
    around = [range(max(0, start), min(n_layers, start + window)) for start in starts]
    return [{at: (Action(component, (place,)),) for at in layers} for layers in around for place in range(tokens)]


def grid_plan(model: Any, programs: list[Any], tokens: int, settings: Settings) -> GridPlan:
    """Token-layers, operations and memory of a grid of a prompt of so many tokens."""
    from spiritlens.analysis.tracing.memory import fitting
    from spiritlens.runs.sweep.cost import plan_flops, shape_of
    from spiritlens.runs.sweep.footprint import footprint
    from spiritlens.runs.sweep.sweep import plan_sweep

    shape, samples = shape_of(model), settings.samples
    memory, weights = int(settings.memory_gb * GIGA), sum(value.nbytes for value in model.model.parameters())
    sweep = plan_sweep(model, programs, tokens, FIRST, two_runs=True)
    runs = {"base": samples, "source": 1}
    held = footprint(model, sweep, runs, memory // 8)  # type: ignore[arg-type]
    fits = fitting(model, sweep, runs, memory - weights)  # type: ignore[arg-type]
    one_pass = tokens * shape.n_layers * shape.block_flops((tokens + 1) / 2) + shape.readout_flops
    return GridPlan(
        cells=len(programs),
        reference=len(programs) * (1 + samples) * tokens * shape.n_layers,
        token_layers=sweep.plan.token_layers(samples) + (1 + samples) * tokens * shape.n_layers,
        flops=plan_flops(shape, sweep.plan, samples) + (1 + samples) * one_pass,
        peak=weights + held.peak,
        batch=held.largest_batch,
        fits=0 if fits is None else fits.rows,
        whole=held.whole_batch,
    )


if __name__ == "__main__":
    main(tyro.cli(Settings))
