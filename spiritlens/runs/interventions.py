"""Interventions: what is done at a site, as data. `spiritlens.runs.placing` turns them into hooks.

==============  ====================================================================================================
verb            at the site, the run gets
==============  ====================================================================================================
`corrupt`       disturbed token embeddings (noise, other tokens, a knock-out): it makes the corrupted run
`restore`       the value of the clean run
`freeze`        the value of the corrupted run (severing holds MLP or attention outputs this way), or of the clean run
`swap`          the value of another prompt's clean run
`ablate`        zero, the mean over reference prompts, or a value resampled from them
`replace_with`  a tensor
`add`           what is there and a vector (steering; its scale is the vector's own)
`apply`         what a function makes of what is there
==============  ====================================================================================================

Interventions are applied in the order of the model's computation; at one site, one after the other as they are given,
so that of several that put values in, the last one wins.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import Tensor

from spiritlens.arguments import listed, shown, told_keywords
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.corruptions.given import CORRUPTIONS, checked_corruption, is_corruption
from spiritlens.runs.corruptions.noise import Law, Noise, NoiseScale
from spiritlens.runs.sites import Positioned, Site, positions_of, site_at
from spiritlens.runs.values import (
    AblatedTo,
    Addition,
    Change,
    FromFunction,
    FromPrompt,
    FromRun,
    FromTensor,
    Knocked,
    RunName,
    Value,
)

VALUES = (FromRun, FromPrompt, AblatedTo, FromTensor, Addition, FromFunction)
"""Values that are no corruption."""


@dataclass(frozen=True)
class Intervention:
    """A value for a site (or a corruption of embeddings), with a label for people."""

    site: Site
    value: Corruption | Value
    label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.site, Site):
            raise ValueError(f"site is {shown(self.site)} ({type(self.site).__name__}): expected a Site")
        if isinstance(self.value, type) or not (isinstance(self.value, Value) or is_corruption(self.value)):
            kinds = ", ".join(kind.__name__ for kind in VALUES)
            raise ValueError(
                f"value is {shown(self.value)} ({type(self.value).__name__}): expected one of {kinds}, or {CORRUPTIONS}"
            )

    def of_prompt(self, prompt: Prompt) -> "Intervention":
        """The same intervention at the positions that its span has in this prompt."""
        if not self.site.span:
            return self
        site = self.site.of_prompt(prompt)
        if isinstance(self.value, FromPrompt):
            _check_number(site, self.value)
        return replace(self, site=site)


@told_keywords
def corrupt(
    at: Positioned, scale: float | NoiseScale | None = None, law: Law = "gaussian", by: Corruption | None = None
) -> Intervention:
    """Disturb the embeddings of a span: by noise (default scale: `spiritlens.runs.corruptions.noise`), or by another
    corruption.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    if by is not None and (scale is not None or law != "gaussian"):
        raise ValueError("scale and law are those of noise; with by=… give them to the corruption itself: by=Noise(…)")
    corruption = Noise(scale, law) if by is None else checked_corruption(by, "by")
    site = site_at("embed", 0, at)
    return Intervention(site, corruption, f"corrupt {_name(site, at)}: {corruption.describe()}")


@told_keywords
def restore(component: str, layer: int, at: Positioned, head: int | None = None) -> Intervention:
    """Put the clean run's value back.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    site = site_at(component, layer, at, head)
    return Intervention(site, FromRun("clean"), _label("restore", site, at))


@told_keywords
def freeze(
    component: str, layer: int, at: Positioned, head: int | None = None, to: RunName = "corrupted"
) -> Intervention:
    """Hold the value that the corrupted (or the clean) run has there.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    site = site_at(component, layer, at, head)
    return Intervention(site, FromRun(to), f"{_label('freeze', site, at)} to its {to} value")


@told_keywords
def swap(
    component: str,
    layer: int,
    at: Positioned,
    donor: Prompt,
    donor_at: Positioned | None = None,
    head: int | None = None,
) -> Intervention:
    """Put in the value of another prompt's clean run, at the same positions or, in order, at `donor_at`; a name means
    the span that each of the two prompts has under it.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    site = site_at(component, layer, at, head)
    taken = at if donor_at is None else donor_at
    value = FromPrompt(donor, donor.span(taken).positions if isinstance(taken, str) else positions_of(taken))
    if not site.span:
        _check_number(site, value)
    return Intervention(site, value, f"{_label('swap', site, at)} from '{donor.subject.name or donor.id}'")


@told_keywords
def ablate(
    component: str,
    layer: int,
    at: Positioned,
    head: int | None = None,
    to: Knocked = "zero",
    reference: Iterable[Prompt] = (),
) -> Intervention:
    """Knock a site out: zero it, or take the mean (or a random one) of the reference prompts' values of that component.

    Without a reference the prompt's own tokens serve.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    site = site_at(component, layer, at, head)
    return Intervention(
        site,
        AblatedTo(to, listed("reference", reference, of=Prompt, empty=True)),
        f"{_label('ablate', site, at)} to {to}",
    )


@told_keywords
def replace_with(component: str, layer: int, at: Positioned, tensor: Tensor, head: int | None = None) -> Intervention:
    """Put a tensor in: ``[width]`` for every position, ``[position width]``, or with sample and head axes.

    With a head named the width is d_head; without one, components with heads take ``[head d_head]``,
    ``[position head d_head]``. It is brought to the model's dtype and device.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    site = site_at(component, layer, at, head)
    return Intervention(site, FromTensor(tensor), f"{_label('replace', site, at)} with a tensor")


@told_keywords
def add(component: str, layer: int, at: Positioned, vector: Tensor, head: int | None = None) -> Intervention:
    """Add a vector to what is there (steering), of the shapes that `replace_with` takes.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    site = site_at(component, layer, at, head)
    return Intervention(site, Addition(vector), _label("add", site, at, "a vector to "))


@told_keywords
def apply(component: str, layer: int, at: Positioned, function: Change, head: int | None = None) -> Intervention:
    """Put in what a function makes of what is there: ``[sample position width]`` (``[sample position head width]``
    where the component has heads and none is named) to a tensor of the same shape, finite.

    Returns the intervention. Raises ValueError for a site or a value that no model has; what does not fit the prompt is
    refused by `sl.run`.
    """
    site = site_at(component, layer, at, head)
    name = getattr(function, "__name__", type(function).__name__)
    return Intervention(site, FromFunction(function), _label("apply", site, at, f"{name} to "))


def _check_number(site: Site, value: FromPrompt) -> None:
    """As many donor positions as the site has, or one for all of them."""
    if len(value.positions) not in (1, len(site.positions)):
        raise ValueError(
            f"swap puts {len(value.positions)} donor positions into {len(site.positions)}; give as many, or one for "
            "all of them"
        )


def _label(verb: str, site: Site, at: Positioned, what: str = "") -> str:
    head = "" if site.head is None else f" head {site.head}"
    return f"{verb} {what}{site.component} {site.layer}{head} at {_name(site, at)}"


def _name(site: Site, at: Positioned) -> str:
    return site.span or str(getattr(at, "name", "") or f"positions {', '.join(map(str, site.positions))}")
