"""Replacement: other token ids in the subject's place, one choice per sample. It stays on the data's manifold.

- ``symmetric``: another subject, of another prompt (text: as many tokens; speech: its units, time-warped);
- ``shuffle``: the subject's own units in another order;
- ``silence``: units of silence.

Units are deduplicated streams: no unit follows itself. Replaced units keep that rule, inside the span and at its
borders, and keep the span's length, so that runs stay comparable position by position.

Source: Zhang & Nanda 2023 (arXiv 2309.16042) on symmetric replacement; the unit rules are this project's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spiritlens.arguments import check_choice, listed, whole
from spiritlens.models.given import given_prompt
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key
from spiritlens.runs.corruptions.corruption import Corruption, CorruptionRequest
from spiritlens.runs.corruptions.noise import choice, generator
from spiritlens.runs.corruptions.unit_sequences import fitted_units, shuffled_units, silent_units

ReplacementRule = Literal["symmetric", "shuffle", "silence"]


@dataclass(frozen=True)
class Replacement(Corruption):
    """Other token ids in the span's place. `donors` are the prompts that ``symmetric`` may take subjects from."""

    rule: ReplacementRule = "symmetric"
    donors: tuple[Prompt, ...] = ()
    silence: tuple[int, ...] = ()
    """Token ids of silence for ``silence``; by default the prompt's own units outside all words."""

    def __post_init__(self) -> None:
        check_choice("replacement rule", self.rule, ReplacementRule)
        object.__setattr__(self, "donors", listed("donors", self.donors, of=Prompt, empty=True))
        silence = [whole("silence", unit, at_least=0) for unit in listed("silence", self.silence, empty=True)]
        object.__setattr__(self, "silence", tuple(silence))
        if self.rule == "symmetric" and not self.donors:
            raise ValueError("symmetric replacement needs donors: prompts whose subjects may stand in for this one's")

    def resolved(self, lens: Lens) -> "Replacement":
        """The same replacement; donors that are no prompts of this lens are refused."""
        for place, donor in enumerate(self.donors):
            given_prompt(lens, donor, f"donors[{place}]")
        return self

    def embeddings(self, request: CorruptionRequest) -> Tensor:
        """Embeddings of the prompt with the span's ids replaced, one choice per sample."""
        self.resolved(request.lens)
        plain = request.plain
        result = plain.repeat(request.samples, 1, 1)
        where = torch.tensor(list(request.positions), device=plain.device)
        for sample in range(request.samples):
            ids = self.ids(request.prompt, request.positions, sample, request.seed)
            result[sample, where] = request.lens.backend.embed(torch.tensor([ids]))[0].to(plain.dtype)
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
        return fitting[choice(len(fitting), stream)]

    def _others(self, prompt: Prompt) -> list[Prompt]:
        """Donors of another subject: the same one, said or spelt otherwise, would corrupt nothing."""
        return [donor for donor in self.donors if subject_key(donor) != subject_key(prompt)]

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
        return warped[choice(len(warped), stream)]

    def describe(self) -> str:
        """The corruption in words, for the result's attributes."""
        return f"{self.rule} replacement of the tokens"

    def settings(self) -> dict[str, object]:
        """The rule, the donors by their ids, and the units of silence."""
        donors = [prompt.id for prompt in self.donors]
        return {"replacement": self.rule, "donors": donors, "silence": list(self.silence)}


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
