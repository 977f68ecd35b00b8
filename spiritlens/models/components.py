"""Components: the activations of a block that methods patch, in the order in which a block computes them.

    resid_pre → q, k, v → z → attn_out → resid_mid → mlp_out → resid_post

``embed`` is the token embedding before block 0. Names are TransformerLens's; `hook_name` gives the hook point's.
"""

from typing import Literal, get_args

from spiritlens.arguments import shown, whole

COMPONENT_HOOKS: dict[str, str] = {
    "embed": "hook_embed",
    "resid_pre": "blocks.{layer}.hook_resid_pre",
    "resid_mid": "blocks.{layer}.hook_resid_mid",
    "resid_post": "blocks.{layer}.hook_resid_post",
    "attn_out": "blocks.{layer}.hook_attn_out",
    "mlp_out": "blocks.{layer}.hook_mlp_out",
    "q": "blocks.{layer}.attn.hook_q",
    "k": "blocks.{layer}.attn.hook_k",
    "v": "blocks.{layer}.attn.hook_v",
    "z": "blocks.{layer}.attn.hook_z",
    "scores": "blocks.{layer}.attn.hook_attn_scores",
    "pattern": "blocks.{layer}.attn.hook_pattern",
}
"""TransformerLens's name of each component's hook point."""


def hook_name(component: str, layer: int) -> str:
    """TransformerLens's hook name of a component: ``hook_name("mlp_out", 3)`` is ``blocks.3.hook_mlp_out``."""
    if not isinstance(component, str) or component not in COMPONENT_HOOKS:
        raise ValueError(f"component {shown(component)} is unknown; the components are {', '.join(COMPONENT_HOOKS)}")
    place = layer if type(layer) is int and layer >= 0 else whole("layer", layer, at_least=0)
    return COMPONENT_HOOKS[component].format(layer=place)


Component = Literal["embed", "resid_pre", "q", "k", "v", "z", "attn_out", "resid_mid", "mlp_out", "resid_post"]
"""Activations that can be patched, in the order in which a block computes them."""


COMPONENTS: tuple[str, ...] = get_args(Component)


HEAD_COMPONENTS = ("q", "k", "v", "z")
"""Components with a head axis."""


STAGE = {component: stage for stage, component in enumerate(COMPONENTS)}
"""Order of the components inside a block."""
