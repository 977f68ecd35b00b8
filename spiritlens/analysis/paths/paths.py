"""Which paths are asked for, as one value.

    paths = sl.paths.Paths(receivers=[sl.paths.Receiver("v_input", 6, 1)], at=("subject",), frozen="heads")
    sl.path_patch(lens, prompts, contrast, paths)

None, where a field has it, is the method's own choice: all senders; the logits as receiver, or for edge attribution
every reader; the clean run as base, or for edge attribution the corrupted one. A method refuses what it cannot serve.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from spiritlens.analysis.paths.nodes import Receiver, Sender, all_senders, check_nodes
from spiritlens.arguments import check_choice, listed, shown
from spiritlens.effects.paths import BaseRun, Frozen, Norms
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERY_TOKEN, find_span

Receive = Literal["each", "together"]
"""each: every receiver is patched alone; together: all receivers are patched at once."""
ReceiverGroup = tuple[Receiver, ...]
"""Receivers that are patched together."""


@dataclass(frozen=True)
class Held:
    """What is held at the base run's values: the `frozen` nodes between sender and receiver, and norm scales."""

    frozen: Frozen = "heads+mlps"
    norms: Norms = "recomputed"


@dataclass(frozen=True)
class Paths:
    """Paths from every sender to every receiver, each alone or all receivers together.

    `at` names the spans at which a sender is patched (`spiritlens.prompts.spans`). `base` is the run that paths are
    patched in. `frozen` is what is held between sender and receiver, and `norms` whether a receiver's norm scale is.
    """

    senders: Sequence[Sender] | None = None
    receivers: Sequence[Receiver] | None = None
    receive: Receive = "each"
    at: Sequence[str] = (EVERY_TOKEN,)
    base: BaseRun | None = None
    frozen: Frozen = "heads+mlps"
    norms: Norms = "recomputed"

    def __post_init__(self) -> None:
        if self.senders is not None:
            object.__setattr__(self, "senders", listed("senders", self.senders, of=Sender))
        if self.receivers is not None:
            object.__setattr__(self, "receivers", listed("receivers", self.receivers, of=Receiver))
        object.__setattr__(self, "at", listed("at", self.at, of=str))
        if self.base is not None:
            check_choice("base", self.base, BaseRun)
        for name, allowed in (("receive", Receive), ("frozen", Frozen), ("norms", Norms)):
            check_choice(name, getattr(self, name), allowed)


def given_paths(paths: Paths | None, method: str, unknown: Sequence[str] = ()) -> Paths:
    """The paths, or the method's own; those with a field changed that is `unknown` to the method are refused."""
    asked = Paths() if paths is None else paths
    if not isinstance(asked, Paths):
        raise ValueError(
            f"paths={shown(paths)} ({type(paths).__name__}): expected Paths, such as "
            "Paths(receivers=[Receiver('logits')], at=('subject',))"
        )
    served = [field.name for field in fields(Paths) if field.name not in unknown]
    for name in unknown:
        if getattr(asked, name) != getattr(Paths, name):
            raise ValueError(
                f"paths has {name}={shown(getattr(asked, name))}, which {method} does not know; it reads "
                f"{', '.join(served)}"
            )
    return asked


def given_nodes(
    model: LensModel, paths: Paths, receivers: Sequence[Receiver]
) -> tuple[tuple[Sender, ...], tuple[ReceiverGroup, ...]]:
    """Senders and groups of receivers that the model has; `receivers` are the method's own."""
    senders = all_senders(model) if paths.senders is None else tuple(paths.senders)
    readers = tuple(receivers if paths.receivers is None else paths.receivers)
    check_nodes(model, senders, readers)
    if paths.receive == "each" or len(readers) == 1:
        return senders, tuple((reader,) for reader in readers)
    if any(reader.component == "logits" for reader in readers):  # nothing patched beside them changes what they receive
        raise ValueError("logits cannot be patched together with other receivers; ask for them apart")
    return senders, (readers,)


def check_places(prompts: Sequence[Prompt], at: Sequence[str]) -> None:
    """Every prompt has at least one of the spans."""
    for prompt in prompts:
        if all(find_span(prompt, name) is None for name in at):
            raise ValueError(f"prompt {prompt.id} has none of the spans at={at}; give a span that all prompts have")
