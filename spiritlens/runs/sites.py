"""Sites: which activation of which layer at which positions (and of which head) an intervention touches.

Components carry TransformerLens's names. Within block l they follow each other as

    resid_pre → q, k, v → z → attn_out → resid_mid → mlp_out → resid_post

with ``resid_mid = resid_pre + attn_out`` and ``resid_post = resid_mid + mlp_out``; `resid_post` of block l is
`resid_pre` of block l+1 (the reference causal-tracing code calls it "layer l"). ``embed`` is the token embedding,
before block 0. ``q k v z`` have a head axis (``k v``: key-value heads, fewer than query heads under grouped-query
attention); keys and queries are meant before the rotary turn. Positions are token positions; negative ones count from
the end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from spiritlens.arguments import shown, whole, written
from spiritlens.components import COMPONENT_NAMED, HEAD_COMPONENTS, head_count, hook_name, patched_by
from spiritlens.prompts.prompt import Prompt

SITE_COMPONENTS = patched_by("run")


class Positions(Protocol):
    """Anything that names token positions, such as `spiritlens.prompts.prompt.Span`."""

    @property
    def name(self) -> str: ...
    @property
    def positions(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Site:
    """One component of one layer at some token positions, all heads or one (`head`).

    In the place of positions, `span` may name them (`spiritlens.prompts.spans`): each prompt knows its own.
    """

    component: str
    layer: int
    positions: tuple[int, ...] = ()
    head: int | None = None
    span: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.component, str) or self.component not in SITE_COMPONENTS:
            raise ValueError(f"component {shown(self.component)} is unknown; one of {', '.join(SITE_COMPONENTS)}")
        object.__setattr__(self, "layer", whole("layer", self.layer))
        object.__setattr__(self, "positions", positions_of(self.positions))
        if bool(self.positions) == bool(written("span", self.span, blank="allowed")):
            raise ValueError(
                f"a site of {self.component} needs at least one position, or the name of a span: give one of the two; "
                f"positions={self.positions}, span={self.span!r}"
            )
        if self.head is None:
            return
        object.__setattr__(self, "head", whole("head", self.head))
        if self.component not in HEAD_COMPONENTS:
            raise ValueError(
                f"{self.component} has no head axis (head={self.head}); heads exist in "
                f"{', '.join(name for name in SITE_COMPONENTS if name in HEAD_COMPONENTS)}"
            )

    @property
    def hook(self) -> str:
        """TransformerLens's name of the activation."""
        return hook_name(self.component, self.layer)

    @property
    def by_query(self) -> bool:
        """Whether its positions are queries and its width the keys."""
        return COMPONENT_NAMED[self.component].by_query

    def of_prompt(self, prompt: Prompt) -> "Site":
        """The same site with the positions that its span has in this prompt."""
        return replace(self, positions=prompt.span(self.span).positions, span="")

    def resolved(self, n_positions: int, n_layers: int, n_heads: int, n_kv_heads: int) -> "Site":
        """The same site with positions counted from the start; refuses what the model or the prompt does not have."""
        if not 0 <= self.layer < n_layers:
            raise ValueError(f"layer {self.layer} is outside the model's layers 0..{n_layers - 1}")
        heads = head_count(self.component, n_heads, n_kv_heads)
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


Positioned: TypeAlias = Positions | Iterable[int] | int | str
"""A span or its name, token positions (negative ones count from the end), or one position."""


def site_at(component: str, layer: int, at: Positioned, head: int | None = None) -> Site:
    """The site at a span, at positions, or at a span's name, which is read when the prompt is known."""
    if isinstance(at, str):
        return Site(component, layer, (), head, at)
    found = positions_of(at)
    if not found:
        raise ValueError(
            f"a site of {component} needs at least one position, and the span given is empty ({shown(at)}): give one "
            "that has tokens of the prompt"
        )
    return Site(component, layer, found, head)


def positions_of(at: Positioned) -> tuple[int, ...]:
    """Token positions out of a span, positions (also of numpy or torch, or a set) or one position.

    Names are read by the prompt, not here: ``prompt.span("subject")``.
    """
    if isinstance(at, (str, bytes)):
        raise ValueError(
            f"position {shown(at)} is a text: give prompt.span({shown(at)}), positions, or to a Site span={shown(at)}"
        )
    if hasattr(at, "subject"):
        raise ValueError(f"position {shown(at, 40)} is a prompt: give its .subject, a span of it, or positions")
    given: object = getattr(at, "positions", at)
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable) or getattr(given, "ndim", 1) == 0:
        return (whole("position", given),)
    if getattr(given, "ndim", 1) > 1 or str(getattr(given, "dtype", "")).removeprefix("torch.") == "bool":
        raise ValueError(f"positions {shown(given)}: expected whole numbers in one row, not a mask or a table")
    found = tuple(whole(f"position {place}", position) for place, position in enumerate(given))
    return tuple(sorted(found)) if isinstance(given, (set, frozenset)) else found
