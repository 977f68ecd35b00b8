"""The teacher of the shipped unit encoder: log-mel spectrum to phone-like units at 25 Hz.

Method: 40 log-mel bands every 10 ms, per utterance each band's mean removed and all bands divided by one standard
deviation (over valid frames); two convolutions of kernel 5 and stride 2 (25 Hz); a grouped convolution of kernel 17 as
positional embedding; pre-norm transformer layers; a linear head. The unit of a frame is the arg-max of the head. In
training the frequency axis may be warped (vocal tract length perturbation; Jaitly & Hinton 2013) by one of `N_WARPS`
filter banks.

Axes: ``batch``, ``time`` (samples at 16 kHz), ``mel`` (bands), ``hop`` (10 ms), ``frame`` (40 ms), ``d_model``,
``n_units``.
Frame i stands for the samples [640 i, 640 (i + 1)). Padding never leaks: an utterance encoded in a padded batch has the
logits that it has alone (to rounding).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from spiritlens.shapes import checked
from spiritlens.speech.audio.waveform import RATE
from spiritlens.speech.engines.phones import PHONES

FORMAT = "spiritlens.mel_units/1"
N_MELS = 40
WINDOW, HOP = 400, 160
HOPS_PER_FRAME = 4
FRAME = HOP * HOPS_PER_FRAME
FRAME_RATE = RATE / FRAME
N_WARPS = 11
"""Filter banks whose frequencies are multiplied by exp(-0.25) .. exp(0.25); the middle one changes nothing."""
NEUTRAL_WARP = N_WARPS // 2
WARPS = np.exp(np.linspace(-0.25, 0.25, N_WARPS))


@dataclass(frozen=True)
class MelEncoderConfig:
    """Sizes of a `MelUnitEncoder`, and the name of each unit."""

    n_units: int = len(PHONES)
    unit_names: tuple[str, ...] = PHONES
    d_model: int = 128
    n_layers: int = 3
    n_heads: int = 4
    dropout: float = 0.05
    floor: float = 1e-5
    """Power added to each band before the logarithm; 1e-3 is about that of white noise 50 dB below full scale, below
    which engines differ (digital silence, hum) and speech does not."""

    def __post_init__(self) -> None:
        if len(self.unit_names) != self.n_units:
            raise ValueError(f"{len(self.unit_names)} unit names for {self.n_units} units; give one name per unit.")
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not divisible by n_heads {self.n_heads}; choose a multiple.")
        if not self.floor > 0:
            raise ValueError(f"floor {self.floor} must be above 0, since its logarithm is taken; 1e-5 is usual.")


def n_frames(n_samples: int) -> int:
    """Frames of an utterance of so many samples at 16 kHz."""
    return n_samples // FRAME


def mel_filter_banks() -> Float[Tensor, "warp mel bin"]:
    """Triangular filters of unit area between 80 and 7000 Hz, one bank per warp."""
    banks = np.zeros((N_WARPS, N_MELS, WINDOW // 2 + 1), np.float32)
    bins = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    lowest, highest = (2595 * np.log10(1 + hertz / 700) for hertz in (80, 7000))
    edges = 700 * (10 ** (np.linspace(lowest, highest, N_MELS + 2) / 2595) - 1)
    for bank, factor in zip(banks, WARPS, strict=True):
        low, centre, high = (np.clip(edges * factor, 0, RATE / 2 - 10)[i : i + N_MELS, None] for i in range(3))
        rising = (bins - low) / np.maximum(centre - low, 1)
        falling = (high - bins) / np.maximum(high - centre, 1)
        bank[:] = np.maximum(0, np.minimum(rising, falling))
        bank /= bank.sum(axis=1, keepdims=True) + 1e-6
    return torch.from_numpy(banks)


class MelUnitEncoder(nn.Module):
    """The network: `log_mel`, then `forward` to hidden states and logits."""

    filter_banks: Tensor
    window: Tensor

    def __init__(self, config: MelEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MelEncoderConfig()
        width = config.d_model
        self.register_buffer("filter_banks", mel_filter_banks(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.first_conv = nn.Conv1d(N_MELS, width, kernel_size=5, stride=2, padding=2)
        self.second_conv = nn.Conv1d(width, width, kernel_size=5, stride=2, padding=2)
        self.positional_conv = nn.Conv1d(width, width, kernel_size=17, padding=8, groups=4)
        self.layers = nn.ModuleList([_Layer(width, config.n_heads, config.dropout) for _ in range(config.n_layers)])
        self.final_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, config.n_units)

    @checked
    def log_mel(
        self,
        samples: Float[Tensor, "batch time"],
        lengths: Int[Tensor, " batch"],
        warp: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch mel hop"]:
        """Normalised log-mel bands of utterances padded to one length; `lengths` in samples, `warp` a bank each."""
        lengths = lengths.to(samples.device)
        n_hops = n_frames(samples.shape[1]) * HOPS_PER_FRAME
        inside = torch.arange(samples.shape[1], device=samples.device) < lengths[:, None]
        spectrum = torch.stft(
            samples * inside, WINDOW, HOP, window=self.window, center=True, pad_mode="constant", return_complex=True
        )
        power = spectrum[:, :, :n_hops].abs().square()
        banks = (
            self.filter_banks[NEUTRAL_WARP].expand(len(samples), -1, -1) if warp is None else self.filter_banks[warp]
        )
        mel = torch.log(banks @ power + self.config.floor)
        valid = self._valid(lengths, n_hops, HOP * HOPS_PER_FRAME, HOPS_PER_FRAME)
        count = valid.sum(-1, keepdim=True).clamp(min=1)
        centred = (mel - (mel * valid).sum(-1, keepdim=True) / count) * valid
        deviation = (centred.square().sum((-1, -2), keepdim=True) / (count * N_MELS)).sqrt()
        return centred / (deviation + 1e-4)

    @staticmethod
    def _valid(lengths: Tensor, size: int, step: int, per_step: int) -> Tensor:
        """1 for the hops or frames that belong to whole frames of each utterance, else 0: float [batch 1 size]."""
        whole = lengths // step * per_step
        return (torch.arange(size, device=lengths.device) < whole[:, None]).to(torch.get_default_dtype())[:, None]

    @checked
    def forward(
        self, mel: Float[Tensor, "batch mel hop"], lengths: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch frame d_model"], Float[Tensor, "batch frame n_units"]]:
        """Hidden states after the final norm, and logits; `lengths` in samples, as for `log_mel`."""
        lengths = lengths.to(mel.device)
        half = self._valid(lengths, (mel.shape[-1] + 1) // 2, FRAME, 2).to(mel.dtype)
        valid = self._valid(lengths, (mel.shape[-1] + 3) // 4, FRAME, 1).to(mel.dtype)
        hidden = functional.gelu(self.first_conv(mel)) * half
        hidden = functional.gelu(self.second_conv(hidden)) * valid
        hidden = (hidden + functional.gelu(self.positional_conv(hidden))).transpose(1, 2)
        mask = valid[:, None].bool()
        for layer in self.layers:
            hidden = layer(hidden, mask)
        hidden = self.final_norm(hidden)
        return hidden, self.head(hidden)


class _Layer(nn.Module):
    """A pre-norm transformer layer: self-attention over the valid frames, then a feed-forward block."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(
        self, hidden: Float[Tensor, "batch frame d_model"], mask: Bool[Tensor, "batch 1 1 frame"]
    ) -> Float[Tensor, "batch frame d_model"]:
        q, k, v = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in self.qkv(self.attention_norm(hidden)).chunk(3, dim=-1)
        )
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        hidden = hidden + self._drop(self.attention_out(attended.transpose(1, 2).flatten(2)))
        return hidden + self._drop(self.down(self._drop(functional.gelu(self.up(self.feed_forward_norm(hidden))))))

    def _drop(self, tensor: Tensor) -> Tensor:
        return functional.dropout(tensor, self.dropout, self.training)


@torch.inference_mode()
def frame_logits(model: MelUnitEncoder, utterances: Sequence[np.ndarray]) -> list[Float[Tensor, "frame n_units"]]:
    """Logits of each utterance's frames, computed in one padded batch."""
    lengths = torch.tensor([len(samples) for samples in utterances])
    padded = torch.zeros(len(utterances), int(lengths.max()))
    for row, samples in zip(padded, utterances, strict=True):
        row[: len(samples)] = torch.from_numpy(np.array(samples, dtype=np.float32))
    logits = model(model.log_mel(padded, lengths), lengths)[1]
    return [own[: n_frames(int(length))] for own, length in zip(logits, lengths, strict=True)]


def save_mel_encoder(model: MelUnitEncoder, folder: str | Path) -> None:
    """Write ``encoder.safetensors`` (float32) and ``encoder.json`` into `folder`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().float().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "encoder.safetensors", metadata={"format": FORMAT})
    (folder / "encoder.json").write_text(
        json.dumps({"format": FORMAT, "rate": FRAME_RATE, **asdict(model.config)}, indent=1)
    )


def load_mel_encoder(folder: str | Path, floor: float | None = None) -> MelUnitEncoder:
    """Read what `save_mel_encoder` wrote; `floor` in place of the one of training."""
    folder = Path(folder)
    record = json.loads((folder / "encoder.json").read_text())
    if record.pop("format", None) != FORMAT:
        raise ValueError(
            f"{folder / 'encoder.json'} is not of format {FORMAT}; load the encoder by the code that wrote it."
        )
    record.pop("rate")
    record["floor"] = floor or record["floor"]
    model = MelUnitEncoder(MelEncoderConfig(**{**record, "unit_names": tuple(record["unit_names"])}))
    model.load_state_dict(load_file(folder / "encoder.safetensors"))
    return model.eval()
