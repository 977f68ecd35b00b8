"""Logits at the ends of many sequences: sequences of about one length are rows of one pass, filled up at the right.

Attention is causal, so nothing that is read sees what stands behind it: a filled-up row has the numbers of the row
alone, to rounding. Only the positions that are read are unembedded. Under hooks of the user's own, which see whole
sequences, only sequences of one length go together and none is filled up.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from spiritlens.components import hook_name
from spiritlens.models.batches import near_lengths, same_lengths
from spiritlens.models.protocol import LensModel
from spiritlens.out_of_memory import in_halves


@torch.no_grad()
def last_logits(model: LensModel, rows: Sequence[Sequence[int]], counts: Sequence[int]) -> list[Tensor]:
    """For each sequence of tokens the logits ``[count d_vocab]`` of its last positions, `counts` of them each."""
    lengths = [len(row) for row in rows]
    hooked = model.has_user_hooks()

    def read(places: Sequence[int]) -> dict[int, Tensor]:
        chosen = [rows[place] for place in places], [counts[place] for place in places]
        return dict(zip(places, (_whole_rows if hooked else _filled_up)(model, *chosen), strict=True))

    found: dict[int, Tensor] = {}
    for places in (same_lengths if hooked else near_lengths)(lengths):
        found |= in_halves(places, read)
    return [found[place] for place in range(len(rows))]


def _whole_rows(model: LensModel, rows: Sequence[Sequence[int]], counts: Sequence[int]) -> list[Tensor]:
    """As above, of sequences of one length."""
    logits = model.forward(torch.tensor([list(row) for row in rows], device=model.device))
    return [logits[row, -count:] for row, count in enumerate(counts)]


def _filled_up(model: LensModel, rows: Sequence[Sequence[int]], counts: Sequence[int]) -> Sequence[Tensor]:
    """As above, of sequences that are filled up to the length of the longest."""
    last, lengths = hook_name("resid_post", model.n_layers - 1), [len(row) for row in rows]
    filled = [[*row, *[row[0]] * (max(lengths) - len(row))] for row in rows]
    resid = model.cache(torch.tensor(filled, device=model.device), [last])[last]
    ends = zip(lengths, counts, strict=True)
    read = [resid[row, length - count : length] for row, (length, count) in enumerate(ends)]
    return torch.split(model.logits(torch.cat(read)), list(counts))
