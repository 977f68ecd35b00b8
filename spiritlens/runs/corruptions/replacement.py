"""Replacement: another subject, the subject's own units in another order, or silence in the subject's place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spiritlens.arguments import check_choice, listed, whole
from spiritlens.models.given import given_prompt
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import _choice, generator
from spiritlens.runs.corruptions.unit_sequences import fitted_units, shuffled_units, silent_units

Rule = Literal["symmetric", "shuffle", "silence"]


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
        self, lens: Lens, prompt: Prompt, positions: Sequence[int], plain: Tensor, samples: int, seed: int
    ) -> Tensor:
        """Embeddings of the prompt with the span's ids replaced, one choice per sample."""
        for donor in self.donors:
            given_prompt(lens, donor, "donor")
        result = plain.repeat(samples, 1, 1)
        where = torch.tensor(list(positions), device=plain.device)
        for sample in range(samples):
            ids = self.ids(prompt, positions, sample, seed)
            result[sample, where] = lens.backend.embed(torch.tensor([ids]))[0].to(plain.dtype)
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
