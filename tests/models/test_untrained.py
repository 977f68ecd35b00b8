"""The untrained twin: the model's shape and the size of its weights, and nothing that it learnt."""

import numpy as np
import pytest

import spiritlens as sl
from spiritlens.models.lens import Lens
from spiritlens.models.untrained import untrained_twin
from spiritlens.runs.answers import known_prompts


@pytest.fixture(scope="module")
def lens() -> Lens:
    return sl.planted("fact machine").lens


def test_every_weight_is_drawn_anew_with_its_own_mean_and_spread() -> None:
    lens = sl.load()
    twin = untrained_twin(lens)
    trained, drawn = (
        {name: value.detach().double().numpy() for name, value in one.model.named_parameters()} for one in (lens, twin)
    )
    assert {name: one.shape for name, one in trained.items()} == {name: one.shape for name, one in drawn.items()}
    for name, value in trained.items():
        if value.size < 10_000:
            continue
        assert drawn[name].std() == pytest.approx(value.std(), rel=0.05), name
        assert drawn[name].mean() == pytest.approx(value.mean(), abs=0.05 * float(value.std())), name
        together = np.corrcoef(drawn[name].ravel(), value.ravel())[0, 1]
        assert abs(together) < 5 / value.size**0.5, name


def test_a_twin_has_its_seed_and_leaves_the_model_as_it_was(lens: Lens) -> None:
    before = lens.id
    first, again, other = (untrained_twin(lens, seed) for seed in (0, 0, 1))
    assert first.id == again.id
    assert len({before, first.id, other.id}) == 3
    assert lens.id == before
    assert first.name == "planted: fact machine, untrained twin 0"
    assert first.model.tokenizer is lens.vocabulary.tokenizer


def test_a_twin_knows_nothing() -> None:
    machine = sl.planted("fact machine")
    assert all(known_prompts(machine.lens, machine.prompts))
    knows = [sum(known_prompts(untrained_twin(machine.lens, seed), machine.prompts)) for seed in range(3)]
    assert max(knows) <= len(machine.prompts) / 3, knows
