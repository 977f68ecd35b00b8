"""Does the converted model compute what Hugging Face's does? Layer by layer, on the checkpoint itself.

The reference is loaded afresh from the lens's folder by Hugging Face's own code, and both models read the same
tokens. Compared, in the order of computation: the embedding, then of each block attn_out, mlp_out and resid_post, and
the logits. The first that differs by more than its bound is where to look.

Bounds: float64 (both held truly in float64) 1e-10; float32 1e-5 × max(1, max|x|), both as largest differences; in
bfloat16 and float16, where both models round differently, 5 % of the root mean square, as a root-mean-square
difference (a wrong transpose, a missing gain or a shifted position gives about 100 %).
"""

import html
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from spiritlens.arguments import shown, told_keywords
from spiritlens.environment import plain_torch
from spiritlens.files.weights import CheckpointError
from spiritlens.models.checkpoints.reference import load_reference, reference_activations
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.text_tables import html_table, text_table

EXACT, SINGLE, LOW = 1e-10, 1e-5, 0.05
"""Bounds in float64, float32, and for lower precision; see the module's docstring."""
N_TOKENS = 48


@dataclass(frozen=True)
class CheckedActivation:
    """An activation that was checked: its difference and the bound of that, in the same measure."""

    name: str
    difference: float
    bound: float

    @property
    def agrees(self) -> bool:
        return self.difference <= self.bound  # False for NaN


@dataclass(frozen=True)
class SelfCheck:
    """All comparisons of one model, in the order of computation; prints as a table."""

    model: str
    dtype: str
    comparisons: tuple[CheckedActivation, ...]

    @property
    def agrees(self) -> bool:
        """Whether every activation agrees."""
        return self.first_difference is None

    @property
    def first_difference(self) -> CheckedActivation | None:
        """The first activation that differs by more than its bound; None where none does."""
        return next((comparison for comparison in self.comparisons if not comparison.agrees), None)

    def summary(self) -> str:
        """The verdict in one sentence."""
        first = self.first_difference
        if first is None:
            worst = max(self.comparisons, key=lambda comparison: comparison.difference / comparison.bound)
            return (
                f"{self.model} ({self.dtype}) equals Hugging Face's model in all {len(self.comparisons)} activations; "
                f"nearest to its bound is {worst.name}: {worst.difference:.2g} of {worst.bound:.2g} allowed."
            )
        return (
            f"{self.model} ({self.dtype}) DIFFERS from Hugging Face's model, first in {first.name}: "
            f"{first.difference:.2g}, allowed {first.bound:.2g}."
        )

    def __str__(self) -> str:
        return f"{self.summary()}\n{text_table(self._rows(), right=(1, 2))}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.summary())}</p>{html_table(self._rows())}"

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("activation", "difference", "allowed", "")]
        for one in self.comparisons:
            rows.append((one.name, f"{one.difference:.2e}", f"{one.bound:.2e}", "" if one.agrees else "differs"))
        return rows


@told_keywords
@plain_torch
def selfcheck(lens: Lens, tokens: Int[Tensor, "batch pos"] | None = None) -> SelfCheck:
    """Compare a lens with Hugging Face's model of the same folder, in the lens's dtype, on its device.

    Both models must fit into memory together. ``tokens`` default to 48 tokens spread over the trained vocabulary. Hooks
    on the model are in effect: a check with a hook on shows what it changes. Returns the differences by layer, and
    whether all are within their bounds. Raises CheckpointError where the lens has no folder to load the reference from,
    ValueError for tokens beyond the vocabulary.
    """
    given_lens(lens)
    if lens.folder is None:
        raise CheckpointError(
            f"{lens!r} was not loaded from a folder, so that there is no reference to compare it with; save "
            "the model (model.save_pretrained) and its tokenizer's files into one folder and load that."
        )
    tokens = _spread_tokens(lens) if tokens is None else _given_tokens(lens, tokens)
    reference = load_reference(lens.folder, lens.dtype, lens.device)
    expected = reference_activations(reference, tokens)
    found = lens.backend.cache(tokens, [name for name in expected if name != "logits"])
    found["logits"] = lens.backend.forward(tokens)
    comparisons = tuple(_compare(name, found[name], value) for name, value in expected.items())
    return SelfCheck(lens.name or lens.folder.name, str(lens.dtype).removeprefix("torch."), comparisons)


def _spread_tokens(lens: Lens) -> Tensor:
    """A sequence that begins as prompts do and touches text, markers and units evenly."""
    trained = torch.from_numpy(lens.vocabulary.trained_ids)
    bos = [] if lens.vocabulary.bos_id is None else [lens.vocabulary.bos_id]
    count = min(N_TOKENS, lens.backend.n_ctx) - len(bos)
    places = torch.linspace(0, len(trained) - 1, count, dtype=torch.float32).long()
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(0))
    return torch.tensor([[*bos, *trained[places][order].tolist()]])


def _given_tokens(lens: Lens, tokens: Any) -> Tensor:
    """Ids of the lens's own rows ``[batch pos]``, within its context."""
    rows, context = lens.vocabulary.size, lens.backend.n_ctx
    whole = isinstance(tokens, Tensor) and not tokens.is_floating_point() and tokens.dtype != torch.bool
    if not whole or tokens.ndim != 2 or not 0 < tokens.shape[1] <= context or not tokens.numel():
        found = f"{tokens.dtype} {tuple(tokens.shape)}" if isinstance(tokens, Tensor) else shown(tokens)
        raise ValueError(f"tokens are {found}: expected ids [batch pos], at most {context} a row; use Prompt.tokens")
    if not 0 <= int(tokens.min()) <= int(tokens.max()) < rows:
        raise ValueError(f"tokens reach from {int(tokens.min())} to {int(tokens.max())}: ids go from 0 to {rows - 1}")
    ids: Tensor = tokens.long()
    return ids


def _compare(name: str, found: Tensor, expected: Tensor) -> CheckedActivation:
    difference = found.double() - expected.double()
    if expected.dtype in (torch.float64, torch.float32):
        largest = float(expected.abs().max())
        bound = EXACT if expected.dtype == torch.float64 else SINGLE * max(1.0, largest)
        return CheckedActivation(name, float(difference.abs().max()), bound)
    return CheckedActivation(
        name, float(difference.square().mean().sqrt()), LOW * float(expected.double().square().mean().sqrt())
    )
