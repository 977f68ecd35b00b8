"""Backward passes by a rule: the plain gradient, or RelP's, in which the block is made linear first.

*gradient* is d metric / d activation. *relp* keeps the forward pass as it is and changes the derivatives: norms divide
by a constant, attention patterns are constants, an activation function is the line through the origin and its value,
and a product of two branches (gate · up) gives each of them half,

    h = act(gate) · up:    ∂h/∂gate = ½ h / gate,    ∂h/∂up = ½ h / up          (no second branch: ∂h/∂pre = h / pre).

So a block is linear in its input, and nothing is said twice or lost: in every layer the products activation · gradient
of the stream add up to the metric, where the metric is a linear function of the logits and the model has no biases.
Attention patterns being constants, queries and keys have gradient 0.

Source: Jafari et al. 2025, RelP (arXiv 2508.21258); the rules are those of layer-wise relevance propagation (Achtibat
et al. 2024, arXiv 2402.05602).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spiritlens.components import hook_name, scale_hook_name
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.out_of_memory import joined, of_slices
from spiritlens.runs.sweep.recorded import replaced_embeddings
from spiritlens.terms import BackwardRule

UNREAD_BY_RELP = ("q", "k")
"""Components whose gradient is 0 by the rule, whatever they do."""


@dataclass(frozen=True, eq=False)
class Differentiated:
    """A run with its derivatives: by hook name its activations and d metric / d activation, and its logits ``[batch pos
    d_vocab]``."""

    values: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    logits: Tensor


def differentiate(
    model: LensModel,
    tokens: Tensor,
    names: Sequence[str],
    metric: Callable[[Tensor], Tensor],
    rule: BackwardRule = "gradient",
    embeddings: Tensor | None = None,
) -> Differentiated:
    """`LensModel.gradients` by a rule, of one forward and one backward pass, with what the forward pass computed.

    Tokens ``[1 pos]`` with their own embeddings, or once per row of `embeddings` ``[row pos d_model]``; `metric` gives
    a sum over rows, which may go together or not. RelP leaves the forward pass as it is, so that its values are those
    of the plain run.
    """

    def of_rows(rows: slice) -> Differentiated:
        with replaced_embeddings(model, None if embeddings is None else embeddings[rows]):
            return _rows(model, tokens.to(model.device).expand(rows.stop - rows.start, -1), names, metric, rule)

    parts = of_slices(1 if embeddings is None else len(embeddings), of_rows)
    return Differentiated(
        {name: joined([part.values[name] for part in parts]) for name in parts[0].values},
        {name: joined([part.gradients[name] for part in parts]) for name in parts[0].gradients},
        joined([part.logits for part in parts]),
    )


def _rows(
    model: LensModel, tokens: Tensor, names: Sequence[str], metric: Callable[[Tensor], Tensor], rule: BackwardRule
) -> Differentiated:
    """As above, of rows ``[row pos]`` that go together."""
    values: dict[str, Tensor] = {}
    said: list[Tensor] = []

    def keeping(name: str) -> HookFunction:
        def keep(value: Tensor) -> Tensor:
            values[name] = value.detach()
            return value

        return keep

    def scored(logits: Tensor) -> Tensor:
        said.append(logits.detach())
        return metric(logits)

    keepers: list[tuple[str, HookFunction]] = [(name, keeping(name)) for name in dict.fromkeys(names)]
    with model.hooked([*(linearising(model) if rule == "relp" else ()), *keepers]):
        found = model.gradients(tokens, names, scored)
    return Differentiated(values, found, said[0])


def check_read(rule: BackwardRule, components: Sequence[str]) -> None:
    """The rule has a gradient of each component that need not be 0."""
    unread = [name for name in components if name in UNREAD_BY_RELP]
    if rule == "relp" and unread:
        raise ValueError(
            f"component {unread[0]!r}: RelP holds attention patterns constant, so that queries and keys have no "
            "gradient; leave it out, or take the rule 'gradient' (attribution patching)"
        )


def linearising(model: LensModel) -> list[tuple[str, HookFunction]]:
    """Hooks that leave all values as they are and make the derivatives those of RelP."""
    hooks: list[tuple[str, HookFunction]] = [(scale_hook_name("ln_final", 0), Tensor.detach)]
    for layer in range(model.n_layers):
        constant = [*(scale_hook_name(norm, layer) for norm in ("ln1", "ln2")), hook_name("pattern", layer)]
        hooks += [(name, Tensor.detach) for name in constant]
        hooks += _Product().hooks(layer)
    found = model.hook_names
    return [(name, function) for name, function in hooks if name in found]


class _Product:
    """One MLP's inner activation: what its branches were, and its derivatives by the half rule."""

    def __init__(self) -> None:
        self.branches: list[Tensor] = []

    def hooks(self, layer: int) -> list[tuple[str, HookFunction]]:
        """At the branches and at their product."""
        at = f"blocks.{layer}.mlp.hook_"
        return [(f"{at}pre", self.begin), (f"{at}pre_linear", self.add), (f"{at}post", self.linear)]

    def begin(self, value: Tensor) -> Tensor:
        self.branches = [value]
        return value

    def add(self, value: Tensor) -> Tensor:
        self.branches.append(value)
        return value

    def linear(self, value: Tensor) -> Tensor:
        """The value as it is, as a linear function of its branches for the backward pass."""
        fixed = value.detach()
        parts = [branch * _ratio(fixed, branch.detach()) for branch in self.branches]
        mean = torch.stack(parts).mean(0)
        return fixed + (mean - mean.detach())


def _ratio(value: Tensor, branch: Tensor) -> Tensor:
    """value / branch; 0 where the branch is exactly 0."""
    return torch.where(branch == 0, 0.0, value / torch.where(branch == 0, 1.0, branch))
