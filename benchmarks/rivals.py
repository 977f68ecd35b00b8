"""The field's ways to fill a causal-tracing grid, one cell at a time, on one task; and ours, whole.

A task is a prompt with corrupted embeddings ``[sample pos d_model]``, shared by all, and a kind of site: ``resid``
(block outputs), ``mlp`` or ``attn`` (windows of outputs), ``z`` (heads). Every rival's `cell` gives the probability of
the answer at the last position, ``[sample]``, of the corrupted run with the clean value put back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from spiritlens.models.hooked_transformer.hooked import HookedLensModel
from spiritlens.runs.scoring import scorers
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.runs.sweep.recorded import RunPair
from spiritlens.runs.sweep.sweep import SweepResult, plan_sweep

Cell = tuple[int, int, int | None]
"""Layer, position, head."""
HOOK = {"resid": "blocks.{}.hook_resid_post", "mlp": "blocks.{}.hook_mlp_out", "attn": "blocks.{}.hook_attn_out"}
HOOK["z"] = "blocks.{}.attn.hook_z"
COMPONENT = {"resid": "resid_post", "mlp": "mlp_out", "attn": "attn_out", "z": "z"}


@dataclass(frozen=True, eq=False)
class Task:
    """One grid to fill."""

    name: str
    kind: str
    window: int
    tokens: Tensor
    subject: tuple[int, ...]
    answer: int
    embeddings: Tensor
    n_layers: int
    n_heads: int

    @property
    def cells(self) -> list[Cell]:
        """All cells, as rivals have to run them."""
        heads = range(self.n_heads) if self.kind == "z" else (None,)
        return [
            (layer, at, head) for layer in range(self.n_layers) for at in range(self.tokens.shape[1]) for head in heads
        ]

    @property
    def programs(self) -> list[Program]:
        """What each cell patches, as the sweep takes it."""
        return [
            {at: (Action(COMPONENT[self.kind], (position,), head),) for at in self.layers(layer)}
            for layer, position, head in self.cells
        ]

    def layers(self, layer: int) -> range:
        """Patched layers of a cell."""
        first = layer - self.window // 2
        return range(max(0, first), min(self.n_layers, first + self.window))


class Rival(Protocol):
    """Something that computes one cell."""

    name: str

    def cell(self, task: Task, cell: Cell) -> Tensor: ...


def answer_probability(logits: Tensor, task: Task) -> Tensor:
    """Probability ``[row]`` of the answer at the last position of full logits."""
    last = logits[:, -1]
    return (last if last.dtype == torch.float64 else last.float()).softmax(-1)[:, task.answer]


class Reference:
    """The reference algorithm on Hugging Face modules: row 0 is clean, and its states are copied to the others."""

    name = "reference algorithm, HF modules"

    def __init__(self, llama: Any) -> None:
        self.llama = llama

    def cell(self, task: Task, cell: Cell) -> Tensor:
        layer, position, _ = cell
        clean = self.llama.model.embed_tokens(task.tokens)
        modules = [self._module(task.kind, at) for at in task.layers(layer)]
        with copied_from_row_0(modules, position):
            logits = self.llama(inputs_embeds=torch.cat([clean, task.embeddings]), use_cache=False).logits
        return answer_probability(logits, task)[1:]

    def _module(self, kind: str, layer: int) -> Any:
        block = self.llama.model.layers[layer]
        return {"resid": block, "mlp": block.mlp, "attn": block.self_attn}[kind]


@contextmanager
def copied_from_row_0(modules: Sequence[Any], position: int) -> Iterator[None]:
    """Forward hooks that give every row the output of row 0 at a position."""

    def copy(module: Any, inputs: Any, output: Any) -> Any:
        states = output[0] if isinstance(output, tuple) else output
        states[1:, position] = states[0, position]
        return output

    handles = [module.register_forward_hook(copy) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class HookLoop:
    """One `run_with_hooks` per cell, as `transformer_lens.patching` does."""

    def __init__(self, name: str, model: Any) -> None:
        self.name, self.model = name, model
        self.clean: dict[str, Any] = {}

    def cell(self, task: Task, cell: Cell) -> Tensor:
        layer, position, head = cell
        if task.name not in self.clean:
            names = {HOOK[task.kind].format(at) for at in range(task.n_layers)}
            self.clean = {task.name: self.model.run_with_cache(task.tokens, names_filter=lambda name: name in names)[1]}
        clean = self.clean[task.name]

        def put(activation: Tensor, hook: Any) -> Tensor:
            where = (slice(None), position) if head is None else (slice(None), position, head)
            activation[where] = clean[hook.name][where]
            return activation

        hooks: list[tuple[str, Callable[..., Tensor]]] = [("hook_embed", lambda activation, hook: task.embeddings)]
        hooks += [(HOOK[task.kind].format(at), put) for at in task.layers(layer)]
        tokens = task.tokens.expand(len(task.embeddings), -1)
        return answer_probability(self.model.run_with_hooks(tokens, fwd_hooks=hooks), task)


class NNsightTrace:
    """nnsight: a trace per cell."""

    name = "nnsight, a trace per cell"

    def __init__(self, llama: Any) -> None:
        from nnsight import NNsight

        self.llama, self.model = llama, NNsight(llama)
        self.clean: dict[str, list[Tensor]] = {}

    def cell(self, task: Task, cell: Cell) -> Tensor:
        layer, position, _ = cell
        if task.name not in self.clean:
            self.clean = {task.name: block_outputs(self.llama, task.tokens)}
        clean = self.clean[task.name][layer][:, position]
        model = self.model
        with model.trace(inputs_embeds=task.embeddings, use_cache=False):
            model.model.layers[layer].output[:, position] = clean
            logits = model.lm_head.output.save()
        return answer_probability(logits, task)


def block_outputs(llama: Any, tokens: Tensor) -> list[Tensor]:
    """Every block's output in a plain run."""
    found: list[Tensor] = []

    def keep(module: Any, inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    handles = [block.register_forward_hook(keep) for block in llama.model.layers]
    llama(tokens)
    for handle in handles:
        handle.remove()
    return found


class Pyvene:
    """pyvene: a vanilla intervention on a block's output, the clean prompt as its source."""

    name = "pyvene, an intervention per cell"

    def __init__(self, llama: Any) -> None:
        import pyvene

        self.pyvene, self.llama = pyvene, llama
        self.models: dict[int, Any] = {}

    def cell(self, task: Task, cell: Cell) -> Tensor:
        layer, position, _ = cell
        if layer not in self.models:
            config = self.pyvene.IntervenableConfig(
                [{"layer": layer, "component": "block_output"}], intervention_types=self.pyvene.VanillaIntervention
            )
            self.models[layer] = self.pyvene.IntervenableModel(config, model=self.llama)
        samples = len(task.embeddings)
        clean = self.llama.model.embed_tokens(task.tokens).expand(samples, -1, -1)
        _, output = self.models[layer](
            base={"inputs_embeds": task.embeddings},
            sources=[{"inputs_embeds": clean}],
            unit_locations={"sources->base": position},
        )
        return answer_probability(output.logits, task)


def run_ours(model: HookedLensModel, task: Task) -> tuple[SweepResult, list[Cell]]:
    """The whole grid by the exact sweep."""
    scorer = scorers(["probability"], (task.answer,), (), (task.answer,), model.device)[0]
    pair = RunPair(task.tokens, task.embeddings, None)
    changed = pair.changed(model)
    sweep = plan_sweep(model, task.programs, task.tokens.shape[1], min(changed), changed=changed)
    return sweep.run(model, pair.record(model, sweep.names, sweep.n_readouts, sweep.first_changed), scorer), task.cells
