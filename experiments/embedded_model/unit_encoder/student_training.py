"""Stage *student*: a small HuBERT learns the units of the mel encoder, on audio that is changed more than its own was.

Half of the loss is the cross-entropy to the teacher's probabilities on the unchanged utterance, half that to the phone
classes of the speech engines. Windows of the training utterances at another speed (half of them), loudness, with white
noise; frequencies warped as the teacher's; masked frequencies and hops. Muon trains the transformer's matrices, AdamW
all else. Step-based: a run that was cut off goes on from its last checkpoint.
"""

import functools
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from experiments.embedded_model.settings import Settings, StudentSettings
from experiments.embedded_model.training.checkpoints import load_checkpoint, save_checkpoint
from experiments.embedded_model.training.optimising import descend, set_rates
from experiments.embedded_model.unit_encoder.encoder_training import LabelledAudio, frame_accuracies, read_labelled
from experiments.embedded_model.unit_encoder.hubert_student import N_FREQUENCIES, N_PHASES, HubertStudent, save_official
from experiments.embedded_model.unit_encoder.mel_teacher import (
    FRAME,
    N_WARPS,
    MelUnitEncoder,
    frame_logits,
    load_mel_encoder,
)
from spiritlens.speech.audio.waveform import RATE
from spiritlens.speech.engines.phones import NO_CLASS, PHONES

LONGEST_MASK = {"frequencies": 25, "hops": 16}


class Examples:
    """Utterances with the teacher's probabilities, of which windows are drawn; a resumed run needs only `rng`."""

    def __init__(
        self,
        utterances: Sequence[LabelledAudio],
        probabilities: Sequence[np.ndarray],
        settings: StudentSettings,
        seed: int,
    ) -> None:
        favoured = [i for i, own in enumerate(utterances) if own.voice.startswith(settings.favoured_engine)]
        self.indices = [*range(len(utterances)), *favoured]
        self.utterances, self.probabilities = utterances, probabilities
        self.settings, self.rng = settings, random.Random(seed)

    def batch(self, student: HubertStudent) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Samples [batch time], lengths [batch], phone classes [batch frame], probabilities [batch frame n_units]."""
        own, size = self.settings, self.settings.batch
        longest = round(own.seconds * RATE)
        frames = student.convolutions.n_frames(longest)
        samples, lengths = torch.zeros(size, longest), torch.zeros(size, dtype=torch.long)
        classes, wanted = torch.full((size, frames), NO_CLASS), torch.zeros(size, frames, len(PHONES))
        for row in range(size):
            index = self.rng.choice(self.indices)
            window, first, speed = self._window(self.utterances[index].samples, longest)
            count = max(1, student.convolutions.n_frames(len(window)))
            probabilities = self.probabilities[index]
            centres = (np.arange(count) * FRAME + FRAME / 2) * speed + first
            at = np.clip(centres // FRAME, 0, len(probabilities) - 1).astype(int)
            samples[row, : len(window)], lengths[row] = torch.from_numpy(window), len(window)
            classes[row, :count] = torch.from_numpy(self.utterances[index].classes[at].astype(np.int64))
            wanted[row, :count] = torch.from_numpy(probabilities[at].astype(np.float32))
        return samples, lengths, classes, wanted

    def _window(self, utterance: np.ndarray, longest: int) -> tuple[np.ndarray, int, float]:
        """A changed window, its first sample in the utterance, and how many times as fast it is."""
        rng, own = self.rng, self.settings
        changed = rng.random() < own.changed_share
        speed = float(np.exp(rng.uniform(-own.largest_log_speed, own.largest_log_speed))) if changed else 1.0
        needed = round(longest * speed)
        first = rng.randint(0, max(0, (len(utterance) - needed) // FRAME)) * FRAME
        first += rng.randint(0, FRAME - 1) * (len(utterance) > needed + FRAME)
        window = utterance[first : first + needed].astype(np.float32) / 32767
        if changed:
            window = soxr.resample(window, RATE * speed, RATE, quality="QQ")
        window = window[:longest] * float(np.exp(rng.uniform(*own.log_gains)))
        noise = own.noise * rng.random() ** 2
        normal = np.random.default_rng(rng.getrandbits(32)).standard_normal(len(window), dtype=np.float32)
        return window + noise * normal, first, speed

    def warps(self) -> Tensor:
        """A set of filters per row."""
        return torch.tensor([self.rng.randrange(N_WARPS) for _ in range(self.settings.batch)])

    def mask(self, strengths: Tensor) -> Tensor:
        """Up to 25 neighbouring frequencies, and in every other row up to 16 hops, without sound."""
        split = strengths.unflatten(1, (N_PHASES, N_FREQUENCIES))
        kept = torch.ones_like(split[:, :1])
        most_frequencies, most_hops = LONGEST_MASK["frequencies"], LONGEST_MASK["hops"]
        for row in kept:
            first = self.rng.randint(0, N_FREQUENCIES - most_frequencies)
            row[:, first : first + self.rng.randint(0, most_frequencies)] = 0
            if self.rng.random() < 0.5:
                hop = self.rng.randint(0, row.shape[-1] - most_hops)
                row[:, :, hop : hop + self.rng.randint(0, most_hops)] = 0
        return (split * kept).flatten(1, 2)


def teacher_probabilities(
    teacher: MelUnitEncoder, utterances: Sequence[LabelledAudio], batch: int = 32
) -> list[np.ndarray]:
    """The teacher's softmax on each whole utterance: float16 [frame n_units]."""
    found = [np.empty(0)] * len(utterances)
    order = sorted(range(len(utterances)), key=lambda index: len(utterances[index].samples))
    for start in tqdm(range(0, len(order), batch), desc="teacher", unit="batch", mininterval=10):
        chosen = order[start : start + batch]
        logits = frame_logits(teacher, [utterances[index].samples.astype(np.float32) / 32767 for index in chosen])
        for index, own in zip(chosen, logits, strict=True):
            found[index] = own.softmax(-1).half().numpy()
    return found


def optimisers(student: HubertStudent, settings: StudentSettings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the transformer's layers, AdamW for all else that is trained."""
    trained = [(name, value) for name, value in student.named_parameters() if value.requires_grad]
    is_matrix = {name: value.ndim == 2 and "encoder.layers" in name for name, value in trained}
    return [
        torch.optim.AdamW(
            [value for name, value in trained if not is_matrix[name]],
            lr=settings.learning_rate,
            weight_decay=0.01,
            betas=(0.9, 0.98),
        ),
        torch.optim.Muon(
            [value for name, value in trained if is_matrix[name]],
            lr=settings.muon_rate,
            weight_decay=0.01,
            adjust_lr_fn="match_rms_adamw",
        ),
    ]


def train_student(settings: Settings, corpus: Path, teacher: Path, folder: Path) -> None:
    """Train; write checkpoints and `losses.json` into `folder`, at the end the two files in the published layout."""
    own = settings.student
    folder.mkdir(parents=True, exist_ok=True)
    utterances = read_labelled(corpus, ("statement", "prompt", "list"))
    held_out = read_labelled(corpus, ("monitor",))
    probabilities = teacher_probabilities(load_mel_encoder(teacher, own.teacher_floor), utterances)
    examples = Examples(utterances, probabilities, own, settings.seed)
    torch.manual_seed(settings.seed)
    student = HubertStudent()
    both = optimisers(student, own)
    checkpoint = folder / "checkpoint.pt"
    done, curve = load_checkpoint(checkpoint, student, both, examples.rng)
    losses: list[float] = []
    for step in tqdm(
        range(done, own.steps), desc="student", unit="step", mininterval=10, initial=done, total=own.steps
    ):
        share = min(1, (step + 1) / own.warm_up) * max(0.03, 1 - step / own.steps)
        set_rates(both, (own.learning_rate * share, own.muon_rate * share))
        losses.append(_step(student, both, examples))
        if (step + 1) % 200 == 0 or step + 1 == own.steps:
            accuracy = frame_accuracies(functools.partial(phones_named, student), held_out)
            curve.append({"step": step + 1, "loss": float(np.mean(losses)), "held-out frame accuracy": accuracy})
            tqdm.write(json.dumps(curve[-1]))
            losses = []
            save_checkpoint(checkpoint, step + 1, curve, student, both, examples.rng)
    (folder / "losses.json").write_text(json.dumps(curve, indent=1) + "\n", encoding="utf-8")
    save_official(student.eval(), folder)


def _step(student: HubertStudent, both: Sequence[torch.optim.Optimizer], examples: Examples) -> float:
    student.train()
    samples, lengths, classes, wanted = examples.batch(student)
    logits, inside = student(samples, lengths, examples.warps(), examples.mask)
    logs = logits.log_softmax(-1)
    named = functional.nll_loss(logs.flatten(0, 1), classes.flatten(), ignore_index=NO_CLASS)
    taught = -(wanted * logs).sum(-1)[inside].mean()
    loss = (named + taught) / 2
    descend(loss, student, both)
    return loss.item()


@torch.no_grad()
def phones_named(student: HubertStudent, samples: np.ndarray) -> np.ndarray:
    """The likeliest phone class of each frame of an utterance (float32, full scale 1)."""
    student.eval()
    named: np.ndarray = student(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))[0][0].argmax(-1).numpy()
    return named
