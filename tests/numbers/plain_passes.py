"""Hugging Face's own model with plain hooks of torch on its modules, in float64: no TransformerLens, nothing shared.

One pass runs the whole model, with a row for each case; an *edit* takes an activation, heads as an axis, and gives the
one to go on with. What is no module's output (scores and pattern) is seen in an attention function of Hugging Face's
registry.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from transformers import AttentionInterface

Point: TypeAlias = tuple[str, int]
"""A component and its layer."""
Edit: TypeAlias = Callable[[Tensor], Tensor]
Edits: TypeAlias = Mapping[Point, Edit]
ATTENTION = "plain_passes"


class PlainModel:
    """A Llama or Qwen 2 of Hugging Face's; `linear` makes its passes RelP's (constant norms and patterns, halved
    products)."""

    def __init__(self, llama: Any) -> None:
        config = llama.config
        self.llama, self.layers = llama, llama.model.layers
        self.n_layers, self.n_heads = config.num_hidden_layers, config.num_attention_heads
        self.n_kv_heads, self.d_head = config.num_key_value_heads, llama.model.layers[0].self_attn.head_dim
        self.linear = False
        self.edits: Edits = {}
        self.seen: dict[Point, Tensor] = {}
        AttentionInterface.register(ATTENTION, _attention)
        config._attn_implementation = ATTENTION
        self._place(llama.model.embed_tokens, "embed", 0)
        for layer, block in enumerate(self.layers):
            self._place_block(layer, block)
        self._hold_norm(llama.model.norm)

    def run(self, tokens: Tensor, edits: Edits | None = None) -> tuple[Tensor, dict[Point, Tensor]]:
        """Logits ``[pos d_vocab]`` and every activation as it went on, by component and layer."""
        self.edits, self.seen = edits or {}, {}
        logits = self.llama(tokens, use_cache=False).logits
        return logits[0], self.seen

    def run_rows(self, tokens: Tensor, rows: Sequence[Edits]) -> Tensor:
        """Logits ``[row pos d_vocab]`` of one pass in which each row has edits of its own, that see this row alone."""
        points = dict.fromkeys(point for edits in rows for point in edits)
        self.edits, self.seen = {point: _by_row(point, rows) for point in points}, {}
        logits: Tensor = self.llama(tokens.repeat(len(rows), 1), use_cache=False).logits
        return logits

    def at(self, name: str, layer: int, value: Tensor) -> Tensor:
        """The activation as it goes on."""
        edit = self.edits.get((name, layer))
        self.seen[name, layer] = value if edit is None else edit(value)
        return self.seen[name, layer]

    def _place(self, module: nn.Module, name: str, layer: int, heads: bool = False) -> None:
        """At what a module gives."""

        def hook(module: nn.Module, given: Any, output: Tensor) -> Tensor:
            value = output.unflatten(-1, (-1, self.d_head)) if heads else output
            return self.at(name, layer, value).reshape(output.shape)

        module.register_forward_hook(hook)

    def _place_before(self, module: nn.Module, name: str, layer: int, heads: bool = False) -> None:
        """At what a module is given."""

        def hook(module: nn.Module, given: Any) -> Any:
            value = given[0].unflatten(-1, (-1, self.d_head)) if heads else given[0]
            return (self.at(name, layer, value).reshape(given[0].shape), *given[1:])

        module.register_forward_pre_hook(hook)

    def _place_block(self, layer: int, block: Any) -> None:
        attention = block.self_attn
        attention.plain = self
        self._place_before(block, "resid_pre", layer)
        for letter in "qkv":
            self._place(getattr(attention, f"{letter}_proj"), letter, layer, heads=True)
        self._place_before(attention.o_proj, "z", layer, heads=True)
        attention.register_forward_hook(lambda module, given, output: (self._mid(layer, output[0]), *output[1:]))
        block.mlp.act_fn.register_forward_hook(self._through_the_origin)
        block.mlp.down_proj.register_forward_pre_hook(self._halved)
        self._place(block.mlp, "mlp_out", layer)
        self._hold_norm(block.input_layernorm)
        self._hold_norm(block.post_attention_layernorm)
        self._place(block, "resid_post", layer)

    def _mid(self, layer: int, attn_out: Tensor) -> Tensor:
        """The attention's output; the residual after it, edited or to be differentiated, is written into it."""
        attn_out = self.at("attn_out", layer, attn_out)
        before = self.seen["resid_pre", layer]
        mid = before + attn_out
        after = self.at("resid_mid", layer, mid)
        return attn_out if after is mid and not torch.is_grad_enabled() else after - before

    def _hold_norm(self, norm: nn.Module) -> None:
        def hook(module: Any, given: Any, output: Tensor) -> Tensor:
            return given[0] / scale(module, given[0]).detach() * module.weight if self.linear else output

        norm.register_forward_hook(hook)

    def _through_the_origin(self, module: nn.Module, given: Any, output: Tensor) -> Tensor:
        return given[0] * (output / given[0]).detach() if self.linear else output

    def _halved(self, module: nn.Module, given: Any) -> Any:
        product = given[0]
        return ((product + product.detach()) / 2,) if self.linear else given


def _by_row(point: Point, rows: Sequence[Edits]) -> Edit:
    def edit(value: Tensor) -> Tensor:
        parts = [
            edits[point](part) if point in edits else part for edits, part in zip(rows, value.split(1), strict=True)
        ]
        return torch.cat(parts)

    return edit


def scale(norm: Any, x: Tensor) -> Tensor:
    """What an RMS norm divides by."""
    return (x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon).sqrt()


def _attention(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, scaling: float, **_: Any) -> Any:
    """Softmax attention of ``[batch head pos d_head]``, key-value heads repeated for their queries."""
    plain, layer = module.plain, module.layer_idx
    key, value = (x.repeat_interleave(plain.n_heads // plain.n_kv_heads, dim=1) for x in (key, value))
    later = torch.ones(query.shape[2], query.shape[2], dtype=torch.bool).triu(1)
    scores = (query @ key.transpose(-1, -2) * scaling).masked_fill(later, -torch.inf)
    pattern = plain.at("scores", layer, scores).softmax(-1)
    pattern = plain.at("pattern", layer, pattern.detach() if plain.linear else pattern)
    return (pattern @ value).transpose(1, 2).contiguous(), None
