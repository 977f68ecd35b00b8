"""Paper plan: a study of many facts on a cluster of GPUs that fail. Tokens, hours, storage, and what failures cost.

    python experiments/plan_cluster.py                         # 20,000 facts × 2 modalities × 10 samples on 64 GPUs
    python experiments/plan_cluster.py --facts 1000 --gpus 8 --tflops 300 --failures-per-hour 0.02

Nothing is run on a GPU here and none was measured. *Operations* are counted by the plan that the sweep runs
(`spiritlens.runs.sweep.plan`) on prompts of typical lengths at the shape of Llama 2 7B, of which SpiritLM is made.
*Seconds* are operations over a rate that you state (`--tflops`, what a GPU sustains, not its peak).
`--calibrate` measures token-layers on this machine's CPU, on a small model, and prints what share of counted operations
over its best matrix product was reached: multiply a GPU's matrix rate by it for an honest `--tflops`.

*Failures*: each job dies at a rate per hour (exponential, seeded); the prompts that it had not written are lost and
measured again, and a dead job waits in the queue (exponential) and loads the model before it goes on. Jobs stop at the
queue's time limit, and are requeued, too.
"""

import heapq
import time
from dataclasses import dataclass

import numpy as np
import tyro

from spiritlens.effects.part_writer import BYTES_PER_PART, PROMPTS_PER_PART
from spiritlens.runs.sweep.cost import ModelShape, plan_flops
from spiritlens.runs.sweep.plan import Action, Plan, make_plan

LLAMA_7B = ModelShape(32, 32, 32, 4096, 128, 11008, 32512, 2)
COMPONENTS, METRICS, ROLES = ("resid_pre", "mlp_out", "attn_out"), 3, 7
SMALL = ModelShape(4, 4, 4, 256, 64, 704, 1528, 4)


@dataclass(frozen=True)
class Length:
    """Tokens of a prompt, and where its subject and what follows it stand."""

    tokens: int
    subject: tuple[int, int]


@dataclass(frozen=True)
class Settings:
    """The study, the cluster, and what goes wrong."""

    facts: int = 20_000
    samples: int = 10
    window: int = 10
    """Layers of mlp_out and attn_out that are restored together."""
    text_tokens: int = 16
    speech_tokens: int = 96
    """Units and markers of a spoken prompt; a second of speech is about 20 units after deduplication."""
    subject_share: tuple[float, float] = (0.4, 0.7)
    """Where the subject begins and ends, as shares of a prompt."""
    gpus: int = 64
    tflops: float = 150.0
    """10¹² operations a second that one GPU sustains: stated, not measured."""
    load_seconds: float = 90.0
    """Loading the model, once a start."""
    piece_prompts: int = 32
    """Prompts that are written together, of which a death loses all: stated. A worker writes its part when that takes a
    fiftieth of its time, which is more often."""
    failures_per_hour: float = 0.01
    """Of each job."""
    requeue_minutes: float = 20.0
    """A dead job's mean wait in the queue."""
    limit_hours: float = 24.0
    """The queue's time limit of one job."""
    rounds: int = 20
    """Simulated runs."""
    seed: int = 0
    calibrate: bool = False
    """Measure token-layers on this machine's CPU first."""


@dataclass(frozen=True)
class Work:
    """What one prompt runs."""

    token_layers: int
    operations: float
    kept_bytes: int
    """Raw values in a part's file, uncompressed."""


def main(settings: Settings) -> None:
    text, speech = (prompt_work(settings, tokens) for tokens in (settings.text_tokens, settings.speech_tokens))
    seconds = [work.operations / (settings.tflops * 1e12) for work in (text, speech)]
    hours = settings.facts * sum(seconds) / 3600
    print(f"{settings.facts:,} facts × 2 modalities × {settings.samples} samples on {settings.gpus} GPUs, by role")
    print(f"{'a prompt':<12}{'tokens':>8}{'token-layers':>15}{'TFLOP':>10}{'seconds':>10}")
    for name, tokens, work, each in zip(
        ("written", "spoken"), (settings.text_tokens, settings.speech_tokens), (text, speech), seconds, strict=True
    ):
        print(f"{name:<12}{tokens:>8}{work.token_layers:>15,}{work.operations / 1e12:>10.3g}{each:>10.3g}")
    layers = settings.facts * (text.token_layers + speech.token_layers)
    storage = settings.facts * (text.kept_bytes + speech.kept_bytes)
    print(f"all: {layers:,} token-layers, {settings.facts * (text.operations + speech.operations):.3g} FLOP")
    print(
        f"{hours:,.0f} GPU hours at a stated {settings.tflops:g} TFLOP/s a GPU (not measured); "
        f"{hours / settings.gpus:.2f} hours each"
    )
    print(f"storage: {storage / 1e9:.2f} GB of raw values in {n_parts(settings, storage):,} parts")
    ends = np.array([simulated(settings, seconds, round_) for round_ in range(settings.rounds)])
    print(
        f"\nwith failures ({settings.failures_per_hour:g} an hour and job), {settings.rounds} simulated runs, "
        f"seed {settings.seed}"
    )
    print(f"{'':<20}{'median':>10}{'lowest':>10}{'highest':>10}")
    for name, column in zip(("hours to the end", "deaths", "starts", "GPU hours lost"), ends.T, strict=True):
        print(f"{name:<20}{np.median(column):>10.2f}{column.min():>10.2f}{column.max():>10.2f}")
    if settings.calibrate:
        calibrate()


def n_parts(settings: Settings, storage: int) -> int:
    """Files that the jobs' prompts lie in, as full as the writer makes them."""
    each = -(-2 * settings.facts // settings.gpus)
    full = max(1, min(PROMPTS_PER_PART, BYTES_PER_PART * 2 * settings.facts // max(1, storage)))
    return settings.gpus * -(-each // full)


def prompt_work(settings: Settings, tokens: int, shape: ModelShape = LLAMA_7B) -> Work:
    """What a prompt's grid by role runs: seven roles as spans, every layer, three components."""
    first, stop = (max(1, round(share * tokens)) for share in settings.subject_share)
    plan = role_plan(shape, tokens, (first, max(first + 1, stop)), settings.window)
    cells = len(COMPONENTS) * shape.n_layers * ROLES
    one_pass = tokens * shape.n_layers * shape.block_flops((tokens + 1) / 2) + shape.readout_flops
    recorded = (1 + settings.samples) * tokens * shape.n_layers
    return Work(
        plan.token_layers(settings.samples) + recorded,
        plan_flops(shape, plan, settings.samples) + (1 + settings.samples) * one_pass,
        cells * (settings.samples * METRICS * 4 + 1),
    )


def role_plan(shape: ModelShape, tokens: int, subject: tuple[int, int], window: int) -> Plan:
    """The rows of a grid by role: what stands before the subject, the subject's tokens, what follows, the last."""
    first, stop = subject
    spans = (range(0, 1), range(1, first), range(first, stop), range(stop, tokens - 1), range(tokens - 1, tokens))
    programs = []
    for component in COMPONENTS:
        for layer in range(shape.n_layers):
            start = layer - window // 2
            around = range(max(0, start), min(shape.n_layers, start + window))
            layers = (layer,) if component == "resid_pre" else around
            programs += [{at: (Action(component, tuple(span)),) for at in layers} for span in spans if len(span) > 0]
    return make_plan(programs, n_layers=shape.n_layers, n_positions=tokens, first_changed=first)


def simulated(settings: Settings, seconds: list[float], round_: int) -> tuple[float, int, int, float]:
    """One run: hours to the end, deaths, starts, and GPU hours lost to what was measured twice and to loading.

    Shards are fixed: each job has its share of the pieces and goes on where it stopped.
    """
    draws = np.random.default_rng([settings.seed, round_])
    piece = settings.piece_prompts * sum(seconds) / 2 / 3600
    pieces = -(-2 * settings.facts // settings.piece_prompts)
    shares = [pieces // settings.gpus + (job < pieces % settings.gpus) for job in range(settings.gpus)]
    load, wait = settings.load_seconds / 3600, settings.requeue_minutes / 60
    jobs = [(0.0, job, share) for job, share in enumerate(shares) if share]
    heapq.heapify(jobs)
    end, deaths, starts, lost = 0.0, 0, 0, 0.0
    while jobs:
        began, job, left = heapq.heappop(jobs)
        starts += 1
        dies = draws.exponential(1 / settings.failures_per_hour) if settings.failures_per_hour else np.inf
        runs = min(dies, settings.limit_hours)
        done = int(max(0.0, runs - load) // piece)
        if done >= left:
            end = max(end, began + load + left * piece)
            lost += load
            continue
        if done == 0 and settings.limit_hours <= load + piece:
            raise SystemExit(
                f"{settings.piece_prompts} prompts take {piece:.3g} hours: no job ends them in {settings.limit_hours:g}"
            )
        deaths += dies < settings.limit_hours
        lost += runs - done * piece
        heapq.heappush(jobs, (began + runs + draws.exponential(wait), job, left - done))
    return end, deaths, starts, lost


def calibrate() -> None:
    """Operations a second of a small sweep on this machine's CPU, over those of its best matrix product."""
    import torch

    from spiritlens.models.random_weights import random_config, random_lens_model
    from spiritlens.runs.sweep.recorded import RunPair
    from spiritlens.runs.sweep.sweep import plan_sweep

    shape, tokens, samples = SMALL, 48, 10
    config = random_config(shape.n_layers, shape.d_model, shape.n_heads, None, shape.d_mlp, shape.d_vocab)
    model = random_lens_model(config, dtype=torch.float32)
    plan = role_plan(shape, tokens, (16, 24), 2)
    ids = torch.arange(3, 3 + tokens)[None]
    noisy = model.embed(ids).repeat(samples, 1, 1)
    noisy[:, 16:24] += torch.randn(samples, 8, shape.d_model)
    pair = RunPair(ids, noisy, None)
    sweep = plan_sweep(model, plan.programs, tokens, 16)
    runs = pair.record(model, sweep.names, 1, sweep.first_changed)
    best = [seconds_of(lambda: sweep.run(model, runs, lambda logits: logits[:, -1, :1])) for _ in range(3)]
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    product = 2 * 1024**3 / min(seconds_of(lambda: left @ right) for _ in range(9))
    reached, layers = plan_flops(shape, plan, samples) / min(best), plan.token_layers(samples) / min(best)
    print(
        f"\nmeasured here, CPU, {torch.get_num_threads()} threads, width {shape.d_model}: "
        f"{layers:,.0f} token-layers a processor second,"
    )
    print(f"{reached / 1e9:.3g} GFLOP/s, {reached / product:.0%} of a matrix product's {product / 1e9:.3g}")


def seconds_of(run) -> float:
    """Processor seconds, which other processes of the machine hardly change."""
    began = time.process_time()
    run()
    return time.process_time() - began


if __name__ == "__main__":
    main(tyro.cli(Settings))
