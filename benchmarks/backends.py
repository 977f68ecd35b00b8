"""A sweep's speed on each kind of model that the installed TransformerLens has.

    python benchmarks/backends.py                    # the embedded model
    python benchmarks/backends.py --rounds 9

Causal tracing of one written prompt (resid_pre, attn_out and mlp_out at every token and layer), on models of the same
weights in turns; processor time at one thread, medians of the rounds, and the ratio to the first kind.
"""

import statistics
import time
from dataclasses import dataclass

import torch
import tyro

import spiritlens as sl
from spiritlens.models.backends import BACKENDS


def sweep_times(rounds: int) -> dict[str, float]:
    """Median seconds of a sweep by kind of model."""
    torch.set_num_threads(1)
    lenses = {row.maker.name: sl.load(device="cpu", backend=row.maker.name) for row in BACKENDS if row.maker}
    times: dict[str, list[float]] = {name: [] for name in lenses}
    for _ in range(rounds + 1):  # the first round warms up
        for name, lens in lenses.items():
            prompt = lens.text("The capital of France is", subject="France", answer="Paris")
            began = time.process_time()
            sl.causal_trace(lens, [prompt], ("resid_pre", "attn_out", "mlp_out"), samples=4, progress="none")
            times[name].append(time.process_time() - began)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


@dataclass
class Arguments:
    """A sweep's speed on each kind of model."""

    rounds: int = 5


def main(settings: Arguments) -> None:
    times = sweep_times(settings.rounds)
    first = next(iter(times.values()))
    for name, seconds in times.items():
        print(f"{name:20} {seconds:7.3f} s   speed {first / seconds:.2f} × the first")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
