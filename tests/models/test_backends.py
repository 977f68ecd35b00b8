"""A lens gets at its model by the row of its library, and by nothing else."""

from dataclasses import replace

import pytest
import torch
from transformer_lens import HookedTransformer

import spiritlens as sl
from spiritlens.models import backends
from spiritlens.models.hooked_transformer.hooked import HookedLensModel


class Renamed(HookedTransformer):
    """A model of another class, for which another row stands."""


@pytest.fixture
def lens() -> sl.Lens:
    return sl.planted().lens


def test_the_row_of_a_model_opens_it(lens: sl.Lens) -> None:
    row = backends.backend_of(lens.model)
    assert row.model is HookedTransformer
    assert isinstance(lens.backend, HookedLensModel)
    assert lens.id == row.fingerprint(lens.model)


def test_another_row_is_asked_for_its_own_models(lens: sl.Lens, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second backend is a class and a row: the lens opens, names and continues its models through it."""
    asked = []

    def opened(model: HookedTransformer) -> HookedLensModel:
        asked.append(model)
        return HookedLensModel(model)

    own = replace(
        backends.BACKENDS[0],
        model=Renamed,
        opened=opened,
        fingerprint=lambda model: "mine",
        user_hooks=lambda model: (),
    )
    monkeypatch.setattr(backends, "BACKENDS", (own, *backends.BACKENDS))
    lens.model.__class__ = Renamed
    try:
        mine = sl.Lens(lens.model, lens.vocabulary)
        assert mine.id == "mine"
        assert asked == [lens.model]
        prompt = sl.planted().prompts[0]
        assert torch.equal(sl.run(mine, prompt).logits, sl.run(lens, prompt).logits)
    finally:
        lens.model.__class__ = HookedTransformer


def test_other_models_are_refused_by_their_kind(lens: sl.Lens) -> None:
    with pytest.raises(ValueError, match=r"Linear\): expected a HookedTransformer"):
        backends.backend_of(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="expected a HookedTransformer"):
        sl.Lens.of(torch.nn.Linear(2, 2), lens.vocabulary.tokenizer)  # type: ignore[arg-type]
