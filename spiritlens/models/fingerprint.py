"""What tells whether two results come from the same model: a hash of its state as it is now, and the hooks it carries.

The hash reads the settings and every value of every parameter and buffer, each time it is asked for: weights that were
edited in the session, by whatever way, have another. It is taken on all cores at about a gigabyte per second and core
(the embedded model: 0.03 s). Hooks are a user's own functions; they are told by where they sit and what their code is.
"""

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import nn
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.hook_points import HookPoint

from spiritlens.environment import plain_torch
from spiritlens.models.placed_hooks import PlacedHook

SETTINGS = (
    *("n_layers", "n_heads", "n_key_value_heads", "d_model", "d_head", "d_mlp", "d_vocab", "eps", "act_fn"),
    *("normalization_type", "positional_embedding_type", "rotary_base", "rotary_dim", "rotary_adjacent_pairs"),
    *("use_attn_scale", "attn_scale", "attention_dir", "parallel_attn_mlp", "gated_mlp", "final_rms"),
)
"""Settings of TransformerLens that decide what is computed from the weights."""


@plain_torch
def fingerprint(model: HookedTransformer) -> str:
    """16 hexadecimal digits for the model's settings and all its values; the same on every device."""
    settings = [getattr(model.cfg, name, None) for name in SETTINGS]
    digest = hashlib.sha256(repr((settings, *_rotary_scaling(model.cfg))).encode())
    tensors = sorted((*model.named_parameters(), *model.named_buffers()), key=lambda pair: pair[0])
    with ThreadPoolExecutor() as pool:  # hashing leaves the interpreter's lock
        for found in pool.map(_tensor_digest, *zip(*tensors, strict=True)):
            digest.update(found)
    return digest.hexdigest()[:16]


def user_hooks(model: nn.Module) -> tuple[str, ...]:
    """The hooks that the toolkit did not place, each as its module's name and its function; empty for a plain model."""
    return tuple(
        f"{name or 'model'}: {described(function)}"
        for name, module in model.named_modules()
        for function in _functions(module)
    )


def described(function: Callable[..., Any]) -> str:
    """A function by its name and eight digits for its code, so that another lambda of the same line is told apart."""
    inner = function.func if isinstance(function, functools.partial) else inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    name = f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', type(inner).__name__)}"
    if code is None:
        return name
    constants = [value for value in code.co_consts if not inspect.iscode(value)]
    held = [cell.cell_contents for cell in getattr(inner, "__closure__", None) or ()]
    held += [*getattr(function, "args", ()), *getattr(function, "keywords", {}).values()]
    plain = [value for value in held if isinstance(value, (int, float, str, tuple, type(None)))]
    text = repr((code.co_code, code.co_names, constants, plain))
    return f"{name} {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _functions(module: nn.Module) -> Iterator[Callable[..., Any]]:
    """The functions hooked to a module, but for the toolkit's own."""
    handles = [*module.fwd_hooks, *module.bwd_hooks] if isinstance(module, HookPoint) else []
    yield from (handle.user_hook for handle in handles)
    known = {handle.hook.id for handle in handles}
    for hooks in (
        *(module._forward_hooks, module._forward_pre_hooks),
        *(module._backward_hooks, module._backward_pre_hooks),
    ):
        yield from (
            function
            for number, function in hooks.items()
            if number not in known and not isinstance(function, PlacedHook)
        )


def _tensor_digest(name: str, tensor: torch.Tensor) -> bytes:
    if name.endswith(".IGNORE"):  # the score of what is masked, which TransformerLens makes in the default dtype
        tensor = tensor.float()
    digest = hashlib.sha256(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
    digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.digest()


def _rotary_scaling(config: HookedTransformerConfig) -> tuple[Any, ...]:
    """How positions are stretched; empty where they are not."""
    linear = () if config.rotary_scaling_factor == 1 else ("linear", config.rotary_scaling_factor)
    if not config.use_NTK_by_parts_rope:
        return linear
    low, high = config.NTK_by_parts_low_freq_factor, config.NTK_by_parts_high_freq_factor
    return (*linear, "llama3", config.NTK_by_parts_factor, low, high, config.NTK_original_ctx_len)
