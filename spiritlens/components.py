"""Components: the activations that methods read and patch, one row each, in the order in which a block computes them.

    resid_pre → q, k, v → scores → pattern → z → attn_out → resid_mid → mlp_out → resid_post

``embed`` is the token embedding before block 0, ``result`` each head's share of attn_out (z through fixed weights).
Names are TransformerLens's. All that the toolkit knows of a component stands in its row of `COMPONENTS`; every list of
components is a comprehension over the rows, here or where it is used. Nothing here needs torch.
"""

from dataclasses import dataclass
from typing import Literal

from spiritlens.arguments import shown, whole

Method = Literal["run", "sweep", "patch", "attribute"]
"""Who patches components: the verbs of `sl.run`, the exact sweep (tracing), activation patching, attribution."""

HeadKind = Literal["none", "query", "key-value"]

Phase = Literal["before attention", "before MLP", "after MLP"]
"""How much of its block a component's change still has to pass."""

__all__ = ["Component", "hook_name"]

EVERY: tuple[Method, ...] = ("run", "sweep", "patch", "attribute")


@dataclass(frozen=True)
class Component:
    """One kind of activation.

    `own_position`: a change reaches other positions only through a later block's attention. `base_reads`: where that
    is so, the components of the base run from which the block's output follows in closed form once this one is
    patched. `windowed`: patched in neighbouring layers together. `by_query`: values stand as ``[head query key]``, and
    not position first. `sever`: the name under which tracing holds it at the base run's values.
    """

    name: str
    hook: str
    """TransformerLens's hook point, with ``{layer}``; where the toolkit reads and patches the component."""
    words: str
    phase: Phase
    own_position: bool
    heads: HeadKind = "none"
    windowed: bool = False
    by_query: bool = False
    base_reads: tuple[str, ...] = ()
    sever: str = ""
    patched_by: tuple[Method, ...] = EVERY


_BLOCK, _ATTENTION = "blocks.{layer}.hook_", "blocks.{layer}.attn.hook_"

COMPONENTS: tuple[Component, ...] = (
    Component("embed", "hook_embed", "token embedding", "before attention", own_position=False, patched_by=("run",)),
    Component("resid_pre", f"{_BLOCK}resid_pre", "residual stream into the block", "before attention", False),
    Component(
        "q", f"{_ATTENTION}q", "queries", "before attention", own_position=True, heads="query",
        base_reads=("k", "v", "z", "resid_mid"),
    ),
    Component("k", f"{_ATTENTION}k", "keys", "before attention", own_position=False, heads="key-value"),
    Component("v", f"{_ATTENTION}v", "values", "before attention", own_position=False, heads="key-value"),
    Component(
        "scores", f"{_ATTENTION}attn_scores", "attention scores", "before attention", own_position=True, heads="query",
        by_query=True, patched_by=(),
    ),
    Component(
        "pattern", f"{_ATTENTION}pattern", "attention pattern", "before attention", own_position=True, heads="query",
        by_query=True, base_reads=("v", "z", "resid_mid"), patched_by=("run", "patch"),
    ),
    Component(
        "z", f"{_ATTENTION}z", "head output", "before MLP", own_position=True, heads="query",
        base_reads=("z", "resid_mid"),
    ),
    Component(  # z · W_O by head: linear in z and patched there, with equal values; its own hook costs memory
        "result", f"{_ATTENTION}z", "head output in the residual stream", "before MLP", own_position=True,
        heads="query", base_reads=("z", "resid_mid"), patched_by=("run", "patch"),
    ),
    Component(
        "attn_out", f"{_BLOCK}attn_out", "attention output", "before MLP", own_position=True, windowed=True,
        base_reads=("resid_mid", "attn_out"), sever="attn",
    ),
    Component(
        "resid_mid", f"{_BLOCK}resid_mid", "residual stream after attention", "before MLP", own_position=True,
        base_reads=("resid_mid",),
    ),
    Component(
        "mlp_out", f"{_BLOCK}mlp_out", "MLP output", "after MLP", own_position=True, windowed=True,
        base_reads=("resid_mid",), sever="mlp",
    ),
    Component("resid_post", f"{_BLOCK}resid_post", "residual stream out of the block", "after MLP", own_position=True),
)  # fmt: skip
"""All components, in the order of the block."""

COMPONENT_NAMED: dict[str, Component] = {row.name: row for row in COMPONENTS}

STAGE: dict[str, int] = {row.name: stage for stage, row in enumerate(COMPONENTS)}
"""Order of the components inside a block."""

HEAD_COMPONENTS = tuple(row.name for row in COMPONENTS if row.heads != "none")
KEY_VALUE_COMPONENTS = tuple(row.name for row in COMPONENTS if row.heads == "key-value")
WINDOWED = tuple(row.name for row in COMPONENTS if row.windowed)

CUT_ATTENTION = "attention"
"""What results of an attention knock-out call their component: edges cut in ``scores``, in a window of layers."""


def patched_by(method: Method) -> tuple[str, ...]:
    """Names of the components that a method patches."""
    return tuple(row.name for row in COMPONENTS if method in row.patched_by)


def hook_name(component: str, layer: int) -> str:
    """TransformerLens's hook name of a component: ``hook_name("mlp_out", 3)`` is ``blocks.3.hook_mlp_out``.

    ``result`` is read and patched at ``z``.

    Returns the name. Raises ValueError for an unknown component, or a layer that is no whole number.
    """
    if not isinstance(component, str) or component not in COMPONENT_NAMED:
        raise ValueError(f"component {shown(component)} is unknown; the components are {', '.join(COMPONENT_NAMED)}")
    place = layer if type(layer) is int and layer >= 0 else whole("layer", layer, at_least=0)
    return COMPONENT_NAMED[component].hook.format(layer=place)


def scale_hook_name(norm: str, layer: int) -> str:
    """TransformerLens's hook name of a norm's scale: ``ln1`` and ``ln2`` of a layer, ``ln_final`` of the model."""
    return f"{norm}.hook_scale" if norm == "ln_final" else f"blocks.{layer}.{norm}.hook_scale"


def head_count(component: str, n_heads: int, n_kv_heads: int) -> int:
    """How many heads a component has in a model; keys and values may have fewer."""
    return n_kv_heads if component in KEY_VALUE_COMPONENTS else n_heads
