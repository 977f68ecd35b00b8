"""What tests do to a model of either kind, TransformerLens's `HookedTransformer` or its `TransformerBridge`.

On a bridge a hook knows itself by another name, and what one on ``hook_resid_mid`` returns reaches the MLP only.
"""

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge

from spiritlens.models.blocks.lens_model import BlockLensModel

Hook: TypeAlias = Callable[[Tensor, Any], Tensor | None]
Hooks: TypeAlias = list[tuple[str, Hook]]
MID = "hook_resid_mid"


def own_hooks(model: nn.Module, hooks: Iterable[tuple[str, Hook]]) -> Hooks:
    """The hooks for ``fwd_hooks``: each gets the name asked for, and one on ``resid_mid`` sees and replaces the
    residual stream; on a bridge by way of the attention's output."""
    early, late = [], []
    for name, function in hooks:
        if name.endswith(MID) and isinstance(model, TransformerBridge):
            late += _mid(name, function)
        else:
            early.append((name, _named(name, function)))
    return [*early, *late]


def _named(name: str, function: Hook) -> Hook:
    return lambda x, hook: function(x, SimpleNamespace(name=name))


def _mid(name: str, function: Hook) -> Iterator[tuple[str, Hook]]:
    before: list[Tensor] = []

    def keep(x: Tensor, hook: Any) -> None:
        before[:] = [x]

    def write(attn_out: Tensor, hook: Any) -> Tensor | None:
        found = function(before[0] + attn_out, SimpleNamespace(name=name))
        return None if found is None else found - before[0]

    yield name.replace(MID, "hook_resid_pre"), keep
    yield name.replace(MID, "hook_attn_out"), write


def run_hooked(model: Any, tokens: Tensor, hooks: Iterable[tuple[str, Hook]] = ()) -> Tensor:
    """Logits of TransformerLens's own pass with the hooks."""
    logits: Tensor = model.run_with_hooks(tokens, fwd_hooks=own_hooks(model, hooks))
    return logits


def weights_by_name(inside: BlockLensModel) -> dict[str, Tensor]:
    """The weights by TransformerLens 3's names and axes, as views: who writes into one changes the model."""
    found = {"embed.W_E": inside.w_e, "unembed.W_U": inside.w_u}
    for layer in range(inside.n_layers):
        attention, mlp, before = inside.attention_weights(layer), inside.mlp_weights(layer), f"blocks.{layer}."
        for letter in "qkv":
            weight = getattr(attention, letter).weight
            found[f"{before}attn.W_{letter.upper()}"] = weight.unflatten(0, (-1, inside.d_head)).transpose(1, 2)
        found[f"{before}attn.W_O"] = inside.w_o(layer)
        found |= {f"{before}mlp.W_{name}": linear.weight.T for name, linear in _mlp(mlp)}
    memory = {parameter.untyped_storage().data_ptr() for parameter in inside.model.parameters()}
    assert {view.untyped_storage().data_ptr() for view in found.values()} <= memory
    return found


def _mlp(mlp: Any) -> Iterator[tuple[str, Any]]:
    yield from (("gate", mlp.gate), ("in", mlp.up), ("out", mlp.out))


@torch.no_grad()
def turn_positions(model: Any, by: float = 0.5) -> None:
    """Let the model take other angles for its positions, in place."""
    if isinstance(model, TransformerBridge):
        model.rotary_emb.original_component.inv_freq.mul_(by)
    else:
        for block in model.blocks:
            angles = torch.atan2(block.attn.rotary_sin, block.attn.rotary_cos) * by
            block.attn.rotary_sin.copy_(angles.sin())
            block.attn.rotary_cos.copy_(angles.cos())
