"""Sets of heads and sites removed in one batch, against one run of `sl.run` for each."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import spiritlens as sl
from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.interchange.parts import Parts, parts_of
from spiritlens.analysis.interchange.set_runs import StandIns, SweptSets
from spiritlens.runs.metrics import METRIC_NAMED
from tests.analysis.tracing_lens import make_prompt, tiny_lens

METRIC = METRIC_NAMED["logit_difference"]
EVERYWHERE = "all but the beginning"
ONE = Draws(1)


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


@pytest.fixture(scope="module")
def prompts(machine):
    return (*machine.prompts[:4], *machine.prompts[12:16])


def swept(machine, prompts, asked, draws=ONE):
    parts = parts_of(machine.lens.backend, asked, prompts)
    components = tuple(dict.fromkeys(part.component for part in parts))
    return SweptSets(StandIns(machine.lens, prompts, asked.removed, components, draws), parts, METRIC)


def test_zeroed_heads_are_those_of_run(machine, prompts) -> None:
    runs = swept(machine, prompts, Parts(removed="zero"))
    sets = [[25], [4, 25, 26], [number for number in range(32) if number not in (4, 25)]]
    for prompt in (prompts[0], prompts[4]):
        found = runs.values(prompt, sets)
        for numbers, value in zip([*sets, range(32)], [*found.values, found.empty], strict=True):
            heads = [divmod(number, 4) for number in numbers]
            slow = sl.run(machine.lens, prompt, *(sl.ablate("z", layer, EVERYWHERE, head) for layer, head in heads))
            assert value == pytest.approx(slow.metric("logit_difference"), abs=1e-10)
        assert found.clean == pytest.approx(sl.run(machine.lens, prompt).metric("logit_difference"), abs=1e-10)


@pytest.fixture(scope="module")
def recorded(machine, prompts):
    """Every activation of each prompt's run, by its id."""
    return {one.id: machine.lens.model.run_with_cache(one.tokens)[1] for one in prompts}


def role_means(recorded, prompts, prompt, component, layer):
    """Means by role over prompts of the same kind about other subjects, at every position but the first."""
    name = f"blocks.{layer}.attn.hook_z" if component == "z" else f"blocks.{layer}.hook_{component}"
    others = [one for one in prompts if one.kind == prompt.kind and one.subject.name != prompt.subject.name]
    caches = [recorded[one.id][name][0] for one in others]

    def mean(role):
        rows = [
            cache[place]
            for one, cache in zip(others, caches, strict=True)
            for place in range(len(one))
            if one.roles[place] == role
        ]
        return torch.stack(rows).mean(0)

    return torch.stack([mean(role) for role in prompt.roles[1:]])


@pytest.mark.parametrize("kind", ["heads", "sites"])
def test_means_are_those_of_the_same_kind_and_role_put_in_by_run(machine, prompts, recorded, kind) -> None:
    runs = swept(machine, prompts, Parts(kind))
    draw = np.random.default_rng(0)
    sets = [draw.permutation(len(runs.parts))[:count].tolist() for count in (1, 3, 12)]
    for prompt in (prompts[1], prompts[6]):
        found = runs.values(prompt, sets)
        for numbers, value in zip(sets, found.values, strict=True):
            placed = []
            for part in (runs.parts[number] for number in numbers):
                where = part.positions(prompt)
                tensor = role_means(recorded, prompts, prompt, part.component, part.layer)[[at - 1 for at in where]]
                if part.head is not None:
                    tensor = tensor[:, part.head]
                if where:
                    placed.append(sl.replace_with(part.component, part.layer, list(where), tensor, part.head))
            slow = sl.run(machine.lens, prompt, *placed).metric("logit_difference")
            assert value == pytest.approx(slow, abs=1e-10)


def test_nothing_removed_is_the_model_and_everything_is_empty(machine, prompts) -> None:
    for asked in (Parts(), Parts("sites", "zero")):
        runs = swept(machine, prompts, asked)
        found = runs.values(prompts[0], [(), range(len(runs.parts))])
        assert found.values[0] == pytest.approx(found.clean, abs=1e-10)
        assert found.values[1] == pytest.approx(found.empty, abs=1e-10)
        assert found.noise_floor < 1e-10
        assert abs(found.clean - found.empty) > 1


def test_resampled_values_are_a_mean_over_samples() -> None:
    """On random weights, where every value tells: on the planted machine any other answer is none."""
    machine, parts, sets = SimpleNamespace(lens=tiny_lens()), Parts(removed="resample"), [[4], [5, 6]]
    prompts = [
        make_prompt((1, 30, 7, 21, one, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5)) for one in (9, 19, 17, 15)
    ]
    one, three, again = (
        swept(machine, tuple(prompts), parts, Draws(samples, seed=3)).values(prompts[0], sets) for samples in (1, 3, 3)
    )
    np.testing.assert_array_equal(three.values, again.values)
    assert np.abs(one.values - three.values).min() > 1e-6


def test_a_prompt_alone_has_no_mean(machine) -> None:
    alone = (machine.prompts[0], machine.prompts[12])
    with pytest.raises(ValueError, match="nothing can stand in for the role 'modality marker'"):
        StandIns(machine.lens, alone, "mean", ("z",), Draws(1)).check()
    StandIns(machine.lens, alone, "zero", ("z",), Draws(1)).check()
