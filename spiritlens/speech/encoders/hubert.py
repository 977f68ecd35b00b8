"""HuBERT units: audio to the discrete units that published speech-text models read.

Method (SpiritLM's speech tokenizer): 16 kHz mono audio, not normalised, is cut into chunks of 100 s that are encoded
alone; a tail of fewer than 1280 samples is dropped. The hidden states after transformer layer 11 go through a
small feed-forward quantizer, whose arg-max is the unit; its last class is a *blank*, replaced by the nearest earlier
unit of the chunk, circularly: blanks at the chunk's start take its last unit. A chunk of blanks keeps them.

Axes: ``time``, ``frame``, ``d_model``. One frame is the hop of the convolutions (640 samples: 25.0 frames per second;
the published code dates units by 24.99). Frame i of a chunk is dated [640 i, 640 (i + 1)) samples after its start.

K-means units are the same with the nearest of K centroids in the quantizer's place, as other families use.
"""

import functools
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from spiritlens.environment import plain_torch, without_onednn
from spiritlens.shapes import checked
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.convolutions import Convolutions
from spiritlens.speech.encoders.fairseq_files import HubertCheckpoint
from spiritlens.speech.encoders.protocol import check_encodable, weights_digest
from spiritlens.speech.encoders.quantizers import Quantizer
from spiritlens.speech.encoders.together import each_hidden, first_layers
from spiritlens.speech.units import UnitStream

CHUNK_SECONDS = 100
SHORTEST_TAIL = 1280
"""Samples below which the last chunk is dropped."""


class HubertUnits:
    """A `SpeechEncoder` made of a HuBERT and a quantizer."""

    def __init__(self, checkpoint: HubertCheckpoint, quantizer: Quantizer, layer: int, name: str) -> None:
        self.checkpoint, self.quantizer, self.layer, self.name = checkpoint, quantizer, layer, name

    @property
    def convolutions(self) -> Convolutions:
        """The feature extractor's layers."""
        return self.checkpoint.convolutions

    @property
    def rate(self) -> float:
        """Frames per second."""
        return self.checkpoint.sample_rate / self.convolutions.hop

    @property
    def n_units(self) -> int:
        """Number of different units."""
        return self.quantizer.n_units

    @functools.cached_property
    def digest(self) -> str:
        """Hash of all that decides the units: the weights, and the settings that they do not show."""
        checkpoint, config = self.checkpoint, self.checkpoint.model.config
        settings = (
            f"layer {self.layer}",
            f"{checkpoint.sample_rate} Hz",
            f"normalize {checkpoint.normalize}",
            f"convolutions {checkpoint.convolutions.layers}",
            f"{config.feat_extract_activation}, {config.feat_extract_norm} norm",
            f"layer norm first {checkpoint.layer_norm_first}, epsilon {config.layer_norm_eps}",
            f"{config.num_attention_heads} heads, {config.hidden_act}",
        )
        weights = weights_digest(checkpoint.model, *self.quantizer.modules())
        return hashlib.sha256("; ".join((weights, *settings)).encode()).hexdigest()

    def encode(self, waveform: Waveform) -> UnitStream:
        """One unit per frame, not deduplicated."""
        (units,) = self.encode_each((waveform,))
        return units

    @plain_torch
    def encode_each(self, waveforms: Sequence[Waveform]) -> tuple[UnitStream, ...]:
        """One unit per frame of each recording, in their order; their chunks are encoded together."""
        shortest = max(SHORTEST_TAIL, self.convolutions.receptive_field)
        chunks: list[tuple[int, int, Tensor]] = []
        for place, waveform in enumerate(waveforms):
            check_encodable(waveform, self.checkpoint.sample_rate, shortest)
            cut = self._chunks(waveform.samples, shortest)
            chunks += [(place, start, torch.from_numpy(np.array(chunk))) for start, chunk in cut]
        features = self.features_each([samples for _, _, samples in chunks])
        ids: list[list[np.ndarray]] = [[] for _ in waveforms]
        starts: list[list[np.ndarray]] = [[] for _ in waveforms]
        for (place, start, _), found in zip(chunks, features, strict=True):
            units = self.quantizer.units(found)
            ids[place].append(units)
            starts[place].append((start + np.arange(len(units)) * self.convolutions.hop) / self.checkpoint.sample_rate)
        return tuple(self._stream(*each) for each in zip(ids, starts, strict=True))

    def _stream(self, ids: list[np.ndarray], starts: list[np.ndarray]) -> UnitStream:
        begins = np.round(np.concatenate(starts), 9)
        return UnitStream(
            np.concatenate(ids), begins, np.round(begins + 1 / self.rate, 9), np.ones(len(begins), np.int64), self.rate
        )

    def _chunks(self, samples: np.ndarray, shortest: int) -> Iterator[tuple[int, np.ndarray]]:
        size = CHUNK_SECONDS * self.checkpoint.sample_rate
        for start in range(0, len(samples), size):
            chunk = samples[start : start + size]
            if len(chunk) >= shortest:
                yield start, chunk

    @torch.inference_mode()
    @checked
    def features(self, samples: Float[Tensor, " time"]) -> Float[Tensor, "frame d_model"]:
        """Hidden states after the encoder's layer (counted from 1) of one chunk of audio."""
        (found,) = self.features_each([samples])
        return found

    @torch.inference_mode()
    def features_each(self, chunks: Sequence[Float[Tensor, " time"]]) -> list[Float[Tensor, "frame d_model"]]:
        """`features` of each chunk, those of about one length together (`spiritlens.speech.encoders.together`)."""
        return each_hidden(self._first_layers, [self._projected(samples) for samples in chunks])

    @functools.cached_property
    def _first_layers(self) -> nn.Module:
        cut: nn.Module = first_layers(self.checkpoint.model.encoder, self.layer, self.checkpoint.layer_norm_first)
        return cut

    def _projected(self, samples: Tensor) -> Tensor:
        """What the transformer reads [frame d_model] of one chunk of audio."""
        model = self.checkpoint.model
        samples = samples.to(model.dtype)
        if self.checkpoint.normalize:
            samples = functional.layer_norm(samples, samples.shape)
        with without_onednn():
            features = model.feature_extractor(samples[None])
        found: Tensor = model.feature_projection(features.transpose(1, 2))[0]
        return found
