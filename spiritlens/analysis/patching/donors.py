"""Values from another prompt, brought to this prompt's positions through the words that the two share.

*Alignment.* Both prompts are cut into groups: the beginning of the sequence, each marker, each word before the
subject, the subject (word by word where both have as many words, else as one group), each word after it. Words pair
up in order; the read-out (last token) of one prompt belongs to the read-out of the other, be it a final marker or the
last word. Prompts of another phrasing do not align.

*Pooling.* A spoken word has five to fifteen units, a written one a piece or two. For a token of this prompt's group:

- ``position``: the donor's token at the same place in its group (groups of equal size only);
- ``last``: the donor group's last token; ``mean``: the mean over the donor group's tokens;
- ``broadcast``: the donor's token at the proportional place (token i of m gets ⌊i·n/m⌋ of n);
- ``norm_matched``: the mean, rescaled to the norm that this prompt's own value has there.

*Controls.* What any value would do: that of another word of the donor, of the same role in another fact, or Gaussian
noise, all with the same pooling; noise has the norm of the value that it stands in for.

Axes: weights ``[pos donor_pos]``, rows that sum to 1, or to 0 where nothing aligns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from spiritlens.arguments import check_choice, listed, whole
from spiritlens.models.given import given_each
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key
from spiritlens.runs.corruptions.noise import draw, generator
from spiritlens.shapes import checked
from spiritlens.terms import ROLE_TABLE

Pooling = Literal["position", "last", "mean", "broadcast", "norm_matched"]
Control = Literal["none", "other word", "other fact", "noise"]
Positions = tuple[int, ...]


@dataclass(frozen=True)
class Donors:
    """Whose values are put in, and how they come to a prompt.

    `prompts`: one donor for each prompt, from whose clean run they are taken (None: from the other run of the
    comparison). `pooling` brings the values of a word of another length here; `control` takes such as should not
    matter. `layers` are those that `back_patch` takes values from (None: all).
    """

    prompts: Sequence[Prompt] | None = None
    pooling: Pooling = "position"
    control: Control = "none"
    layers: Sequence[int] | None = None

    def __post_init__(self) -> None:
        check_choice("pooling", self.pooling, Pooling)
        check_choice("control", self.control, Control)
        if self.prompts is not None:
            object.__setattr__(self, "prompts", listed("donors", self.prompts, of=Prompt))
        if self.layers is not None:
            object.__setattr__(self, "layers", _each_once(self.layers))

    def each(self, lens: Lens, prompts: Sequence[Prompt]) -> tuple[Prompt | None, ...]:
        """The donor of each prompt; None where the values are the other run's."""
        found: tuple[Prompt | None, ...] = (None,) * len(prompts)
        if self.prompts is not None:
            found = given_each(lens, self.prompts, "donors")
        if len(found) != len(prompts):
            raise ValueError(f"{len(found)} donors for {len(prompts)} prompts; give one for each")
        if self.control == "other fact":
            return other_facts([donor or prompt for donor, prompt in zip(found, prompts, strict=True)])
        return found


def given_donors(donors: Donors | Sequence[Prompt] | None) -> Donors:
    """Donors as they are, or prompts (None: none) that are pooled position by position."""
    return donors if isinstance(donors, Donors) else Donors(donors)


@dataclass(frozen=True)
class Transfer:
    """How a donor's values come to this prompt's positions and layers."""

    pooling: Pooling = "position"
    control: Control = "none"
    source_hook: str | None = None
    """The hook point that all values are taken from (back-patching); None: each from its own."""
    seed: int = 0

    def source_name(self, name: str) -> str:
        """The donor's hook name for a hook name of this prompt's run."""
        return name if self.source_hook is None else self.source_hook

    def same_places(self, prompt: Prompt, donor: Prompt) -> bool:
        """Whether positions correspond one to one without any alignment: equally long prompts, token by token."""
        return self.pooling == "position" and len(prompt) == len(donor) and self.control != "other word"

    def weights(self, prompt: Prompt, donor: Prompt) -> Float[Tensor, "pos donor_pos"]:
        """Share of each donor position in each position here (`pooling_weights`)."""
        return pooling_weights(prompt, donor, self.pooling, self.control, self.seed)


def aligned_groups(prompt: Prompt, donor: Prompt) -> tuple[tuple[Positions, Positions], ...]:
    """Pairs (positions here, positions in the donor) of groups that belong together."""
    here, there = _groups(prompt), _groups(donor)
    pairs = [
        (here[name], there[name]) for name in here if name in there and name[0] not in ("before", "after", "subject")
    ]
    for side in ("before", "after"):
        ours, theirs = ([groups[name] for name in groups if name[0] == side] for groups in (here, there))
        if len(ours) != len(theirs):
            raise ValueError(
                f"prompt {prompt.id} has {len(ours)} words {side} its subject and prompt {donor.id} has {len(theirs)}; "
                "align prompts of one phrasing"
            )
        pairs += zip(ours, theirs, strict=True)
    ours, theirs = ([groups[name] for name in groups if name[0] == "subject"] for groups in (here, there))
    if len(ours) != len(theirs):
        ours, theirs = ([tuple(p for group in groups for p in group)] for groups in (ours, theirs))
    pairs += zip(ours, theirs, strict=True)
    last = (len(prompt) - 1, len(donor) - 1)
    if not any(last[0] in ours and last[1] in theirs for ours, theirs in pairs):
        pairs = [pair for pair in pairs if pair[0] != (last[0],)] + [((last[0],), (last[1],))]
    return tuple(sorted(pairs))


@checked
def pooling_weights(
    prompt: Prompt, donor: Prompt, pooling: Pooling = "position", control: Control = "none", seed: int = 0
) -> Float[Tensor, "pos donor_pos"]:
    """Weights ``[pos donor_pos]`` that pool the donor's values for every position of the prompt."""
    pairs = aligned_groups(prompt, donor)
    if control == "other word":
        pairs = _other_words(prompt, donor, pairs, seed)
    weights = torch.zeros(len(prompt), len(donor), dtype=torch.float64)
    for here, there in pairs:
        if pooling == "position" and len(here) != len(there):
            raise ValueError(
                f"pooling='position' pairs token by token, but positions {here} of prompt {prompt.id} stand against "
                f"{there} of prompt {donor.id}; use 'last', 'mean', 'broadcast' or 'norm_matched'"
            )
        for place, position in enumerate(here):
            weights[position] = 0
            if pooling in ("mean", "norm_matched"):
                weights[position, list(there)] = 1 / len(there)
            elif pooling == "last":
                weights[position, there[-1]] = 1
            else:
                weights[position, there[place * len(there) // len(here)]] = 1
    return weights


def pooled(values: Tensor, weights: Tensor, own: Tensor | None = None) -> Tensor:
    """Donor values ``[run donor_pos …]`` at this prompt's positions ``[run pos …]``; `own` (same shape) gives norms
    to match."""
    result: Tensor = torch.einsum("pd,rd...->rp...", weights.to(values.device, values.dtype), values)
    if own is None:
        return result
    matched: Tensor = result * (own.norm(dim=-1, keepdim=True) / result.norm(dim=-1, keepdim=True).clamp(min=1e-12))
    return matched


def noise_like(values: Mapping[str, Tensor], prompt: Prompt, seed: int) -> dict[str, Tensor]:
    """Gaussian directions with the norms of the values ``[run pos …]``, drawn from the seed, the prompt and the hook
    name."""
    found: dict[str, Tensor] = {}
    for name, value in values.items():
        rows = [draw(seed, prompt.id, run, f"control {name}", tuple(value.shape[1:])) for run in range(len(value))]
        noise = torch.stack(rows).to(value.device, value.dtype)
        found[name] = noise * (value.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True))
    return found


def other_facts(donors: Sequence[Prompt]) -> tuple[Prompt, ...]:
    """For each donor, the next one about another subject that is of its kind and phrasing."""
    found: list[Prompt] = []
    for index, donor in enumerate(donors):
        turned = [*donors[index + 1 :], *donors[:index]]
        fitting = [
            other
            for other in turned
            if subject_key(other) != subject_key(donor)
            and (other.kind, other.phrasing, other.relation) == (donor.kind, donor.phrasing, donor.relation)
        ]
        if not fitting:
            raise ValueError(
                f"control='other fact' finds no other subject of the kind, relation and phrasing of prompt {donor.id} "
                f"({donor.kind}, {donor.relation!r}, {donor.phrasing!r}) among the donors; give more donors"
            )
        found.append(fitting[0])
    return tuple(found)


def _each_once(layers: Iterable[int]) -> tuple[int, ...]:
    found = tuple(whole(f"layers[{place}]", layer, at_least=0) for place, layer in enumerate(listed("layers", layers)))
    if len(set(found)) != len(found):
        raise ValueError(f"layers {found} names a layer twice; give each once")
    return found


def _groups(prompt: Prompt) -> dict[tuple[str, int], Positions]:
    """Positions by (part of the sentence, number within it)."""
    found: dict[tuple[str, int], list[int]] = {}
    subject = prompt.subject
    counts = {row.name: 0 for row in ROLE_TABLE if not row.of_words}
    subject_words: list[int] = []
    order: dict[str, list[int]] = {"before": [], "after": []}
    for position, (role, word) in enumerate(zip(prompt.roles, prompt.word_index, strict=True)):
        if role in counts:
            key = (str(role), counts[role])
            counts[role] += 1
        elif position in subject:
            if word not in subject_words:
                subject_words.append(word)
            key = ("subject", subject_words.index(word))
        elif word < 0:
            continue
        else:
            side = "before" if position < subject.first else "after"
            if word not in order[side]:
                order[side].append(word)
            key = (side, order[side].index(word))
        found.setdefault(key, []).append(position)
    return {key: tuple(positions) for key, positions in found.items()}


def _other_words(
    prompt: Prompt, donor: Prompt, pairs: Sequence[tuple[Positions, Positions]], seed: int
) -> tuple[tuple[Positions, Positions], ...]:
    """The same groups here, each with the donor's tokens of a word that does not belong to it: of a group that shares
    no word with the one that is due here, nor the subject."""
    words = [pair for pair in pairs if all(donor.word_index[position] >= 0 for position in pair[1])]
    changed = []
    for here, there in words:
        due = _named_in(donor, there)
        others = [theirs for _, theirs in words if not due & _named_in(donor, theirs)]
        if not others:
            raise ValueError(
                f"control='other word' finds no word in prompt {donor.id} beside the one at positions {there}, the "
                f"subject '{donor.subject.name}' counting as one word; give a donor of more words, or another control"
            )
        stream = generator(seed, prompt.id, here[0], "other word")
        changed.append((here, others[int(torch.randint(len(others), (1,), generator=stream))]))
    return tuple(changed)


def _named_in(donor: Prompt, group: Positions) -> set[int | str]:
    """Words of a group by number, and whether it belongs to the subject."""
    found: set[int | str] = {donor.word_index[position] for position in group}
    return found | {"subject"} if any(position in donor.subject for position in group) else found
