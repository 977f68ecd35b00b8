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


@torch.no_grad()
def last_logits(model: LensModel, rows: Sequence[Sequence[int]], counts: Sequence[int]) -> list[Tensor]:
    """For each sequence of tokens the logits ``[count d_vocab]`` of its last positions, `counts` of them each."""
    lengths = [len(row) for row in rows]
    found: dict[int, Tensor] = {}
    if model.has_user_hooks():
        for places in same_lengths(lengths):
            logits = model.forward(torch.tensor([list(rows[place]) for place in places], device=model.device))
            found.update((place, logits[row, -counts[place] :]) for row, place in enumerate(places))
        return [found[place] for place in range(len(rows))]
    last = hook_name("resid_post", model.n_layers - 1)
    for places in near_lengths(lengths):
        longest = max(lengths[place] for place in places)
        filled = [[*rows[place], *[rows[place][0]] * (longest - lengths[place])] for place in places]
        resid = model.cache(torch.tensor(filled, device=model.device), [last])[last]
        read = [resid[row, lengths[place] - counts[place] : lengths[place]] for row, place in enumerate(places)]
        pieces = torch.split(model.logits(torch.cat(read)), [counts[place] for place in places])
        found.update(zip(places, pieces, strict=True))
    return [found[place] for place in range(len(rows))]
