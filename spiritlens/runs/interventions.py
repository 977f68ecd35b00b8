"""Interventions: what is done at a site, as data. `spiritlens.runs.run` turns them into hooks.

===========  ==========================================================================================================
verb         at the site, the run gets
===========  ==========================================================================================================
`corrupt`    disturbed token embeddings (noise, other tokens, a knock-out): it makes the corrupted run
`restore`    the value of the clean run
`freeze`     the value of the corrupted run (severing holds MLP or attention outputs this way), or of the clean run
`swap`       the value of another prompt's clean run
`ablate`     zero, the mean over reference prompts, or a value resampled from them
===========  ==========================================================================================================

Interventions are applied in the order of the model's computation; at one site, the last one given wins.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from spiritlens.arguments import check_choice, listed, shown, told_keywords
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import Corruption
from spiritlens.runs.corruptions.given import CORRUPTIONS, checked_corruption, is_corruption
from spiritlens.runs.corruptions.noise import Law, Noise, NoiseScale
from spiritlens.runs.sites import At, Site, positions_of, site_at

RunName = Literal["clean", "corrupted"]
Knocked = Literal["zero", "mean", "resample"]


@dataclass(frozen=True)
class FromRun:
    """The value that this prompt's clean or corrupted run has at the site (same noise sample)."""

    run: RunName

    def __post_init__(self) -> None:
        check_choice("run", self.run, RunName)


@dataclass(frozen=True)
class FromPrompt:
    """The value of another prompt's clean run, position by position."""

    donor: Prompt
    positions: tuple[int, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.donor, Prompt):
            raise ValueError(f"donor is {shown(self.donor)} ({type(self.donor).__name__}): expected a Prompt")
        object.__setattr__(self, "positions", positions_of(self.positions))


@dataclass(frozen=True)
class Ablation:
    """Zero, the mean over the reference prompts' tokens (BOS left out), or one of them at random in each sample."""

    to: Knocked
    reference: tuple[Prompt, ...] = ()

    def __post_init__(self) -> None:
        check_choice("ablation to", self.to, Knocked)
        object.__setattr__(self, "reference", listed("reference", self.reference, of=Prompt, empty=True))


Value: TypeAlias = Corruption | FromRun | FromPrompt | Ablation
VALUES = (FromRun, FromPrompt, Ablation)
"""Values that are no corruption."""


@dataclass(frozen=True)
class Intervention:
    """A value for a site, with a label for people."""

    site: Site
    value: Value
    label: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.site, Site):
            raise ValueError(f"site is {shown(self.site)} ({type(self.site).__name__}): expected a Site")
        if not isinstance(self.value, VALUES) and not is_corruption(self.value):
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

    def check_vocabulary(self, prompt: Prompt) -> None:
        """Refuse prompts of another vocabulary among the donors: their ids are other words here."""
        value = self.value
        others = (value.donor,) if isinstance(value, FromPrompt) else getattr(value, "reference", ())
        for other in others:
            if prompt.vocabulary and other.vocabulary and prompt.vocabulary != other.vocabulary:
                raise ValueError(
                    f"'{self.label}' takes values of prompt {other.id}, built with the vocabulary {other.vocabulary}; "
                    f"the prompt {prompt.id} has {prompt.vocabulary}: build both with one lens"
                )


@told_keywords
def corrupt(
    at: At, scale: float | NoiseScale | None = None, law: Law = "gaussian", by: Corruption | None = None
) -> Intervention:
    """Disturb the embeddings of a span: by noise (default scale: `spiritlens.runs.corruptions.noise`), or by another
    corruption.

    Returns an `Intervention` for `run`. Raises ValueError where `by` stands beside a scale or law.
    """
    if by is not None and (scale is not None or law != "gaussian"):
        raise ValueError("scale and law are those of noise; with by=… give them to the corruption itself: by=Noise(…)")
    corruption = Noise(scale, law) if by is None else checked_corruption(by, "by")
    site = site_at("embed", 0, at)
    return Intervention(site, corruption, f"corrupt {_name(site, at)}: {corruption.describe()}")


@told_keywords
def restore(component: str, layer: int, at: At, head: int | None = None) -> Intervention:
    """Put the clean run's value back."""
    site = site_at(component, layer, at, head)
    return Intervention(site, FromRun("clean"), _label("restore", site, at))


@told_keywords
def freeze(component: str, layer: int, at: At, head: int | None = None, to: RunName = "corrupted") -> Intervention:
    """Hold the value that the corrupted (or the clean) run has there."""
    site = site_at(component, layer, at, head)
    return Intervention(site, FromRun(to), f"{_label('freeze', site, at)} to its {to} value")


@told_keywords
def swap(
    component: str, layer: int, at: At, donor: Prompt, donor_at: At | None = None, head: int | None = None
) -> Intervention:
    """Put in the value of another prompt's clean run, at the same positions or, in order, at `donor_at`; a name means
    the span that each of the two prompts has under it."""
    site = site_at(component, layer, at, head)
    taken = at if donor_at is None else donor_at
    value = FromPrompt(donor, donor.span(taken).positions if isinstance(taken, str) else positions_of(taken))
    if not site.span:
        _check_number(site, value)
    return Intervention(site, value, f"{_label('swap', site, at)} from '{donor.subject.name}'")


@told_keywords
def ablate(
    component: str,
    layer: int,
    at: At,
    head: int | None = None,
    to: Knocked = "zero",
    reference: Iterable[Prompt] = (),
) -> Intervention:
    """Knock a site out: zero it, or take the mean (or a random one) of the reference prompts' values of that component.

    Without a reference the prompt's own tokens serve. Returns an `Intervention` for `run`. Raises ValueError for an
    unknown component, layer below 0 or kind of knock-out.
    """
    site = site_at(component, layer, at, head)
    return Intervention(
        site,
        Ablation(to, listed("reference", reference, of=Prompt, empty=True)),
        f"{_label('ablate', site, at)} to {to}",
    )


def _check_number(site: Site, value: FromPrompt) -> None:
    """As many donor positions as the site has, or one for all of them."""
    if len(value.positions) not in (1, len(site.positions)):
        raise ValueError(
            f"swap puts {len(value.positions)} donor positions into {len(site.positions)}; give as many, or one for "
            "all of them"
        )


def _label(verb: str, site: Site, at: At) -> str:
    head = "" if site.head is None else f" head {site.head}"
    return f"{verb} {site.component} {site.layer}{head} at {_name(site, at)}"


def _name(site: Site, at: At) -> str:
    return site.span or str(getattr(at, "name", "") or f"positions {', '.join(map(str, site.positions))}")
