"""The first layers of a HuBERT on several recordings at once.

1. The convolutions run one recording at a time: their norm may be over a whole recording.
2. Recordings of about one length become rows of one batch, filled up at the right with frames that are zero and that
   nobody attends to: the numbers of a row are those of the recording alone, to rounding.
3. Only the layers up to the one that is read are run.

Which recordings share a batch depends on what is encoded together alone, never on what was encoded before.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spiritlens.environment import without_onednn
from spiritlens.out_of_memory import in_halves

MOST_FRAMES = 2048
"""Frames of a batch, filling included: 80 s of speech; a longer recording is alone."""
FEWEST_OF_A_GROUP = 16
"""Channels of a group of convolutions in bfloat16: with fewer, oneDNN (of torch 2.13) gives wrong numbers on processors
with AMX. Checkpoints in use have 48 or 64."""


def first_layers(encoder: Any, layer: int, layer_norm_first: bool) -> Any:
    """The transformer of a HuBERT cut off after a layer (counted from 1), with the same weights."""
    cut = copy.copy(encoder)
    cut._modules = dict(encoder._modules)
    cut.layers = encoder.layers[:layer]
    if layer_norm_first:
        cut.layer_norm = nn.Identity()  # it stands after the last layer, and would norm what is read
    positions = encoder.pos_conv_embed.conv
    if positions.weight.dtype == torch.bfloat16 and positions.in_channels // positions.groups < FEWEST_OF_A_GROUP:
        cut.pos_conv_embed = _WithoutOneDNN(encoder.pos_conv_embed)
    return cut


class _WithoutOneDNN(nn.Module):
    """A module that runs without oneDNN."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, states: Tensor) -> Any:
        with without_onednn():
            return self.inner(states)


def each_hidden(encoder: Any, features: Sequence[Float[Tensor, "frame d_model"]]) -> list[Tensor]:
    """Hidden states [frame d_model] after the encoder's last layer, of each recording's projected features."""
    found: dict[int, Tensor] = {}
    lengths = [len(each) for each in features]

    def encoded(places: Sequence[int]) -> dict[int, Tensor]:
        rows = nn.utils.rnn.pad_sequence([features[place] for place in places], batch_first=True)
        filled = len({lengths[place] for place in places}) > 1
        ends = torch.tensor([lengths[place] for place in places])
        mask = torch.arange(rows.shape[1]) < ends[:, None] if filled else None
        hidden = encoder(rows, attention_mask=mask).last_hidden_state
        return {place: hidden[row, : lengths[place]] for row, place in enumerate(places)}

    for places in batches(lengths):
        found |= in_halves(places, encoded)
    return [found[place] for place in range(len(features))]


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of sequences in batches of about one length, the longest first, at most `MOST_FRAMES` in each."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > MOST_FRAMES:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
