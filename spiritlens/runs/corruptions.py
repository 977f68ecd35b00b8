"""Corruptions: how the subject is kept from the model, all as embeddings ``[sample pos d_model]`` of equal length.

*Noise* (`spiritlens.runs.noise`) disturbs embeddings off the data's manifold. *Replacement* stays on it: other token
ids in the subject's place, one choice per sample,

- ``symmetric``: another subject, of another prompt (text: as many tokens; speech: its units, time-warped);
- ``shuffle``: the subject's own units in another order;
- ``silence``: units of silence.

Units are deduplicated streams: no unit follows itself. Replaced units keep that rule, inside the span and at its
borders, and keep the span's length, so that runs stay comparable position by position. *Knock-out* puts zeros, the
modality's mean row or random trained rows of the modality in the place of the embeddings. A *control* corrupts an
equally long span that is not the subject.

Source: Zhang & Nanda 2023 (arXiv 2309.16042) on symmetric replacement; the unit rules are this project's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor

from spiritlens.arguments import check_choice, listed, shown, told_keywords, whole
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_prompt
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.runs.noise import Noise, generator
from spiritlens.runs.sites import positions_of
from spiritlens.runs.warp import fitted_units, shuffled_units, silent_units

if TYPE_CHECKING:
    from spiritlens.models.lens import Lens

Rule = Literal["symmetric", "shuffle", "silence"]
Knock = Literal["zero", "mean", "resample"]


@dataclass(frozen=True)
class Replacement:
    """Other token ids in the span's place. `donors` are the prompts that ``symmetric`` may take subjects from."""

    rule: Rule = "symmetric"
    donors: tuple[Prompt, ...] = ()
    silence: tuple[int, ...] = ()
    """Token ids of silence for ``silence``; by default the prompt's own units outside all words."""

    def __post_init__(self) -> None:
        check_choice("replacement rule", self.rule, Rule)
        object.__setattr__(self, "donors", listed("donors", self.donors, of=Prompt, empty=True))
        silence = [whole("silence", unit, at_least=0) for unit in listed("silence", self.silence, empty=True)]
        object.__setattr__(self, "silence", tuple(silence))
        if self.rule == "symmetric" and not self.donors:
            raise ValueError("symmetric replacement needs donors: prompts whose subjects may stand in for this one's")

    def embeddings(
        self, lens: "Lens", prompt: Prompt, positions: Sequence[int], plain: Tensor, samples: int, seed: int
    ) -> Tensor:
        """Embeddings of the prompt with the span's ids replaced, one choice per sample."""
        for donor in self.donors:
            given_prompt(lens, donor, "donor")
        result = plain.repeat(samples, 1, 1)
        where = torch.tensor(list(positions), device=plain.device)
        for sample in range(samples):
            ids = self.ids(prompt, positions, sample, seed)
            result[sample, where] = lens.inside.embed(torch.tensor([ids]))[0].to(plain.dtype)
        return result

    def ids(self, prompt: Prompt, positions: Sequence[int], sample: int, seed: int) -> tuple[int, ...]:
        """Token ids that stand at `positions` in this sample."""
        stream = generator(seed, prompt.id, sample, self.rule)
        units = [position for position in positions if prompt.families[position] == "unit"]
        if self.rule == "symmetric" and not units:
            return self._text_donor(prompt, positions, stream)
        if not units:
            raise ValueError(
                f"{self.rule} replaces units; the span {tuple(positions)} of this {prompt.kind} prompt has none"
            )
        borders = _borders(prompt, units)
        own = [prompt.ids[position] for position in units]
        if self.rule == "shuffle":
            new = shuffled_units(own, borders, stream)
        elif self.rule == "silence":
            new = silent_units(len(own), self.silence or _silence_of(prompt), borders, stream)
        else:
            new = self._warped_donor(prompt, own, borders, stream)
        changed = dict(zip(units, new, strict=True))
        return tuple(changed.get(position, prompt.ids[position]) for position in positions)

    def _text_donor(self, prompt: Prompt, positions: Sequence[int], stream: torch.Generator) -> tuple[int, ...]:
        own = tuple(prompt.ids[position] for position in positions)
        found = {
            tuple(donor.ids[position] for position in donor.subject.positions): None
            for donor in self._others(prompt)
            if all(donor.families[position] == "text" for position in donor.subject.positions)
        }
        fitting = [ids for ids in found if len(ids) == len(own) and ids != own]
        if not fitting:
            lengths = sorted({len(ids) for ids in found})
            raise ValueError(
                f"no donor's subject has {len(own)} text tokens and differs from '{prompt.subject.name}' (others have "
                f"{lengths or 'no text'}); give donors of the same length or use noise"
            )
        return fitting[_choice(len(fitting), stream)]

    def _others(self, prompt: Prompt) -> list[Prompt]:
        """Donors of another subject: the same one, said or spelt otherwise, would corrupt nothing."""
        own = prompt.subject.name.casefold()
        return [donor for donor in self.donors if donor.subject.name.casefold() != own]

    def _warped_donor(
        self, prompt: Prompt, own: list[int], borders: tuple[int | None, int | None], stream: torch.Generator
    ) -> list[int]:
        warped: list[list[int]] = []
        for donor in self._others(prompt):
            units = [donor.ids[at] for at in donor.subject.positions if donor.families[at] == "unit"]
            fitted = fitted_units(units, len(own), borders) if units != own else None
            if fitted is not None and fitted != own:
                warped.append(fitted)
        if not warped:
            raise ValueError(
                f"no donor's subject is another one than '{prompt.subject.name}' and can be time-warped to its "
                f"{len(own)} units without a unit following itself: give donors with other, longer subjects"
            )
        return warped[_choice(len(warped), stream)]

    def describe(self) -> str:
        """The corruption in words, for the result's attributes."""
        return f"{self.rule} replacement of the tokens"


@dataclass(frozen=True)
class KnockOut:
    """Zeros, the modality's mean row, or random trained rows of the modality in place of the span's embeddings."""

    kind: Knock = "zero"

    def __post_init__(self) -> None:
        check_choice("knock-out kind", self.kind, Knock)

    def embeddings(
        self, lens: "Lens", prompt: Prompt, positions: Sequence[int], plain: Tensor, samples: int, seed: int
    ) -> Tensor:
        """Embeddings of the prompt with the span knocked out; ``resample`` draws other rows in each sample."""
        result = plain.repeat(samples, 1, 1)
        for order, position in enumerate(positions):
            if self.kind == "zero":
                result[:, position] = 0
                continue
            rows = trained_rows(lens, prompt.modalities[position])
            if self.kind == "mean":
                result[:, position] = lens.inside.w_e[rows].mean(0, dtype=torch.float64).to(plain.dtype)
                continue
            for sample in range(samples):
                chosen = _choice(len(rows), generator(seed, prompt.id, sample, f"resample {order}"))
                result[sample, position] = lens.inside.w_e[rows[chosen]]
        return result

    def describe(self) -> str:
        """The corruption in words, for the result's attributes."""
        return f"{self.kind} knock-out of the embeddings"


Corruption: TypeAlias = Noise | Replacement | KnockOut


def trained_rows(lens: "Lens", modality: str) -> Tensor:
    """Ids of the trained embedding rows of a modality: units for speech, else text pieces."""
    ids = list(lens.vocabulary.unit_ids) if modality == "speech" else lens.vocabulary.text_ids.tolist()
    return torch.tensor(ids, device=lens.inside.device)


@plain_torch
def corrupted_embeddings(
    lens: "Lens",
    prompt: Prompt,
    corruption: Corruption,
    *,
    positions: Sequence[int] | None = None,
    samples: int = 10,
    seed: int = 0,
    forced: Sequence[int] = (),
) -> Tensor:
    """Embeddings ``[sample pos d_model]`` of the prompt (and of `forced` tokens after it) with the subject corrupted.

    `positions` names another span than the subject. The beginning-of-sequence token is never corrupted.
    """
    samples = whole("samples", samples, at_least=1)
    chosen = prompt.subject.positions if positions is None else _inside(prompt, positions)
    bos = [position for position in chosen if prompt.families[position] == "bos"]
    if bos:
        raise ValueError(
            f"position {bos[0]} is the beginning-of-sequence token, which is never corrupted; leave it out"
        )
    plain = lens.inside.embed(torch.tensor([[*prompt.ids, *forced]], device=lens.inside.device))
    return corruption.embeddings(lens, prompt, chosen, plain, samples, seed)


@told_keywords
@plain_torch
def control_span(prompt: Prompt, seed: int = 0) -> Span:
    """A span as long as the subject, of the same modality, that neither touches the subject nor holds the read-out."""
    if not isinstance(prompt, Prompt):
        raise ValueError(
            f"prompt is {shown(prompt)} ({type(prompt).__name__}): expected a Prompt; make one by lens.text"
        )
    seed = whole("seed", seed, at_least=0)
    length, subject = len(prompt.subject.positions), set(prompt.subject.positions)
    modality = prompt.modalities[prompt.subject.positions[0]]
    candidates = [
        span
        for first in range(len(prompt.ids) - length)
        if not subject & set(span := tuple(range(first, first + length)))
        and all(prompt.modalities[at] == modality and prompt.families[at] not in ("bos", "marker") for at in span)
    ]
    if not candidates:
        raise ValueError(
            f"the prompt has no {length} {modality} tokens in a row beside its subject '{prompt.subject.name}': "
            "a control of equal length cannot be made; leave this prompt out of the control"
        )
    return Span("control", candidates[_choice(len(candidates), generator(seed, prompt.id, 0, "control"))])


def _inside(prompt: Prompt, positions: Sequence[int]) -> tuple[int, ...]:
    """The positions counted from the start; refused where the prompt has none."""
    chosen, length = positions_of(positions), len(prompt.ids)
    outside = [position for position in chosen if not -length <= position < length]
    if outside or not chosen:
        raise ValueError(f"positions {outside or chosen}: give one or more of the prompt's {length} (0..{length - 1})")
    return tuple(position % length for position in chosen)


def _choice(count: int, stream: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=stream))


def _borders(prompt: Prompt, units: Sequence[int]) -> tuple[int | None, int | None]:
    """Unit tokens that stand before and after the span in the unit stream."""
    stream = [position for position, family in enumerate(prompt.families) if family == "unit"]
    before = [position for position in stream if position < units[0]]
    after = [position for position in stream if position > units[-1]]
    return (prompt.ids[before[-1]] if before else None, prompt.ids[after[0]] if after else None)


def _silence_of(prompt: Prompt) -> tuple[int, ...]:
    found = {
        prompt.ids[position]: None
        for position, family in enumerate(prompt.families)
        if family == "unit" and prompt.word_index[position] < 0
    }
    return tuple(found)
