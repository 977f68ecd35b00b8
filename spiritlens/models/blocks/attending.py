"""Causal attention of new positions after a cached prefix that many rows share.

Rows ``[rows suffix head d_head]`` continue cached runs ``[run start kv_head d_head]``; ``sample_of_row`` names each
row's run. Two exact ways, chosen by size (`attend`): *joined*, where every row gets its run's keys and values copied in
front of its own and one scaled-dot-product attention does the rest; and *shared*, for prefixes so much longer than what
follows that the copies would cost more, where all rows of a run meet its prefix in one matrix product. Query heads of
one key-value group are folded into the query axis, so that grouped-query attention repeats no keys.

Axes: ``rows run suffix query head kv_head group d_head``; scores ``[rows kv_head (group query) key]``.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from spiritlens.models.protocol import PREFIX_TO_SHARE


@dataclass(frozen=True, eq=False)
class CachedKeys:
    """Keys and values of one layer before the rows' own, ``[run start kv_head d_head]``, and each row's run."""

    keys: Tensor
    values: Tensor
    sample_of_row: Tensor


def rotated(attn: Any, states: Tensor, positions: slice | Tensor, out: Tensor | None = None) -> Tensor:
    """Rotary embedding of ``[rows pos head d_head]`` for the given positions (half-split pairs, as Hugging Face).

    Written to `out` where that is given and no gradient is asked for.
    """
    half = states.shape[-1] // 2
    cos, sin = attn.rotary_cos[positions, None, :half], attn.rotary_sin[positions, None, :half]
    first, second = states[..., :half], states[..., half:]
    if learns(states):
        turned = torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(second * cos, first, sin)
        return torch.cat(turned, dim=-1)
    found = torch.empty(states.shape, dtype=states.dtype, device=states.device) if out is None else out
    torch.mul(first, cos, out=found[..., :half]).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=found[..., half:]).addcmul_(first, sin)
    return found


def learns(*values: Tensor) -> bool:
    """Whether a gradient is asked for, which forbids to write in place."""
    return torch.is_grad_enabled() and any(value.requires_grad for value in values)


def attend(
    attn: Any,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    before: CachedKeys,
    positions: Tensor,
) -> Tensor:
    """z ``[rows query head d_head]`` of queries that stand at ``positions``; everything before rotation.

    ``keys`` and ``values [rows suffix kv_head d_head]`` are the rows' own.
    """
    old_keys, old_values, sample_of_row = before.keys, before.values, before.sample_of_row
    start, length = old_keys.shape[1], old_keys.shape[1] + keys.shape[1]
    groups = queries.shape[2] // keys.shape[2]
    folded = _fold(rotated(attn, queries, positions), groups)
    hidden = torch.arange(length, device=keys.device) > positions[:, None]
    hidden = hidden.repeat(groups, 1)
    if start:
        old_keys = rotated(attn, old_keys, slice(0, start))
    long = start >= PREFIX_TO_SHARE * keys.shape[1]
    order, runs = _rows_by_run(sample_of_row) if long else (sample_of_row, sample_of_row[:0])
    if len(runs):
        keys = rotated(attn, keys, slice(start, length))
        z = _shared(folded, keys, values, old_keys[runs], old_values[runs], order, hidden, attn.attn_scale)
    else:
        keys, values = _joined(attn, keys, values, CachedKeys(old_keys, old_values, sample_of_row))
        z = F.scaled_dot_product_attention(
            folded, keys.transpose(1, 2), values.transpose(1, 2), attn_mask=~hidden, scale=1 / attn.attn_scale
        )
    return rearrange(z, "rows kv (group query) d_head -> rows query (kv group) d_head", group=groups)


def _joined(attn: Any, keys: Tensor, values: Tensor, before: CachedKeys) -> tuple[Tensor, Tensor]:
    """Turned keys, and values, of each row ``[rows length kv_head d_head]``: its run's (turned) before its own."""
    start, length = before.keys.shape[1], before.keys.shape[1] + keys.shape[1]
    own = slice(start, length)
    if not start:
        return rotated(attn, keys, own), values
    rows = before.sample_of_row
    if learns(keys, values, before.keys, before.values):
        keys = torch.cat([before.keys[rows], rotated(attn, keys, own)], dim=1)
        return keys, torch.cat([before.values[rows], values], dim=1)
    whole = [each.new_empty(len(each), length, *each.shape[2:]) for each in (keys, values)]
    for found, old in zip(whole, (before.keys, before.values), strict=True):
        _spread(old, rows, found[:, :start])
    rotated(attn, keys, own, out=whole[0][:, start:])
    whole[1][:, start:] = values
    return whole[0], whole[1]


def _spread(old: Tensor, sample_of_row: Tensor, out: Tensor) -> None:
    """Write each row's run of ``old [run …]`` to ``out [rows …]``: at once where the rows go round all runs."""
    n_runs = len(old)
    if old.device.type == "cpu" and len(out) % n_runs == 0:  # elsewhere the look would wait for the device
        order = sample_of_row.view(-1, n_runs)
        if bool((order == order[0]).all()):
            out.view(-1, n_runs, *out.shape[1:]).copy_(old[order[0]])
            return
    out.copy_(old[sample_of_row])


def _fold(queries: Tensor, groups: int) -> Tensor:
    return rearrange(queries, "rows query (kv group) d_head -> rows kv (group query) d_head", group=groups)


def _rows_by_run(sample_of_row: Tensor) -> tuple[Tensor, Tensor]:
    """The rows in the order of their runs, and the runs; no runs where they have unequal numbers of rows."""
    runs, counts = torch.unique(sample_of_row, return_counts=True)
    if len(counts) == 0 or not bool((counts == counts[0]).all()):
        return sample_of_row, runs[:0]
    return torch.argsort(sample_of_row, stable=True), runs


def _shared(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    old_keys: Tensor,
    old_values: Tensor,
    order: Tensor,
    hidden: Tensor,
    scale: float,
) -> Tensor:
    """Attention ``[rows kv query d_head]`` without copies of the prefix; ``order`` sorts the rows by run."""
    start, n_runs = old_keys.shape[1], old_keys.shape[0]
    back = torch.argsort(order)
    queries = queries / scale
    by_run = rearrange(queries[order], "(run each) kv query d_head -> run kv (each query) d_head", run=n_runs)
    old_scores = by_run @ rearrange(old_keys, "run key kv d_head -> run kv d_head key")
    old_scores = rearrange(old_scores, "run kv (each query) key -> (run each) kv query key", query=queries.shape[2])
    new_scores = queries @ rearrange(keys, "rows key kv d_head -> rows kv d_head key")
    new_scores = new_scores.masked_fill(hidden[:, start:], -torch.inf)
    scores = torch.cat([old_scores[back], new_scores], dim=-1)
    precise = torch.float64 if scores.dtype == torch.float64 else torch.float32
    pattern = scores.softmax(dim=-1, dtype=precise).to(scores.dtype)
    old_pattern = rearrange(
        pattern[order][..., :start], "(run each) kv query key -> run kv (each query) key", run=n_runs
    )
    old_z = rearrange(
        old_pattern @ old_values.transpose(1, 2),
        "run kv (each query) d_head -> (run each) kv query d_head",
        query=queries.shape[2],
    )
    return old_z[back] + pattern[..., start:] @ values.transpose(1, 2)
