"""Path patching beside the loop of four passes on TransformerLens's hooks: same numbers, and how much faster.

    python benchmarks/paths.py                         # SmolLM2-135M and the embedded model, 12 tokens
    python benchmarks/paths.py --models embedded --tokens 64
    python benchmarks/paths.py --threads 1 --clock processor     # beside other programs

Two matrices: all heads → logits, and all heads of earlier layers → queries, keys and values of the heads of one layer,
each alone. The loop (Wang et al. 2022, section 3.1) runs the base and the source once, then for each sender a pass with
every other head held (MLPs recompute; with ``heads+mlps`` they are held too) that records what receivers read, then for
each receiver a pass in which it gets that reading. It runs on the model as TransformerLens's own path loads it
(*stock*) and on our views of the weights (*views*), which spare it the copies of a forward; a seeded sample of
`--edges` edges per round, *scaled* to the matrix. Ours runs the whole matrix, its two recorded runs included, in every
round.

Printed are medians after one warm-up (seconds, and the ratio within each round), the largest difference of any edge
that both ran, and by arithmetic alone what an exact method can save: the loop's floating-point operations over those of
the rows that must be run. Ratios above that come from fuller matrix products and from what a pass costs besides them.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import tyro
from causal_tracing import embedded, smollm2, stock
from hooked import HookedTransformer
from torch import Tensor

import spiritlens as sl
from spiritlens.analysis.paths.nodes import Receiver, Sender
from spiritlens.analysis.paths.path_values import path_values
from spiritlens.analysis.paths.paths import Held
from spiritlens.analysis.paths.recording import record_pair
from spiritlens.effects.paths import Frozen
from spiritlens.runs.sweep.cost import shape_of
from spiritlens.runs.sweep.recorded import first_difference

Clock = Literal["wall", "processor"]
CLOCKS: dict[Clock, Callable[[], float]] = {"wall": time.perf_counter, "processor": time.process_time}
Model = Literal["smollm2", "embedded"]
FOLDERS: dict[Model, Callable[[], tuple[Any, list[int], range]]] = {"smollm2": smollm2, "embedded": embedded}


@dataclass(frozen=True)
class Arguments:
    """Time path patching."""

    models: tuple[Model, ...] = ("smollm2", "embedded")
    tokens: int = 12
    frozen: tuple[Frozen, ...] = ("heads", "heads+mlps")
    edges: int = 24
    rounds: int = 3
    threads: int = 2
    seed: int = 0
    clock: Clock = "wall"


@dataclass(frozen=True, eq=False)
class Task:
    """Senders × receivers of a model, between two prompts ``[1 pos]`` that differ in the subject."""

    name: str
    lens: sl.Lens
    stock: HookedTransformer
    """The same weights as TransformerLens's own path loads them."""
    base: Tensor
    source: Tensor
    senders: tuple[Sender, ...]
    receivers: tuple[Receiver, ...]
    answer: int

    def score(self, logits: Tensor) -> Tensor:
        """Log-probability of an answer, ``[row metric]``."""
        return logits[:, -1].log_softmax(-1)[:, [self.answer]]


def tasks(name: Model, count: int) -> list[Task]:
    """The two matrices of a model."""
    llama, ids, subject = FOLDERS[name]()
    lens = sl.load(llama.config._name_or_path, device="cpu", dtype=torch.float32)
    model, as_loaded = lens.backend, stock(llama)
    words = [*ids[: subject.start], *(ids[place] for place in subject)]
    base = torch.tensor([(words + ids[subject.stop :] * count)[:count]])
    source = base.clone()
    source[0, list(subject)] = torch.tensor([(each * 7 + 11) % 300 + 5 for each in ids[subject.start : subject.stop]])
    heads = [Sender("z", layer, head) for layer in range(model.n_layers) for head in range(model.n_heads)]
    layer = 2 * model.n_layers // 3
    readers = [Receiver("q_input", layer, head) for head in range(model.n_heads)]
    readers += [Receiver(kind, layer, head) for kind in ("k_input", "v_input") for head in range(model.n_kv_heads)]
    answer = int(model.forward(base)[0, -1].argmax())
    earlier = tuple(head for head in heads if head.layer < layer)
    return [
        Task(
            f"{name}: {len(heads)} heads → logits",
            lens,
            as_loaded,
            base,
            source,
            tuple(heads),
            (Receiver("logits"),),
            answer,
        ),
        Task(
            f"{name}: {len(earlier)} heads → {len(readers)} q, k, v of layer {layer}",
            lens,
            as_loaded,
            base,
            source,
            earlier,
            tuple(readers),
            answer,
        ),
    ]


class Loop:
    """The four passes, one edge at a time, on the model as TransformerLens runs it."""

    def __init__(self, task: Task, frozen: Frozen, model: HookedTransformer) -> None:
        self.task, self.model = task, model
        names = [f"blocks.{layer}.attn.hook_z" for layer in range(self.model.cfg.n_layers)]
        self.held = [*names]
        if frozen == "heads+mlps":
            self.held += [f"blocks.{layer}.hook_mlp_out" for layer in range(self.model.cfg.n_layers)]
        _, self.base = self.model.run_with_cache(task.base, names_filter=lambda name: name in self.held)
        _, self.source = self.model.run_with_cache(task.source, names_filter=lambda name: name in names)

    def readings(self, sender: Sender, receiver: Receiver) -> Tensor:
        """Pass 3: the sender of the source run, all other heads held; what the receiver reads, or the logits."""
        own = f"blocks.{sender.layer}.attn.hook_z"

        def hold(value: Tensor, hook: Any) -> Tensor:
            held = self.base[hook.name]
            if hook.name != own:
                return held
            held = held.clone()
            held[:, :, sender.head] = self.source[own][:, :, sender.head]
            return held

        found: dict[str, Tensor] = {}

        def remember(value: Tensor, hook: Any) -> Tensor:
            found[hook.name] = value
            return value

        hooks = [(name, hold) for name in self.held]
        if receiver.component == "logits":
            return self.model.run_with_hooks(self.task.base, fwd_hooks=hooks)
        read = self.read(receiver)
        stop = receiver.layer + 1
        self.model.run_with_hooks(self.task.base, fwd_hooks=[*hooks, (read, remember)], stop_at_layer=stop)
        return found[read]

    @staticmethod
    def read(receiver: Receiver) -> str:
        """Where the receiver's reading stands."""
        return f"blocks.{receiver.layer}.attn.hook_{receiver.component[0]}"

    def edge(self, sender: Sender, receiver: Receiver) -> Tensor:
        """Pass 4: the metric ``[metric]`` of the base run whose receiver gets the reading."""
        reading = self.readings(sender, receiver)
        if receiver.component == "logits":
            return self.task.score(reading)[0]

        def put(value: Tensor, hook: Any) -> Tensor:
            value = value.clone()
            value[:, :, receiver.head] = reading[:, :, receiver.head]
            return value

        return self.task.score(self.model.run_with_hooks(self.task.base, fwd_hooks=[(self.read(receiver), put)]))[0]


def ours(task: Task, frozen: Frozen) -> Tensor:
    """The whole matrix ``[receiver sender metric]``."""
    model, groups = task.lens.backend, [(receiver,) for receiver in task.receivers]
    recorded = record_pair(model, task.base, None, model.embed(task.source), groups, 1)
    positions = range(task.base.shape[1])
    return path_values(recorded, task.senders, groups, positions, held=Held(frozen), score=task.score).values


def saved(task: Task, frozen: Frozen) -> float:
    """Operations of the loop over those of an exact method that runs only what an edge can change."""
    shape, n = shape_of(task.lens.backend), task.base.shape[1]
    model = task.lens.backend
    suffix = n - first_difference(model.embed(task.base), model.embed(task.base), model.embed(task.source))
    block, mlp, last = shape.block_flops(n / 2), shape.mlp_flops, shape.n_layers - 1
    whole = n * (shape.n_layers * block + shape.readout_flops)
    recorded = 2 * n * shape.n_layers * block + 2 * shape.readout_flops
    senders, reader = len(task.senders), task.receivers[0]
    through_mlps = sum(min(reader.layer % (last + 1) + 1, last + 1) - sender.layer for sender in task.senders)
    if reader.component == "logits":
        carried = through_mlps * mlp if frozen == "heads" else 0
        return senders * whole / (recorded + carried + senders * shape.readout_flops)
    carried = (through_mlps - senders) * suffix * mlp if frozen == "heads" else 0
    key_value = 4 * shape.d_model * shape.n_kv_heads * shape.d_head
    onward = suffix * (mlp + (last - 1 - reader.layer) * block + key_value) + block + shape.readout_flops
    edges = senders * len(task.receivers)
    loop = edges * (n * (reader.layer + 1) * block + whole)
    return loop / (recorded + carried + edges * onward)


def compare(task: Task, frozen: Frozen, settings: Arguments) -> None:
    """Time all three and print a line."""
    rng, clock = np.random.default_rng(settings.seed), CLOCKS[settings.clock]
    loops = {"stock": Loop(task, frozen, task.stock), "views": Loop(task, frozen, task.lens.model)}
    n_edges = len(task.senders) * len(task.receivers)
    times: dict[str, list[float]] = {name: [] for name in ("ours", *loops)}
    worst = 0.0
    for number in range(settings.rounds + 1):
        some = [divmod(int(edge), len(task.senders)) for edge in rng.permutation(n_edges)[: settings.edges]]
        start = clock()
        matrix = ours(task, frozen)
        seconds = {"ours": clock() - start}
        for name, loop in loops.items():
            start = clock()
            values = [loop.edge(task.senders[sender], task.receivers[receiver]) for receiver, sender in some]
            seconds[name] = (clock() - start) * n_edges / len(some)
            for (receiver, sender), value in zip(some, values, strict=True):
                worst = max(worst, float((matrix[receiver, sender] - value).abs().max()))
        if number:
            for name, found in seconds.items():
                times[name].append(found)
    told = [f"ours {statistics.median(times['ours']):.3f} s"]
    for name in loops:
        ratios = [theirs / mine for theirs, mine in zip(times[name], times["ours"], strict=True)]
        told.append(
            f"loop on {name} {statistics.median(times[name]):.1f} s (scaled), {statistics.median(ratios):.0f} × "
            f"({min(ratios):.0f} to {max(ratios):.0f})"
        )
    print(
        f"{task.name}, {frozen} held, {task.base.shape[1]} tokens, {n_edges} edges: {'; '.join(told)}; by operations "
        f"alone {saved(task, frozen):.1f} ×; largest difference {worst:.1e}",
        flush=True,
    )


@torch.no_grad()
def main(settings: Arguments) -> None:
    torch.set_num_threads(settings.threads)
    for name in settings.models:
        for task in tasks(name, settings.tokens):
            for frozen in settings.frozen:
                compare(task, frozen, settings)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
