"""Corruptions: how the subject is kept from the model, all as embeddings ``[sample position d_model]`` of equal length.

`Corruption` is what a method needs of one. Three come along: `Noise` disturbs embeddings off the data's manifold,
`KnockOut` puts zeros, the modality's mean row or random trained rows in their place, `Replacement` puts other token ids
there and stays on the manifold. One of your own is a class with the one method `embeddings`::

    @dataclass(frozen=True)
    class Faded(sl.Corruption):
        share: float = 0.5

        def embeddings(self, request):
            found = request.plain.repeat(request.samples, 1, 1)
            found[:, request.positions] *= 1 - self.share
            return found

and goes wherever they go: ``corruption=`` of `causal_trace`, the contrast of patching, ``sl.corrupt(at, by=…)``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from spiritlens.arguments import shown, whole
from spiritlens.environment import plain_torch
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.sites import Positioned, positions_of


@dataclass(frozen=True, eq=False)
class CorruptionRequest:
    """What a corruption is asked for: other embeddings at some positions of a prompt.

    `plain` ``[1 position d_model]`` are the prompt's own, those of forced answer tokens after it included; they are not
    to be changed. `lens` has the model (``lens.backend``) and the vocabulary. What is drawn at random must depend on
    `seed`, the prompt and the number of the sample only.
    """

    lens: Lens
    prompt: Prompt
    positions: tuple[int, ...]
    plain: Tensor
    samples: int
    seed: int


@runtime_checkable
class Corruption(Protocol):
    """A way to disturb embeddings. Derive from it and write `embeddings`; the other methods have defaults."""

    def embeddings(self, request: CorruptionRequest) -> Tensor:
        """Embeddings ``[sample position d_model]``: the plain ones, disturbed at the request's positions."""
        ...

    def describe(self) -> str:
        """The corruption in words, for results and pages, where “of the subject” follows."""
        settings = ", ".join(f"{name} {value}" for name, value in self.settings().items())
        return type(self).__name__ + (f" ({settings})" if settings else "")

    def settings(self) -> Mapping[str, object]:
        """All that decides its numbers, as values of JSON: the fields. Results store it, and a folder goes on only
        with equal settings. A noise's scale and law go into attributes of their own (`corruption_attributes`)."""
        names = [field.name for field in fields(self)] if is_dataclass(self) else list(vars(self))
        return {name: getattr(self, name) for name in names}

    def resolved(self, lens: Lens) -> "Corruption":
        """The same corruption for one lens, with what depends on it in numbers; unfit lenses are refused."""
        return self


def corruption_attributes(corruption: Corruption) -> dict[str, str | float]:
    """The corruption in words, and the scale and law of a noise, for the attributes of a result.

    A noise is a corruption whose settings hold ``noise``, standard deviations at text and at speech, and its ``law``.
    """
    words: dict[str, str | float] = {"corruption": corruption.describe()}
    match corruption.settings():
        case {"noise": [int() | float() as text, int() | float() as speech], "law": str() as law}:
            return words | {"noise_scale_text": text, "noise_scale_speech": speech, "noise_law": law}
    return words


@plain_torch
def corrupted_embeddings(
    lens: Lens,
    prompt: Prompt,
    corruption: Corruption,
    *,
    positions: Positioned | None = None,
    samples: int = 10,
    seed: int = 0,
    forced: Sequence[int] = (),
) -> Tensor:
    """Embeddings ``[sample position d_model]`` of the prompt (and of `forced` tokens after it) with the subject
    corrupted.

    `positions` names another span than the subject. The beginning-of-sequence token is never corrupted.
    """
    samples = whole("samples", samples, at_least=1)
    chosen = prompt.subject.positions if positions is None else _inside(prompt, positions)
    bos = [position for position in chosen if prompt.families[position] == "bos"]
    if bos:
        raise ValueError(
            f"position {bos[0]} is the beginning-of-sequence token, which is never corrupted; leave it out"
        )
    plain = lens.backend.embed(torch.tensor([[*prompt.ids, *forced]], device=lens.backend.device))
    request = CorruptionRequest(lens, prompt, chosen, plain, samples, seed)
    return checked_embeddings(corruption, request, corruption.embeddings(request))


def checked_embeddings(corruption: Corruption, request: CorruptionRequest, found: object) -> Tensor:
    """What a corruption made, where it is a tensor like the plain embeddings, in as many samples as were asked for."""
    name, plain = f"the embeddings of {shown(corruption)}", request.plain
    if not isinstance(found, Tensor):
        raise ValueError(f"{name} are {shown(found)} ({type(found).__name__}): expected a tensor like request.plain")
    wanted = (request.samples, *plain.shape[1:])
    if tuple(found.shape) != wanted:
        raise ValueError(
            f"{name} have the shape {tuple(found.shape)}: expected [sample position d_model] = {wanted}, as "
            "request.plain.repeat(request.samples, 1, 1) has"
        )
    for what, got, own in (("dtype", found.dtype, plain.dtype), ("device", found.device, plain.device)):
        if got != own:
            raise ValueError(f"{name} have the {what} {got}, the model's {own}: convert them by .to(request.plain)")
    if not torch.isfinite(found).all():
        raise ValueError(f"{name} are not all finite numbers: the model's answer to them would mean nothing")
    return found


def _inside(prompt: Prompt, positions: Positioned) -> tuple[int, ...]:
    """The positions counted from the start; refused where the prompt has none."""
    if isinstance(positions, str):
        return prompt.span(positions).positions
    chosen, length = positions_of(positions), len(prompt.ids)
    outside = [position for position in chosen if not -length <= position < length]
    if outside or not chosen:
        raise ValueError(f"positions {outside or chosen}: give one or more of the prompt's {length} (0..{length - 1})")
    return tuple(position % length for position in chosen)
