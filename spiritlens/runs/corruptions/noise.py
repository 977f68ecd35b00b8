"""Noise: random numbers that depend on what is asked and on nothing else, and the scale at which they disturb.

Noise is drawn on the CPU in float32 from (seed, prompt id, sample, purpose), so that a result never depends on batch,
order, device or neighbours. *Scale* is the standard deviation of Gaussian noise, in units of embedding entries; its
default is 3 × the standard deviation of the family's trained embedding rows of that modality (text ids for text
positions, unit ids for speech positions), all rows and entries pooled. `noise_scale` takes the subjects' own rows
instead, as the reference causal-tracing code does, but without the beginning-of-sequence row.

Source: Meng et al. 2022 (arXiv 2202.05262), section 2.1 and appendix; seeding is this project's.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from spiritlens.arguments import check_choice, number, told_keywords
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompts
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption, CorruptionRequest

Law = Literal["gaussian", "uniform", "student"]
"""gaussian: N(0, scale²); uniform: on (−scale, scale); student: scale × Student's t with 5 degrees of freedom."""

Mode = Literal["add", "replace"]
"""add: noise on top of the embedding; replace: noise in its stead."""

NoiseStream = Literal["prompt", "rome"]
"""prompt: drawn per (seed, prompt id, sample); rome: the reference code's stream, one block for all samples, seed 1."""

DEVIATIONS = 3.0
STUDENT_DEGREES = 5


@dataclass(frozen=True)
class NoiseScale:
    """Standard deviation of the noise at text and at speech positions, in units of embedding entries."""

    text: float
    speech: float

    def __post_init__(self) -> None:
        for name in ("text", "speech"):
            object.__setattr__(self, name, deviation(f"noise scale for {name}", getattr(self, name)))

    def of(self, modality: str) -> float:
        """Scale at a position of this modality (markers count as text)."""
        return self.speech if modality == "speech" else self.text


@dataclass(frozen=True)
class Noise(Corruption):
    """Disturb embeddings at random. `scale` None is the default of this module; a number holds for both modalities."""

    scale: float | NoiseScale | None = None
    law: Law = "gaussian"
    mode: Mode = "add"
    stream: NoiseStream = "prompt"

    def __post_init__(self) -> None:
        for name, allowed in (("law", Law), ("mode", Mode), ("stream", NoiseStream)):
            check_choice(f"noise {name}", getattr(self, name), allowed)
        if self.stream == "rome" and self.law == "student":
            raise ValueError("the reference code's stream knows law='gaussian' and 'uniform' only, not 'student'")
        if self.scale is not None and not isinstance(self.scale, NoiseScale):
            object.__setattr__(self, "scale", deviation("noise scale", self.scale))

    def resolved(self, lens: Lens) -> "ScaledNoise":
        """The same noise with its scale in numbers."""
        scale = default_scale(lens) if self.scale is None else self.scale
        if not isinstance(scale, NoiseScale):
            scale = NoiseScale(scale, scale)
        return ScaledNoise(scale, self.law, self.mode, self.stream)

    def embeddings(self, request: CorruptionRequest) -> Tensor:
        """Embeddings with noise of the scale that this lens has."""
        return self.resolved(request.lens).embeddings(request)

    def describe(self) -> str:
        """The corruption in words, for the result's attributes."""
        verb = "added to" if self.mode == "add" else "put in place of"
        return f"{self.law} noise {verb} the embeddings"

    def settings(self) -> dict[str, object]:
        """The noise as it was asked for; in a result, that of its `ScaledNoise`."""
        scale = self.scale
        noise = [scale.text, scale.speech] if isinstance(scale, NoiseScale) else scale
        return {"noise": noise, "law": self.law, "mode": self.mode, "stream": self.stream}


@dataclass(frozen=True)
class ScaledNoise(Corruption):
    """A noise for one lens: its scale in numbers (`Noise.resolved`)."""

    scale: NoiseScale
    law: Law
    mode: Mode
    stream: NoiseStream

    def embeddings(self, request: CorruptionRequest) -> Tensor:
        """Embeddings ``[sample pos d_model]``, disturbed at the positions by their modalities' scales."""
        prompt, positions, plain = request.prompt, request.positions, request.plain
        result = plain.repeat(request.samples, 1, 1)
        where = torch.tensor(list(positions), device=plain.device)
        drawn = self._drawn(request)
        factors = [self.scale.of(prompt.modalities[position]) for position in positions]
        noise = (drawn * drawn.new_tensor(factors)[None, :, None]).to(plain.device, plain.dtype)
        result[:, where] = noise if self.mode == "replace" else result[:, where] + noise
        return result

    def _drawn(self, request: CorruptionRequest) -> Tensor:
        """Numbers of unit scale ``[sample position d_model]``."""
        each, samples = (len(request.positions), request.plain.shape[-1]), request.samples
        if self.stream == "rome":
            stream = np.random.RandomState(1)
            shape = (samples, *each)
            values = stream.uniform(-1, 1, shape) if self.law == "uniform" else stream.randn(*shape)
            return torch.from_numpy(values)
        seed, name = request.seed, request.prompt.id
        return torch.stack([draw(seed, name, sample, "noise", each, self.law) for sample in range(samples)])

    def describe(self) -> str:
        """The corruption in words, for the result's attributes."""
        return Noise(self.scale, self.law, self.mode, self.stream).describe()

    def settings(self) -> dict[str, object]:
        """Scales at text and at speech, law, mode and stream."""
        return Noise(self.scale, self.law, self.mode, self.stream).settings()


def deviation(name: str, value: object) -> float:
    """A standard deviation: a finite number that is not negative."""
    try:
        return number(name, value, at_least=0, below=math.inf)
    except ValueError as error:
        raise ValueError(f"{error}; a standard deviation is finite and not negative") from None


def generator(seed: int, prompt_id: str, sample: int, purpose: str) -> torch.Generator:
    """A CPU generator of its own for each (seed, prompt id, sample, purpose)."""
    key = hashlib.sha256(f"{seed}|{prompt_id}|{sample}|{purpose}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))


def derived_seed(seed: int, purpose: str) -> int:
    """Another seed, for one more use of the same prompt and samples."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{purpose}".encode()).digest()[:4], "little")


def draw(seed: int, prompt_id: str, sample: int, purpose: str, shape: tuple[int, ...], law: Law = "gaussian") -> Tensor:
    """Float32 numbers of unit scale under a law, drawn on the CPU."""
    stream = generator(seed, prompt_id, sample, purpose)
    if law == "uniform":
        return torch.rand(shape, generator=stream, dtype=torch.float32) * 2 - 1
    normal = torch.randn(shape, generator=stream, dtype=torch.float32)
    if law == "gaussian":
        return normal
    squares = torch.randn((STUDENT_DEGREES, *shape), generator=stream, dtype=torch.float32).pow(2).mean(0)
    return normal / squares.sqrt()


@plain_torch
def default_scale(lens: Lens) -> NoiseScale:
    """3 × the standard deviation of the family's trained embedding rows, text ids and unit ids apart."""
    w_e, vocabulary = lens.backend.w_e, lens.vocabulary
    text = _deviation(w_e, vocabulary.text_ids.tolist())
    units = list(vocabulary.unit_ids)
    return NoiseScale(DEVIATIONS * text, DEVIATIONS * (_deviation(w_e, units) if units else text))


@told_keywords
@plain_torch
def noise_scale(lens: Lens, prompts: Sequence[Prompt]) -> NoiseScale:
    """3 × the standard deviation of the prompts' subject rows, text and speech apart, without the BOS row.

    A modality in which no prompt has a subject keeps the default scale. Returns the scale for text and for speech (Meng
    et al. 2022). Raises ValueError where no prompt has a subject.
    """
    found: dict[str, list[int]] = {"text": [], "speech": []}
    chosen = given_prompts(lens if hasattr(lens, "backend") else given_lens(lens), prompts)
    for prompt in chosen:
        for position in prompt.subject.positions:
            if prompt.families[position] != "bos" and prompt.modalities[position] in found:
                found[prompt.modalities[position]].append(prompt.ids[position])
    if not any(found.values()):
        raise ValueError(f"none of the {len(chosen)} prompts has a subject of text or units: no scale can be taken")
    default, w_e = default_scale(lens), lens.backend.w_e
    text, speech = (DEVIATIONS * _deviation(w_e, ids) if ids else None for ids in (found["text"], found["speech"]))
    return NoiseScale(default.text if text is None else text, default.speech if speech is None else speech)


def _deviation(w_e: Tensor, ids: Sequence[int]) -> float:
    """Standard deviation over all entries of the rows."""
    rows = w_e[torch.tensor(list(ids), device=w_e.device)]
    return float(rows.to(torch.float64 if rows.dtype == torch.float64 else torch.float32).std())


def choice(count: int, stream: torch.Generator) -> int:
    """A number below `count`."""
    return int(torch.randint(count, (1,), generator=stream))
