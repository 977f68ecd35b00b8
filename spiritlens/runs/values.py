"""What an intervention puts in at a site: values that know how to be found.

A value has one method, ``values(site, runs)``. It is asked once, before the run, and gives a function from the
activation that the run has at the site to the one that is put there, both

    ``[sample position width]``, or ``[sample position head width]`` where a component has heads and no one is named.

The positions of a pattern are its queries, and its width the keys.

==============  ====================================================================================================
value           what is put in
==============  ====================================================================================================
`FromRun`       the activation of this prompt's clean or corrupted run, of the same noise sample
`FromPrompt`    that of another prompt's clean run
`AblatedTo`      zero, the mean over reference prompts' tokens, or one of these tokens at random in each sample
`FromTensor`    a tensor
`Addition`      the activation and a vector: steering
`FromFunction`  what a function makes of the activation
==============  ====================================================================================================

A value of your own is a class with ``random`` (whether it differs between noise samples) and ``values``:
``Intervention(site, mine)`` takes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from spiritlens.arguments import check_choice, listed, shown
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import generator
from spiritlens.runs.sites import Site, positions_of
from spiritlens.runs.sweep.recorded import RecordedRun, by_position, record

RunName = Literal["clean", "corrupted"]
Knocked = Literal["zero", "mean", "resample"]

Change: TypeAlias = Callable[[Tensor], Tensor]
"""From the activation at a site to the one that is put there."""


@dataclass(frozen=True, eq=False)
class Runs:
    """What a value may ask for: the model, the prompt, its recorded runs, and random numbers of this intervention."""

    model: LensModel
    prompt: Prompt
    clean: RecordedRun
    corrupted: RecordedRun
    samples: int
    seed: int
    label: str

    def drawn(self, below: int, count: int) -> Tensor:
        """Whole numbers ``[sample count]`` from 0 to before ``below``."""
        rows = [
            torch.randint(below, (count,), generator=generator(self.seed, self.prompt.id, sample, self.label))
            for sample in range(self.samples)
        ]
        return torch.stack(rows).to(self.model.device)


@runtime_checkable
class Value(Protocol):
    """What an intervention puts in."""

    @property
    def random(self) -> bool:
        """Whether it differs between noise samples."""

    def values(self, site: Site, runs: Runs) -> Change:
        """The function that makes the activation to be put in of the one that is there."""


@dataclass(frozen=True)
class FromRun:
    """The value that this prompt's clean or corrupted run has at the site (same noise sample)."""

    run: RunName
    random = False

    def __post_init__(self) -> None:
        check_choice("run", self.run, RunName)

    def values(self, site: Site, runs: Runs) -> Change:
        if self.run == "corrupted" and runs.corrupted.embeddings is None:
            raise ValueError(
                f"'{runs.label}' needs a corrupted run; add sl.corrupt(prompt.subject), or freeze to='clean'"
            )
        return constant(at_site((runs.clean if self.run == "clean" else runs.corrupted).values[site.hook], site))


@dataclass(frozen=True)
class FromPrompt:
    """The value of another prompt's clean run, position by position, or of one of its positions for all."""

    donor: Prompt
    positions: tuple[int, ...]
    random = False

    def __post_init__(self) -> None:
        if not isinstance(self.donor, Prompt):
            raise ValueError(f"donor is {shown(self.donor)} ({type(self.donor).__name__}): expected a Prompt")
        object.__setattr__(self, "positions", positions_of(self.positions))

    def values(self, site: Site, runs: Runs) -> Change:
        if len(self.positions) not in (1, len(site.positions)):
            raise ValueError(
                f"'{runs.label}' puts {len(self.positions)} values into {len(site.positions)} position(s); give as "
                "many, each position of the site once, or one for all of them"
            )
        length = len(self.donor)
        outside = [position for position in self.positions if not -length <= position < length]
        if outside:
            raise ValueError(f"the donor has {length} tokens; it has no position {outside[0]} (give donor_at=…)")
        if site.by_query and (length != len(runs.prompt) or self.positions != site.positions):
            raise ValueError(
                f"'{runs.label}' takes rows of a pattern, whose keys are positions: the donor ({length} tokens) must "
                f"be as long as the prompt ({len(runs.prompt)}), and the rows are taken where they are put"
            )
        found = _of_head(_clean_values(runs.model, self.donor, site)[:, list(self.positions)], site.head)
        return (lambda here: _widened(found, here.shape[-1])) if site.by_query else constant(found)


@dataclass(frozen=True)
class AblatedTo:
    """Zero, the mean over the reference prompts' tokens (BOS left out), or one of them at random in each sample."""

    to: Knocked
    reference: tuple[Prompt, ...] = ()

    def __post_init__(self) -> None:
        check_choice("ablation to", self.to, Knocked)
        object.__setattr__(self, "reference", listed("reference", self.reference, of=Prompt, empty=True))

    @property
    def random(self) -> bool:
        return self.to == "resample"

    def values(self, site: Site, runs: Runs) -> Change:
        if self.to == "zero":
            return torch.zeros_like
        if site.by_query:
            raise ValueError(
                f"'{runs.label}': rows of other queries look at keys that this one does not have; a pattern can be set "
                "to zero, swapped with another prompt's, or replaced by a tensor"
            )
        pool = torch.cat(
            [_clean_values(runs.model, one, site)[0, _not_bos(one)] for one in self.reference or (runs.prompt,)]
        )
        count = len(site.positions)
        if self.to == "mean":
            return constant(_of_head(pool.mean(0).expand(1, count, *pool.shape[1:]), site.head))
        in_order = sorted(site.positions)
        drawn = runs.drawn(len(pool), count)[:, [in_order.index(position) for position in site.positions]]
        return constant(_of_head(pool[drawn], site.head))


@dataclass(frozen=True, eq=False)
class FromTensor:
    """A tensor: ``[width]``, or with more of the site's axes before it (`fitted`)."""

    tensor: Tensor
    random = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensor", given_tensor("tensor", self.tensor))

    def values(self, site: Site, runs: Runs) -> Change:
        return constant(fitted("tensor", self.tensor, site, runs))


@dataclass(frozen=True, eq=False)
class Addition:
    """The activation and a vector: ``[width]``, or with more of the site's axes before it (`fitted`)."""

    vector: Tensor
    random = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "vector", given_tensor("vector", self.vector))

    def values(self, site: Site, runs: Runs) -> Change:
        vector = fitted("vector", self.vector, site, runs)
        return lambda here: here + vector


@dataclass(frozen=True)
class FromFunction:
    """What a function makes of the activation; it gives a tensor of the same shape."""

    function: Change
    random = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ValueError(
                f"function={shown(self.function)} ({type(self.function).__name__}): expected a function of the "
                "activation, as in sl.apply('resid_post', 3, prompt.subject, lambda here: 2 * here)"
            )

    def values(self, site: Site, runs: Runs) -> Change:
        def changed(here: Tensor) -> Tensor:
            found = self.function(here)
            wanted = _axes(here.shape, site)
            if not isinstance(found, Tensor) or found.shape != here.shape:
                kind = f"a tensor {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
                raise ValueError(f"'{runs.label}': the function returned {kind}; wanted is a tensor {wanted}")
            if not bool(found.isfinite().all()):
                raise ValueError(f"'{runs.label}': the function returned values that are not finite")
            return found

        return changed


def constant(found: Tensor) -> Change:
    """The same values whatever is there."""
    return lambda here: found


def at_site(activation: Tensor, site: Site) -> Tensor:
    """The values ``[sample position (head) width]`` of an activation at a site's positions (and head)."""
    return _of_head(by_position(site.component, activation)[:, list(site.positions)], site.head)


def given_tensor(name: str, value: Any) -> Tensor:
    """A tensor (or array) of finite real numbers, without its gradient."""
    found = torch.from_numpy(value) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
    if not isinstance(found, Tensor) or not found.is_floating_point():
        kind = f"{type(value).__name__}{f' of {value.dtype}' if hasattr(value, 'dtype') else ''}"
        raise ValueError(f"{name} is {shown(value, 40)} ({kind}): expected a torch tensor of real numbers")
    if not 1 <= found.ndim <= 4:
        raise ValueError(f"{name} has the shape {tuple(found.shape)}; wanted is [width], or [position width]")
    if not bool(found.isfinite().all()):
        raise ValueError(f"{name} holds values that are not finite (nan or infinity)")
    return found.detach()


def fitted(name: str, tensor: Tensor, site: Site, runs: Runs) -> Tensor:
    """A tensor in the model's dtype and on its device, refused where it does not fit the site.

    Its last axis is as long as the activation's. The axes before it, counted from the right, are as long as the site's,
    or 1, or left out: then the values hold for all of them.
    """
    here = at_site(runs.clean.values[site.hook], site)
    wanted = (runs.samples, *here.shape[1:])
    if site.by_query and tensor.shape[-1] == len(runs.prompt):
        tensor = _widened(tensor, wanted[-1])
    own = tuple(tensor.shape)
    fits = len(own) <= len(wanted) and own[-1] == wanted[-1]
    pairs = zip(own[::-1][1:], wanted[::-1][1:], strict=False)
    if not fits or any(length not in (1, full) for length, full in pairs):
        raise ValueError(
            f"'{runs.label}': the {name} has the shape {own}; wanted is {_axes(wanted, site)}, whose axes before the "
            "width may be 1 or, from the left, left out"
        )
    return tensor.to(here)


def _axes(shape: Sequence[int], site: Site) -> str:
    """``[sample=1 position=2 width=24]``."""
    names = ("sample", "position", "width") if len(shape) == 3 else ("sample", "position", "head", "width")
    return f"[{' '.join(f'{name}={length}' for name, length in zip(names, shape, strict=True))}]"


def _widened(values: Tensor, width: int) -> Tensor:
    """Rows of a pattern with zeros for the keys of an answer that follows the prompt."""
    return torch.nn.functional.pad(values, (0, width - values.shape[-1]))


def _of_head(values: Tensor, head: int | None) -> Tensor:
    return values if head is None else values[..., head, :]


def _clean_values(model: LensModel, prompt: Prompt, site: Site) -> Tensor:
    return by_position(site.component, record(model, prompt.tokens, None, [site.hook]).values[site.hook])


def _not_bos(prompt: Prompt) -> list[int]:
    return [position for position, family in enumerate(prompt.families) if family != "bos"]
