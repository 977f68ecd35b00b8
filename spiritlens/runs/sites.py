"""Sites: which activation of which layer at which positions (and of which head) an intervention touches.

Components carry TransformerLens's names. Within block l they follow each other as

    resid_pre → q, k, v → z → attn_out → resid_mid → mlp_out → resid_post

with ``resid_mid = resid_pre + attn_out`` and ``resid_post = resid_mid + mlp_out``; `resid_post` of block l is
`resid_pre` of block l+1 (the reference causal-tracing code calls it "layer l"). ``embed`` is the token embedding,
before block 0. ``q k v z`` have a head axis (``k v``: key-value heads, fewer than query heads under grouped-query
attention); keys and queries are meant before the rotary turn. Positions are token positions; negative ones count from
the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from spiritlens.models.hooked import hook_name

Component = Literal["embed", "resid_pre", "q", "k", "v", "z", "attn_out", "resid_mid", "mlp_out", "resid_post"]
"""Activations that can be patched, in the order in which a block computes them."""

COMPONENTS: tuple[str, ...] = get_args(Component)
HEAD_COMPONENTS = ("q", "k", "v", "z")
"""Components with a head axis."""
STAGE = {component: stage for stage, component in enumerate(COMPONENTS)}
"""Order of the components inside a block."""


class Positions(Protocol):
    """Anything that names token positions, such as `spiritlens.prompts.prompt.Span`."""

    @property
    def name(self) -> str: ...
    @property
    def positions(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Site:
    """One component of one layer at some token positions, all heads or one (`head`)."""

    component: str
    layer: int
    positions: tuple[int, ...]
    head: int | None = None

    def __post_init__(self) -> None:
        if self.component not in COMPONENTS:
            raise ValueError(f"component {self.component!r} is unknown; one of {', '.join(COMPONENTS)}")
        if not self.positions:
            raise ValueError(f"a site of {self.component} needs at least one position; the span given is empty")
        if self.head is not None and self.component not in HEAD_COMPONENTS:
            raise ValueError(
                f"{self.component} has no head axis (head={self.head}); heads exist in {', '.join(HEAD_COMPONENTS)}"
            )

    @property
    def hook(self) -> str:
        """TransformerLens's name of the activation."""
        return hook_name(self.component, self.layer)

    def resolved(self, n_positions: int, n_layers: int, n_heads: int, n_kv_heads: int) -> "Site":
        """The same site with positions counted from the start; refuses what the model or the prompt does not have."""
        if not 0 <= self.layer < n_layers:
            raise ValueError(f"layer {self.layer} is outside the model's layers 0..{n_layers - 1}")
        heads = n_kv_heads if self.component in ("k", "v") else n_heads
        if self.head is not None and not 0 <= self.head < heads:
            raise ValueError(f"head {self.head} is outside the {heads} heads of {self.component} (0..{heads - 1})")
        outside = [position for position in self.positions if not -n_positions <= position < n_positions]
        if outside:
            raise ValueError(
                f"positions {outside} are outside the prompt's {n_positions} tokens (0..{n_positions - 1}): "
                "was the span made from another prompt?"
            )
        positions = tuple(sorted({position % n_positions for position in self.positions}))
        return Site(self.component, self.layer, positions, self.head)


def positions_of(at: Positions | Sequence[int] | int) -> tuple[int, ...]:
    """Token positions out of a span, a sequence of positions or one position."""
    if isinstance(at, int):
        return (at,)
    if isinstance(at, Sequence):
        return tuple(int(position) for position in at)
    return at.positions
