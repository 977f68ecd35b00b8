"""Stage *teacher*: a first unit encoder learns to name the phone of each frame, so that all voices give like units.

Frame-wise cross-entropy on the phone times that the speech engines give; windows of the training utterances with white
noise, warped frequencies (vocal tract length perturbation) and masked bands and hops (SpecAugment). Step-based: a run
that was cut off goes on from its last checkpoint with the same windows to come.
"""

import functools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from experiments.embedded_model.corpus import SpokenLine, corpus_voices, read_lines
from experiments.embedded_model.settings import EncoderSettings, Settings
from experiments.embedded_model.training.checkpoints import load_checkpoint, save_checkpoint
from experiments.embedded_model.training.optimising import descend, set_rates
from experiments.embedded_model.unit_encoder.mel_teacher import (
    FRAME,
    N_MELS,
    N_WARPS,
    MelUnitEncoder,
    n_frames,
    save_mel_encoder,
)
from spiritlens.speech.engines.phones import NO_CLASS, Phone, phone_frames

LONGEST_MASK = {"bands": 8, "hops": 16}


@dataclass(frozen=True, eq=False)
class LabelledAudio:
    """An utterance: int16 samples (a view of the corpus file), and the phone class of each frame."""

    samples: np.ndarray
    classes: np.ndarray
    voice: str


def read_labelled(corpus: Path, kinds: Sequence[str]) -> list[LabelledAudio]:
    """The utterances of the given kinds, of all voices."""
    labelled = []
    for voice in corpus_voices(corpus):
        audio = np.load(corpus / f"{voice}.npy", mmap_mode="r")
        for line in read_lines(corpus, voice):
            if line.kind in kinds and line.phones:
                samples = audio[line.first_sample : line.first_sample + line.n_samples]
                labelled.append(LabelledAudio(samples, frame_classes(line), voice))
    return labelled


def frame_classes(line: SpokenLine) -> np.ndarray:
    """Phone class of each frame; the silence around the phones is a pause."""
    phones = [Phone(label, start, end) for label, start, end in line.phones]
    count = n_frames(line.n_samples)
    first, last = phones[0].start, phones[-1].end
    edges = [Phone("pau", 0.0, first), Phone("pau", last, max(last, line.n_samples / 16000))]
    return phone_frames([*phones, *edges], count).astype(np.int16)


class Windows:
    """Draws batches of windows; the state of `rng` is all that a resumed run needs."""

    def __init__(self, utterances: Sequence[LabelledAudio], settings: EncoderSettings, seed: int) -> None:
        favoured = [utterance for utterance in utterances if utterance.voice.startswith(settings.favoured_engine)]
        self.utterances = [*utterances, *favoured]
        self.settings, self.rng = settings, random.Random(seed)

    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        """Samples [batch time] with noise, lengths [batch] and phone classes [batch frame]."""
        size, frames = self.settings.batch, n_frames(round(self.settings.seconds * 16000))
        samples, classes = np.zeros((size, frames * FRAME), np.float32), np.full((size, frames), NO_CLASS)
        lengths = np.zeros(size, np.int64)
        for row in range(size):
            utterance = self.rng.choice(self.utterances)
            first = self.rng.randint(0, max(0, len(utterance.classes) - frames))
            own = utterance.samples[first * FRAME : (first + frames) * FRAME].astype(np.float32) / 32767
            labels = utterance.classes[first : first + frames]
            samples[row, : len(own)] = own + self._noise() * np.random.default_rng(
                self.rng.getrandbits(32)
            ).standard_normal(len(own), dtype=np.float32)
            classes[row, : len(labels)] = labels
            lengths[row] = len(own)
        return torch.from_numpy(samples), torch.from_numpy(lengths), torch.from_numpy(classes).long()

    def _noise(self) -> float:
        return self.settings.noise * self.rng.random() ** 2

    def warps(self) -> Tensor:
        """A filter bank per row."""
        return torch.tensor([self.rng.randrange(N_WARPS) for _ in range(self.settings.batch)])

    def mask(self, mel: Tensor) -> Tensor:
        """The spectrum with up to 8 bands, and in every other row up to 16 hops, set to the mean."""
        mel = mel.clone()
        for row in mel:
            band = self.rng.randint(0, N_MELS - LONGEST_MASK["bands"])
            row[band : band + self.rng.randint(0, LONGEST_MASK["bands"])] = 0
            if self.rng.random() < 0.5:
                hop = self.rng.randint(0, max(0, row.shape[1] - LONGEST_MASK["hops"]))
                row[:, hop : hop + self.rng.randint(0, LONGEST_MASK["hops"])] = 0
        return mel


def train_encoder(settings: Settings, corpus: Path, folder: Path) -> None:
    """Train; write checkpoints and `losses.json` into `folder`, at the end `encoder.safetensors` and `encoder.json`."""
    own = settings.encoder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings.seed)
    model = MelUnitEncoder()
    optimiser = torch.optim.AdamW(model.parameters(), lr=own.learning_rate, weight_decay=0.01, betas=(0.9, 0.98))
    windows = Windows(read_labelled(corpus, ("statement", "prompt", "list")), own, settings.seed)
    held_out = read_labelled(corpus, ("monitor",))
    checkpoint = folder / "checkpoint.pt"
    done, curve = load_checkpoint(checkpoint, model, [optimiser], windows.rng)
    losses: list[float] = []
    for step in tqdm(
        range(done, own.steps), desc="encoder", unit="step", mininterval=10, initial=done, total=own.steps
    ):
        rate = own.learning_rate * min(1, (step + 1) / own.warm_up) * max(0.03, 1 - step / own.steps)
        set_rates([optimiser], [rate])
        losses.append(_step(model, optimiser, windows))
        if (step + 1) % 200 == 0 or step + 1 == own.steps:
            accuracy = frame_accuracies(functools.partial(phones_named, model), held_out)
            curve.append({"step": step + 1, "loss": float(np.mean(losses)), "held-out frame accuracy": accuracy})
            tqdm.write(json.dumps(curve[-1]))
            losses = []
            save_checkpoint(checkpoint, step + 1, curve, model, [optimiser], windows.rng)
    (folder / "losses.json").write_text(json.dumps(curve, indent=1) + "\n", encoding="utf-8")
    save_mel_encoder(model.eval(), folder)


def _step(model: MelUnitEncoder, optimiser: torch.optim.Optimizer, windows: Windows) -> float:
    model.train()
    samples, lengths, classes = windows.batch()
    mel = windows.mask(model.log_mel(samples, lengths, windows.warps()))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(mel, lengths)[1]
    loss = functional.cross_entropy(logits.float().flatten(0, 1), classes.flatten(), ignore_index=NO_CLASS)
    descend(loss, model, [optimiser])
    return loss.item()


@torch.no_grad()
def phones_named(model: MelUnitEncoder, samples: np.ndarray) -> np.ndarray:
    """The likeliest phone class of each frame of an utterance (float32, full scale 1)."""
    model.eval()
    padded, lengths = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
    named: np.ndarray = model(model.log_mel(padded, lengths), lengths)[1][0].argmax(-1).numpy()
    return named


def frame_accuracies(
    named: Callable[[np.ndarray], np.ndarray], utterances: Sequence[LabelledAudio], per_voice: int = 48
) -> dict[str, float]:
    """Share of frames whose phone an encoder names right, per voice, on utterances not trained on."""
    accuracies = {}
    for voice in sorted({utterance.voice for utterance in utterances}):
        chosen = [utterance for utterance in utterances if utterance.voice == voice]
        right = total = 0
        for utterance in chosen[:: max(1, len(chosen) // per_voice)]:
            found = named(utterance.samples.astype(np.float32) / 32767)
            classes = utterance.classes[: len(found)]
            known = classes != NO_CLASS
            right += int((found == classes)[known].sum())
            total += int(known.sum())
        accuracies[voice] = round(right / max(total, 1), 3)
    return accuracies
