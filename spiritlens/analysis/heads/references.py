"""Reference prompts of a knock-out: where the mean and the resampled values of a component come from.

A token is stood in for by reference tokens of its role and modality, or where no reference has such a one, of its
modality. A marker is no token of a modality: it takes that of its prompt, written, spoken or mixed, so that what stands
in for a spoken prompt's marker never comes from a written one. Prompts that serve as each other's references give
nothing to a prompt about their own subject.

Axes: values ``[layer …]`` of each reference token: of z ``[layer head d_head]``, of an output ``[layer d_model]``, of
the embedding ``[1 d_model]``.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from spiritlens.components import hook_name
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key
from spiritlens.runs.corruptions.noise import generator

LeaveOut = Literal["nothing", "same subject"]
"""References that give a prompt nothing: none, or those about its own subject."""
TokenKind = tuple[str, str]
"""Role and modality of a token; of a marker the kind of its prompt (T2T, S2T, mixed)."""


def token_kinds(prompt: Prompt) -> list[TokenKind]:
    """What each token of a prompt is: only tokens that are the same stand in for each other."""
    return [
        (role, prompt.kind if modality == "none" else modality)
        for role, modality in zip(prompt.roles, prompt.modalities, strict=True)
    ]


class Reference:
    """A component of reference prompts, token by token: where its mean and its resampled values come from."""

    def __init__(
        self,
        model: LensModel,
        prompts: Sequence[Prompt],
        kind: Literal["mean", "resample"],
        leave_out: LeaveOut = "nothing",
        component: str = "z",
    ) -> None:
        names = [hook_name(component, layer) for layer in range(1 if component == "embed" else model.n_layers)]
        self.kind, self.leave_out, self.component = kind, leave_out, component
        self.tokens: dict[TokenKind, list[tuple[str, Tensor]]] = {}
        for prompt in prompts:
            cache = model.cache(prompt.tokens, names)
            stacked = torch.stack([cache[name][0] for name in names])  # [layer pos …]
            for position, token_kind in enumerate(token_kinds(prompt)):
                self.tokens.setdefault(token_kind, []).append((subject_key(prompt), stacked[:, position]))

    def values(self, prompt: Prompt, positions: Sequence[int], samples: int, seed: int) -> Tensor:
        """What stands in for the component at the positions, ``[sample position layer …]``: the mean of tokens like
        each, or one of them, drawn for every sample."""
        of_tokens = token_kinds(prompt)
        kinds = [of_tokens[position] for position in positions]
        alike = {kind: self._alike(prompt, kind) for kind in dict.fromkeys(kinds)}
        if self.kind == "mean":
            means = {kind: torch.stack(found).mean(0) for kind, found in alike.items()}
            found = torch.stack([means[kind] for kind in kinds])
            return found.expand(samples, *found.shape)
        rows = [
            [self._drawn(alike[kind], prompt, at, sample, seed) for at, kind in zip(positions, kinds, strict=True)]
            for sample in range(samples)
        ]
        return torch.stack([torch.stack(row) for row in rows])

    def _alike(self, prompt: Prompt, kind: TokenKind) -> list[Tensor]:
        """Values ``[layer …]`` of each reference token of this role and modality; where there are none, of the
        modality."""
        of_modality = [other for other in self.tokens if other[1] == kind[1] and other[0] != "bos"]
        alike, fallback = (
            [
                z
                for some in kinds
                for subject, z in self.tokens.get(some, ())
                if self.leave_out == "nothing" or subject != subject_key(prompt)
            ]
            for kinds in ([kind], of_modality)
        )
        return alike or fallback

    def _drawn(self, found: Sequence[Tensor], prompt: Prompt, position: int, sample: int, seed: int) -> Tensor:
        """One of the values, the same whenever prompt, position, sample and seed are."""
        stream = generator(seed, prompt.id, sample, f"resample {self.component} {position}")
        return found[int(torch.randint(len(found), (1,), generator=stream))]


def check_stand_ins(prompt: Prompt, positions: Sequence[int], reference: Sequence[Prompt], leave_out: LeaveOut) -> None:
    """Every position finds a reference token of its role and modality, or at least of its modality."""
    others = [other for other in reference if leave_out == "nothing" or subject_key(other) != subject_key(prompt)]
    kinds = {kind for other in others for kind in token_kinds(other)}
    modalities = {modality for role, modality in kinds if role != "bos"}
    own = token_kinds(prompt)
    for position in positions:
        role, modality = own[position]
        if own[position] not in kinds and modality not in modalities:
            about = "" if leave_out == "nothing" else " about another subject"
            what = f"a marker of {modality} prompts" if modality == prompt.kind else modality
            raise ValueError(
                f"nothing can stand in for the role '{role}' ({what}) of prompt {prompt.id} about "
                f"'{prompt.subject.name}': no reference prompt{about} has tokens of that modality; give prompts that "
                "have: Ablation(…, reference=…), or use kind='zero'"
            )
