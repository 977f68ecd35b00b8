"""Senders and receivers of path patching, and the change of the residual stream that each sender alone brings.

A *sender* writes into the residual stream: the token embedding, a head's output (``z`` times its output weights) or an
MLP. A *receiver* reads it: the query, key or value input of a head, an MLP's input, or the logits. The stream is cut
into stages: 2·l is what enters block l (read by its heads), 2·l + 1 what enters its MLP, 2·L what the final norm
reads. A path runs forward only: a sender reaches a receiver whose stage comes after the sender's own write.

`residual_changes` answers: in the base run, with one sender set to its value of the source run and the *frozen* nodes
between held at their base values, by how much does the residual stream change at a stage?

- ``heads+mlps`` frozen: by the sender's own change, at the sender's positions (closed form, no forward pass).
- ``heads`` frozen: MLPs recompute, each position by itself, because no attention moves (MLP steps only).
- ``nothing`` frozen: everything recomputes (a full pass per sender, batched).

Axes: changes are ``[sender position d_model]``. Source: Wang et al. 2022 (arXiv 2211.00593), section 3.1 and appendix
B, where heads are frozen and MLPs recompute; Goldowsky-Dill et al. 2023 (arXiv 2304.05969).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spiritlens.arguments import check_choice, whole
from spiritlens.models.protocol import LensModel

SenderName = Literal["embed", "z", "mlp_out"]
ReceiverName = Literal["q_input", "k_input", "v_input", "mlp_in", "logits"]


@dataclass(frozen=True)
class Sender:
    """A node that writes; `layer` and `head` are −1 where there is none (embedding: both; MLP: head)."""

    component: SenderName
    layer: int = -1
    head: int = -1

    def __post_init__(self) -> None:
        check_choice("sender component", self.component, SenderName)
        _check_node(self, {"embed": "", "z": "lh", "mlp_out": "l"})

    @property
    def stage(self) -> int:
        """Stage after which its write is in the stream: readers of later stages see it."""
        return -1 if self.component == "embed" else 2 * self.layer + (self.component == "mlp_out")

    def __str__(self) -> str:
        return {"embed": "embed", "z": f"L{self.layer}H{self.head}", "mlp_out": f"MLP{self.layer}"}[self.component]


@dataclass(frozen=True)
class Receiver:
    """A node that reads; for ``k_input`` and ``v_input`` the head is a key-value head."""

    component: ReceiverName
    layer: int = -1
    head: int = -1

    def __post_init__(self) -> None:
        check_choice("receiver component", self.component, ReceiverName)
        heads = dict.fromkeys(("q_input", "k_input", "v_input"), "lh")
        _check_node(self, {**heads, "mlp_in": "l", "logits": ""})

    def stage(self, n_layers: int) -> int:
        """Stage of the stream that it reads."""
        return 2 * n_layers if self.component == "logits" else 2 * self.layer + (self.component == "mlp_in")

    def __str__(self) -> str:
        if self.component == "logits":
            return "logits"
        return f"MLP{self.layer}" if self.component == "mlp_in" else f"L{self.layer}H{self.head}.{self.component[0]}"


def _check_node(node: Sender | Receiver, needs: Mapping[str, str]) -> None:
    """Layer and head are whole numbers, and there where the component has such an axis."""
    for name, letter in (("layer", "l"), ("head", "h")):
        value = whole(f"{name} of {node.component}", getattr(node, name), at_least=-1)
        object.__setattr__(node, name, value)  # numpy's integers as Python's, which JSON can hold
        if (letter in needs[node.component]) != (value >= 0):
            rule = f"needs a {name}" if letter in needs[node.component] else f"has no {name} (leave it out)"
            raise ValueError(f"{node.component} {rule}; found {name}={value}")


def all_senders(model: LensModel) -> tuple[Sender, ...]:
    """The embedding, every head and every MLP, in the order of the computation."""
    layers = [
        (*(Sender("z", layer, head) for head in range(model.n_heads)), Sender("mlp_out", layer))
        for layer in range(model.n_layers)
    ]
    return (Sender("embed"), *(sender for layer in layers for sender in layer))


def all_receivers(model: LensModel) -> tuple[Receiver, ...]:
    """Query, key and value inputs of every head, every MLP input, and the logits."""
    found: list[Receiver] = []
    for layer in range(model.n_layers):
        found += [Receiver("q_input", layer, head) for head in range(model.n_heads)]
        found += [Receiver("k_input", layer, head) for head in range(model.n_kv_heads)]
        found += [Receiver("v_input", layer, head) for head in range(model.n_kv_heads)]
        found.append(Receiver("mlp_in", layer))
    return (*found, Receiver("logits"))


def check_nodes(model: LensModel, senders: Sequence[Sender], receivers: Sequence[Receiver]) -> None:
    """Refuse nodes that the model does not have."""
    nodes: list[Sender | Receiver] = [*senders, *receivers]
    for node in nodes:
        if node.layer >= model.n_layers:
            raise ValueError(f"{node} is outside the model's layers 0..{model.n_layers - 1}")
        grouped = node.component in ("k_input", "v_input")
        heads = model.n_kv_heads if grouped else model.n_heads
        if node.head >= heads:
            kind = "key-value heads" if grouped else "heads"
            raise ValueError(f"{node} is outside the model's {heads} {kind} (0..{heads - 1})")
