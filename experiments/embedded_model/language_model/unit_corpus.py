"""Stage *units*: the corpus as unit ids, encoded by the finished unit encoder exactly as the toolkit encodes a prompt.

Each training utterance is encoded twice: as spoken, and changed (resampled by a random factor, with white noise), so
that the language model meets the encoder's mistakes too. One voice gives `<voice>.npz`: `frames` int16 [frame] of all
versions end to end, `firsts` and `counts` int64 [version], `lines` int64 [version] (index of the line in the corpus)
and `speeds` float64 [version] (a word that starts at t seconds in the corpus starts at t / speed here).
"""

import functools
import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from tqdm import tqdm

from experiments.embedded_model.corpus import MEASURED_KINDS, SpokenLine, corpus_voices, read_lines
from experiments.embedded_model.settings import Settings, UnitSettings
from experiments.embedded_model.unit_encoder.hubert_student import load_student
from spiritlens.speech.audio.waveform import RATE, Waveform

FRAME_RATE = 25.0


@dataclass(frozen=True, eq=False)
class EncodedLine:
    """One version of an utterance: unit id per frame, and the frame at which each group of words starts.

    Words that the engine runs together form one group. The first group starts at frame 0.
    """

    line: SpokenLine
    frames: np.ndarray
    groups: tuple[tuple[str, ...], ...]
    group_starts: tuple[int, ...]

    def units(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Deduplicated units of the groups `first` to `last` (exclusive)."""
        start = self.group_starts[first]
        end = len(self.frames) if last is None or last >= len(self.groups) else self.group_starts[last]
        return deduplicated(self.frames[start:end])


def deduplicated(frames: np.ndarray) -> np.ndarray:
    """Runs of equal ids become one."""
    return frames[np.concatenate([[True], frames[1:] != frames[:-1]])] if len(frames) else frames


def word_groups(
    words: tuple[tuple[str, float, float], ...], speed: float, n_frames: int
) -> tuple[tuple[tuple[str, ...], ...], tuple[int, ...]]:
    """Words grouped by their interval, and the frame at which each group starts."""
    groups: list[list[str]] = []
    starts: list[int] = []
    previous = (-1.0, -1.0)
    for word, start, end in words:
        frame = min(round(start / speed * FRAME_RATE), n_frames)
        if (start, end) == previous or (starts and frame <= starts[-1]):
            groups[-1].append(word)
        else:
            groups.append([word])
            starts.append(frame if starts else 0)
        previous = (start, end)
    return tuple(map(tuple, groups)), tuple(starts)


def changed(samples: np.ndarray, speed: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """The samples played `speed` times as fast, with white noise."""
    faster = soxr.resample(samples, RATE * speed, RATE, quality="QQ")
    noisy = faster + noise * rng.standard_normal(len(faster)).astype(np.float32)
    return np.clip(noisy, -1, 1).astype(np.float32)


def encode_voice(voice: str, corpus: Path, folder: Path, student: Path, settings: UnitSettings, seed: int) -> None:
    """Encode all utterances of one voice by the encoder in the folder `student`, on one thread, and write its file."""
    torch.set_num_threads(1)
    encoder = load_student(student)
    audio = np.load(corpus / f"{voice}.npy", mmap_mode="r")
    rng = np.random.default_rng([seed, *voice.encode()])
    frames, lines, speeds = [], [], []
    for index, line in enumerate(read_lines(corpus, voice)):
        samples = audio[line.first_sample : line.first_sample + line.n_samples].astype(np.float32) / 32767
        versions = [(samples, 1.0)]
        if line.kind not in MEASURED_KINDS:
            speed = float(np.exp(rng.uniform(-settings.largest_log_speed, settings.largest_log_speed)))
            versions.append((changed(samples, speed, rng.uniform(0, settings.largest_noise), rng), speed))
        for version, speed in versions:
            frames.append(encoder.encode(Waveform(version)).ids.astype(np.int16))
            lines.append(index)
            speeds.append(speed)
    counts = np.array([len(version) for version in frames])
    temporary = folder / f"{voice}.partial.npz"
    np.savez_compressed(
        temporary,
        frames=np.concatenate(frames),
        firsts=np.cumsum(counts) - counts,
        counts=counts,
        lines=np.array(lines),
        speeds=np.array(speeds),
    )
    temporary.rename(folder / f"{voice}.npz")


def encode_corpus(settings: Settings, corpus: Path, folder: Path, student: Path, workers: int) -> None:
    """Encode every voice of the corpus whose file is missing, `workers` at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [voice for voice in corpus_voices(corpus) if not (folder / f"{voice}.npz").exists()]
    work = functools.partial(
        encode_voice, corpus=corpus, folder=folder, student=student, settings=settings.units, seed=settings.seed
    )
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        list(tqdm(pool.imap_unordered(work, missing), desc="units", unit="voice", total=len(missing)))


def read_encoded(corpus: Path, folder: Path) -> list[EncodedLine]:
    """All versions of all utterances of all voices."""
    encoded = []
    for voice in corpus_voices(corpus):
        lines = read_lines(corpus, voice)
        with np.load(folder / f"{voice}.npz") as file:
            arrays = {name: file[name] for name in file.files}
        for first, count, index, speed in zip(
            *(arrays[name].tolist() for name in ("firsts", "counts", "lines", "speeds")), strict=True
        ):
            groups, starts = word_groups(lines[index].words, speed, count)
            encoded.append(EncodedLine(lines[index], arrays["frames"][first : first + count], groups, starts))
    return encoded
