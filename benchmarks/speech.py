"""Speech: how fast audio is encoded, spoken and aligned, how exact word times are, and what resampling changes.

    python benchmarks/speech.py                       # everything, about 4 minutes on one core
    python benchmarks/speech.py --only align speak    # some parts: encode memory speak align resample

*encode*: seconds of computing per second of audio (real-time factor) of a HuBERT of the published size with random
weights (94.9 M parameters, 25 Hz, layer 11 of 12) and of the embedded encoder, and whether units are equal at 1 and 2
threads. *memory*: highest resident memory of a process that encodes a full chunk of 100 s. *speak*: milliseconds per
utterance by engine. *align*: errors of word starts and ends against the times that the synthesiser knows, and how many
wrong texts are refused or doubted. *resample*: units that differ when audio at another rate is resampled by soxr
instead of by the windowed sinc that the published package uses.
"""

import math
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import soxr
import torch
import tyro

from spiritlens.prompts.vocabulary.families import FAMILIES
from spiritlens.speech.alignment.forced import AlignmentError, AlignmentWarning, align
from spiritlens.speech.audio.resampling import resample
from spiritlens.speech.audio.waveform import RATE, Waveform, read_waveform
from spiritlens.speech.encoders.convolutions import parse_convolutions
from spiritlens.speech.encoders.fairseq_files import DEFAULTS, HubertCheckpoint, hubert_config
from spiritlens.speech.encoders.hubert import HubertUnits
from spiritlens.speech.encoders.loading import load_encoder
from spiritlens.speech.encoders.protocol import SpeechEncoder
from spiritlens.speech.encoders.quantizers import KMeansQuantizer
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.voices.names import available_voices, voice

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data" / "speech"
EMBEDDED = ROOT / "spiritlens" / "assets" / "embedded"
PUBLISHED_CONVOLUTIONS = "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2 + [(512,2,2)]"
SENTENCES = (
    "the mountain road was closed after the heavy snow of last week",
    "a friend of mine keeps seven hens and a goat behind her house",
    "nobody in the office could open the window on that hot day",
    "the children asked for water and bread before the long walk home",
    "he bought a second ticket because the first train was too late",
    "every summer the river floods the fields below the old mill",
    "she reads the newspaper in the morning and a novel at night",
    "the captain wrote the names of all the islands on a small map",
    "my uncle repairs clocks and sells them at the market on friday",
    "we could hear music from the other side of the lake",
    "the doctor told him to rest and to drink more tea",
    "two black horses stood under the tree and waited for the rain to stop",
)
ALIGNED_VOICES = (
    "espeak:en-us",
    "espeak:en-us+f3",
    "espeak:en-gb",
    "flite:slt",
    "flite:rms",
    "flite:awb",
    "flite:kal16",
)


def recording(seconds: float) -> Waveform:
    """The human recording, repeated to a length."""
    samples = read_waveform(DATA / "librispeech_7143-88743-0029.flac").samples
    return Waveform(np.resize(samples, round(seconds * RATE)))


def published_size() -> HubertUnits:
    """A HuBERT of the published size with random weights, and centroids taken from its own features."""
    from transformers import HubertModel

    torch.manual_seed(0)
    convolutions = parse_convolutions(PUBLISHED_CONVOLUTIONS)
    model = HubertModel(hubert_config(DEFAULTS, convolutions, 11)).eval().requires_grad_(False)
    checkpoint = HubertCheckpoint(model, convolutions, RATE, normalize=False, layer_norm_first=False)
    encoder = HubertUnits(checkpoint, KMeansQuantizer(torch.zeros(1, 768)), 11, "published size")
    features = encoder.features(torch.from_numpy(np.array(recording(9).samples)))
    encoder.quantizer = KMeansQuantizer(features[::2].clone())
    return encoder


def embedded() -> tuple[str, HubertUnits]:
    """The shipped encoder."""
    return "embedded", load_encoder(FAMILIES["embedded"].encoder, EMBEDDED)


def seconds_of(work: Callable[[], object], rounds: int = 3) -> float:
    """The least wall time of a few rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure_encoding() -> None:
    encoders: list[tuple[str, SpeechEncoder]] = [("HuBERT of published size", published_size()), embedded()]
    for name, encoder in encoders:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            cells = []
            for length in (2, 10, 30):
                audio = recording(length)
                cells.append(f"{length} s: {seconds_of(lambda e=encoder, a=audio: e.encode(a)) / length:.4f}")  # type: ignore[misc]
            print(f"encode  {name}, {threads} thread(s), real-time factor  {'  '.join(cells)}")
        ids = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            ids.append(encoder.encode(recording(30)).ids)
        equal, distinct = (ids[0] == ids[1]).sum(), len(set(ids[0].tolist()))
        print(f"encode  {name}: {equal} of {len(ids[0])} units equal at 1 and 2 threads ({distinct} distinct)")
    torch.set_num_threads(1)


def measure_memory() -> None:
    for kind in ("published", "embedded"):
        answer = subprocess.run(
            [sys.executable, __file__, "--only", f"peak-{kind}"], capture_output=True, text=True, check=True
        )
        print(answer.stdout.strip())


def peak_gigabytes() -> float:
    """The highest resident memory of this process so far (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e6


def report_peak(kind: str) -> None:
    torch.set_num_threads(1)
    encoder: SpeechEncoder = published_size() if kind == "published" else embedded()[1]
    before = peak_gigabytes()
    encoder.encode(recording(100))
    after = peak_gigabytes()
    print(f"memory  {kind}: {after:.2f} GB at most for 100 s of audio ({before:.2f} GB before)")


def measure_speaking() -> None:
    here = {info.engine for info in available_voices() if info.available}
    for name in (
        "espeak:en-us",
        "espeak-debian:en-us",
        "flite:slt",
        "flite:kal16",
        "festival:ked_diphone",
        "piper:joe",
    ):
        if name.partition(":")[0] not in here:
            print(f"speak   {name}: not on this machine")
            continue
        speaker = voice(name)
        speaker.speak(SENTENCES[0])
        start = time.perf_counter()
        spoken = [speaker.speak(sentence) for sentence in SENTENCES]
        wall = time.perf_counter() - start
        length = sum(utterance.waveform.duration for utterance in spoken)
        print(f"speak   {name}: {1000 * wall / len(spoken):.1f} ms per sentence, real-time factor {wall / length:.4f}")


def quantiles(errors: list[float]) -> str:
    milliseconds = 1000 * np.abs(errors)
    median, p95 = np.quantile(milliseconds, (0.5, 0.95))
    return f"median {median:.0f}  p95 {p95:.0f}  max {milliseconds.max():.0f} ms"


def measure_alignment() -> None:
    warnings.simplefilter("ignore", AlignmentWarning)
    pooled: dict[str, tuple[list[float], list[float]]] = {}
    start, length = time.perf_counter(), 0.0
    for name in ALIGNED_VOICES:
        starts, ends = pooled.setdefault(name.partition(":")[0], ([], []))
        for sentence in SENTENCES:
            try:
                utterance = voice(name).speak(sentence)
                aligned = align(utterance.waveform, sentence)
            except EngineError:
                continue
            except AlignmentError:
                print(f"align   {name}: FAILED on {sentence!r}")
                continue
            length += utterance.waveform.duration
            seen = [word.start for word in utterance.words]
            for word, own in zip(aligned, utterance.words, strict=True):
                if seen.count(own.start) == 1:  # words that espeak-ng runs together have no times of their own
                    starts.append(word.start - own.start)
                    ends.append(word.end - own.end)
    for engine, (starts, ends) in pooled.items():
        print(f"align   {engine}, {len(starts)} words: starts {quantiles(starts)}; ends {quantiles(ends)}")
    print(f"align   real-time factor with speaking {(time.perf_counter() - start) / length:.3f}")


def measure_doubts() -> None:
    """Right texts that are doubted, and wrong ones that are refused or doubted."""
    changes: dict[str, Callable[[list[str], int], list[str]]] = {
        "right text": lambda words, _: words,
        "another sentence": lambda _, index: SENTENCES[(index + 5) % len(SENTENCES)].split(),
        "one word left out": lambda words, _: words[:5] + words[6:],
        "one word too many": lambda words, _: [*words[:5], "garden", *words[5:]],
        "one word for another": lambda words, _: [*words[:5], "elephant", *words[6:]],
    }
    for kind, change in changes.items():
        refused = doubted = total = 0
        for name in ALIGNED_VOICES:
            for place, sentence in enumerate(SENTENCES):
                try:
                    utterance = voice(name).speak(sentence)
                except EngineError:
                    continue
                total += 1
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", AlignmentWarning)
                    try:
                        align(utterance.waveform, " ".join(change(sentence.split(), place)))
                    except AlignmentError:
                        refused += 1
                    else:
                        doubted += bool(caught)
        print(f"align   {kind}: {refused} refused, {doubted} doubted, of {total}")


def measure_resampling() -> None:
    encoders = [("hubert_small", load_encoder({"kind": "hubert"}, DATA / "hubert_small")), embedded()]
    human = recording(9.1)
    for rate in (22050, 44100, 48000):
        there = soxr.resample(human.samples, RATE, rate, quality="VHQ")
        ours = resample(there, rate, RATE)
        theirs = resample(there, rate, RATE, "windowed sinc")[: len(ours)]
        level = 20 * math.log10(np.sqrt(((ours - theirs) ** 2).mean()) / np.sqrt((ours**2).mean()))
        for name, encoder in encoders:
            one, other = (
                encoder.encode(Waveform(np.clip(audio, -1, 1).astype(np.float32))).ids for audio in (ours, theirs)
            )
            differ = (one != other).sum()
            print(f"resample {rate} Hz, {name}: {differ} of {len(one)} units differ (audio by {level:.0f} dB)")


PARTS = {
    "encode": measure_encoding,
    "memory": measure_memory,
    "speak": measure_speaking,
    "align": lambda: (measure_alignment(), measure_doubts()),
    "resample": measure_resampling,
}


Part = Literal["encode", "memory", "speak", "align", "resample", "peak-published", "peak-embedded"]


def main(only: tuple[Part, ...] = tuple(PARTS)) -> None:
    """Measure the parts named in `only`; peak-… reports the memory of this process for one encoder."""
    for part in only:
        if part.startswith("peak-"):
            report_peak(part.removeprefix("peak-"))
        else:
            PARTS[part]()


if __name__ == "__main__":
    torch.set_num_threads(1)
    tyro.cli(main)
