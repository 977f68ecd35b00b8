"""How far first looks agree with the exact grid: attribution patching beside RelP, component by component.

    python benchmarks/first_look.py                       # the embedded model (written and spoken) and SmolLM2-135M
    python benchmarks/first_look.py --models embedded     # one of them

Each sampled prompt of a fact that the model knows is traced exactly, token by token, one layer at a time, and estimated
by both rules. Printed are means over prompts of the Pearson correlation over the component's cells, of the share of the
20 largest exact cells among the 20 largest estimates, and the time of an estimate in forward passes.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
import tyro

import spiritlens as sl
from spiritlens.analysis.tracing.first_look import RULE_WORDS
from spiritlens.analysis.tracing.screen import attribution_patching
from spiritlens.analysis.tracing.settings import given_trace_settings
from spiritlens.components import patched_by
from spiritlens.runs.metrics import METRIC_NAMED
from spiritlens.terms import BackwardRule

sys.path.append(str(Path(__file__).parents[1] / "experiments"))

FACTS = Path(__file__).parents[1] / "experiments" / "facts" / "known_1000.json"
Model = Literal["embedded", "smollm2"]


@dataclass(frozen=True)
class Arguments:
    """Judge first looks."""

    models: tuple[Model, ...] = ("embedded", "smollm2")
    n_prompts: int = 8
    samples: int = 1
    metric: str = "logit"
    seed: int = 0
    threads: int = 2


def embedded(count: int, seed: int) -> dict[str, tuple[sl.Lens, list[sl.Prompt]]]:
    """Facts known in both modalities, written and spoken."""
    lens, facts = sl.load(), [fact for fact in sl.load_facts() if fact.group == "both"]
    some = [facts[place] for place in np.random.default_rng(seed).permutation(len(facts))[: 2 * count]]
    found = {}
    for words, build in (("written", lens.text), ("spoken", lens.speak)):
        prompts = [
            build(each.text("held out"), each.subject, each.answer, each.foil, origin=sl.Origin(fact_id=each.id))
            for each in some
        ]
        found[f"embedded model, {words}"] = (lens, known(lens, prompts, count))
    return found


def small(count: int, seed: int) -> dict[str, tuple[sl.Lens, list[sl.Prompt]]]:
    """Known-1000 facts that SmolLM2-135M knows."""
    from smollm2 import smollm2

    lens = sl.load(smollm2(), device="cpu")
    prompts = list(sl.prompts.writable(lens, sl.load_facts(FACTS)).prompts)
    order = np.random.default_rng(seed).permutation(len(prompts))[: 10 * count]
    return {"SmolLM2-135M, written": (lens, known(lens, [prompts[place] for place in order], count))}


def known(lens: sl.Lens, prompts: Sequence[sl.Prompt], count: int) -> list[sl.Prompt]:
    """The first prompts whose answer the model knows."""
    answered = zip(prompts, sl.known_prompts(lens, prompts), strict=True)
    return [prompt for prompt, right in answered if right][:count]


MADE: dict[Model, Callable[[int, int], dict[str, tuple[sl.Lens, list[sl.Prompt]]]]] = {
    "embedded": embedded,
    "smollm2": small,
}


def judge(name: str, lens: sl.Lens, prompts: Sequence[sl.Prompt], settings: Arguments) -> None:
    """Print the table of one model."""
    components = [each for each in patched_by("sweep") if each not in ("q", "k")]
    print(f"\n{name}: {len(prompts)} known facts, metric {settings.metric}, {settings.samples} noise sample(s)")
    for group in (("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"), ("z", "v")):
        grid = sl.Grid([each for each in group if each in components], window=1)
        look = sl.tracing.first_look(
            lens, prompts, grid, metric=settings.metric, samples=settings.samples, n_exact=len(prompts), top_k=20
        )
        for each in look.judged:
            print(f"  {each}")
    grid = sl.Grid(("resid_pre", "attn_out", "mlp_out"), window=1)
    given = given_trace_settings(lens, prompts, grid, None, (METRIC_NAMED[settings.metric],), settings.samples)
    for rule in get_args(BackwardRule):
        estimate = seconds(lambda rule=rule: [attribution_patching(lens, each, given, rule) for each in prompts])
        forward = seconds(lambda: [lens.backend.forward(each.tokens) for each in prompts])
        print(f"  {RULE_WORDS[rule]}: {estimate / forward:.1f} forward passes a prompt")


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call, the least of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def main(settings: Arguments) -> None:
    torch.set_num_threads(settings.threads)
    for model in settings.models:
        for name, (lens, prompts) in MADE[model](settings.n_prompts, settings.seed).items():
            judge(name, lens, prompts, settings)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
