"""Where the rows of a suffix step stand, which tokens a full pass takes and which hook points there are; what does not
fit is refused."""

from collections.abc import Collection
from difflib import get_close_matches

import torch
from torch import Tensor

from spiritlens.components import hook_name
from spiritlens.models.blocks.attending import CachedKeys
from spiritlens.models.protocol import CachedPrefix
from spiritlens.shapes import ShapeError


def check_tokens(tokens: Tensor, limit: int, rows: int, window: int | None) -> None:
    """Refuse tokens ``[batch pos]`` that are too many or have no embedding."""
    if tokens.shape[1] > limit:
        why = ", its sliding window, beyond which it is not computed exactly" if window == limit else ""
        raise ValueError(
            f"{tokens.shape[1]} tokens are more than the model's context of {limit}{why}; give a shorter prompt"
        )
    if tokens.device.type == "cpu" and tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < rows:
        worst = int(tokens.max()) if int(tokens.min()) >= 0 else int(tokens.min())
        raise ValueError(f"token {worst} has no embedding: ids go from 0 to {rows - 1}; use this lens's own prompts")


def check_hook_name(name: str, points: Collection[str], n_layers: int) -> None:
    """Refuse a name of no hook point, with those that are like it."""
    if name not in points:
        near = get_close_matches(name, points, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ValueError(f"the model has no hook point {name!r} ({n_layers} layers){hint}")


def query_places(rows: Tensor, start: int, queries: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Positions of the queries, and their places in the suffix (None: the whole suffix)."""
    if queries is None:
        return torch.arange(start, start + rows.shape[1], device=rows.device), None
    if queries.device.type == "cpu" and len(queries):  # elsewhere the look would wait for the device
        first, last = int(queries.min()), int(queries.max())
        if first < start or last >= start + rows.shape[1]:
            raise ShapeError(
                f"queries are positions from {start} to {start + rows.shape[1] - 1} here, found {first} to {last}"
            )
    queries = queries.to(rows.device)
    return queries, queries - start


def cached_keys(layer: int, prefix: CachedPrefix) -> CachedKeys:
    """Keys and values of the runs before ``start``."""
    keys, values = prefix.run[hook_name("k", layer)], prefix.run[hook_name("v", layer)]
    if prefix.start > keys.shape[1]:
        raise ShapeError(f"block {layer}: start {prefix.start} is past the run's {keys.shape[1]} cached positions")
    return CachedKeys(keys[:, : prefix.start], values[:, : prefix.start], prefix.sample_of_row)
