"""What a study would cost: every map that it traces, floors and twins at their fewer samples."""

import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import xarray as xr
from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.report.page.averages import packed_averages
from spiritlens.report.page.maps import packed_maps
from spiritlens.report.page.packing import Packing
from spiritlens.studies.cost import averaging_bytes

PLAIN_STUDY = {"n_token_maps": 0, "ending": "as spoken", "floors": ()}


@pytest.fixture(scope="module")
def lens() -> "sl.Lens":
    return sl.load()


@pytest.fixture(scope="module")
def facts() -> tuple["sl.Fact", ...]:
    return tuple(fact for fact in sl.load_facts() if fact.group == "both")[:2]


def test_the_cost_holds_every_map(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    settings = sl.studies.StudySettings(n_facts=2, n_token_maps=1, floors=("control", "unknown"), twins=2)
    costs = sl.studies.study_cost(lens, settings, facts)
    assert {name: cost.prompts for name, cost in costs.items()} == {
        "by role": 4, "plain writing": 2, "by token": 2, "control": 4, "unknown": 4, "twin 0": 4, "twin 1": 4,
    }  # fmt: skip
    assert costs["by token"].cells > costs["by role"].cells / 2
    assert costs["twin 0"].cells == costs["by role"].cells
    assert costs["twin 0"].flops < 0.5 * costs["by role"].flops, "three samples, not ten"
    assert costs["plain writing"].cells < costs["by role"].cells / 2, "a row less, and writing only"
    bare = sl.studies.StudySettings(n_facts=2, **PLAIN_STUDY)
    assert sl.studies.study_cost(lens, bare, facts) == {"by role": costs["by role"]}


def test_plain_prompts_cost_no_second_map(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    settings = sl.studies.StudySettings(n_facts=1, n_token_maps=0, ending="plain")
    assert list(sl.studies.study_cost(lens, settings, facts)) == ["by role", "control"]


def test_the_cost_holds_the_seed_protocol_where_it_is_asked_for(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    costs = sl.studies.study_cost(lens, sl.studies.StudySettings(n_facts=1, **PLAIN_STUDY), facts[:1], protocol="seed")
    assert {name: cost.prompts for name, cost in costs.items()} == {"by role": 2, "seed protocol": 2}
    with pytest.raises(ValueError, match="protocol='theirs'"):
        sl.studies.study_cost(lens, protocol="theirs")


def test_the_memory_of_a_study_is_its_largest_trace_and_its_page(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    costs = sl.studies.study_cost(lens, sl.studies.StudySettings(n_facts=1, **PLAIN_STUDY), facts[:1], protocol="seed")
    found, held = sl.studies.study_memory(costs), [cost.memory for cost in costs.values()]
    assert found.recorded + found.rows == max(memory.recorded + memory.rows for memory in held)
    assert found.results == sum(memory.results for memory in held)
    assert sl.studies.study_memory(costs, twins=2).weights == 2 * found.weights
    with pytest.raises(ValueError, match="twins=-1"):
        sl.studies.study_memory(costs, twins=-1)


def test_sounds_are_told_of_all_that_are_asked_and_again_for_the_page(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...]
) -> None:
    costs = sl.studies.study_cost(lens, sl.studies.StudySettings(n_facts=2, **PLAIN_STUDY), facts)
    found = sl.studies.study_memory(costs)
    assert found.sounds == sum(
        lens.speak(fact.text("held out"), subject=fact.subject).waveform.samples.nbytes for fact in facts
    )
    more = sl.studies.study_memory(costs, asked=20)
    assert (more.sounds, more.page) == (10 * found.sounds, found.page)
    assert more.on_host - found.on_host == 9 * found.sounds
    assert found.page > found.sounds > 0
    silent = {name: replace(cost, memory=replace(cost.memory, sounds=0)) for name, cost in costs.items()}
    bare = sl.studies.study_memory(silent)
    assert bare.sounds == 0
    assert found.page - bare.page >= found.sounds
    with pytest.raises(ValueError, match="asked=-1"):
        sl.studies.study_memory(costs, asked=-1)


@pytest.mark.parametrize("samples", [1, 10])
def test_making_averages_and_maps_takes_what_is_told(samples: int) -> None:
    """Allocations are counted by tracemalloc: what 32 more facts take beside what 32 take."""

    def took(effects: xr.Dataset) -> int:
        def work() -> None:
            packed_averages(effects, "all", Packing())
            packed_maps(effects, range(effects.sizes["prompt"]), Packing())

        work()  # what is kept for good is there
        tracemalloc.start()
        work()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    def told(effects: xr.Dataset) -> int:
        values = effects["restored"].size // samples
        return averaging_bytes(effects["restored"].nbytes + effects["status"].size, values)

    few, many = (role_effects(facts, samples=samples) for facts in (32, 64))
    assert took(many) - took(few) == pytest.approx(told(many) - told(few), rel=0.15)


def test_a_study_on_a_gpu_is_told_with_what_the_card_and_the_host_hold(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a dry run prints it, of shapes and of what a GPU would say: there need be none."""
    monkeypatch.setattr(type(lens.backend), "device", property(lambda self: torch.device("cuda", 0)))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80 << 30))
    for name, told in {"mem_get_info": (30 << 30, 80 << 30), "memory_reserved": 0, "memory_allocated": 0}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, told=told: told)
    settings = sl.studies.StudySettings(n_facts=1, n_token_maps=1, samples=2, floors=(), ending="as spoken")
    costs = sl.studies.study_cost(lens, settings, facts)
    found = sl.studies.study_memory(costs)
    assert {cost.memory.device for cost in costs.values()} == {"cuda:0"}
    assert found.on_device == found.weights + found.recorded + found.rows > 0
    assert found.on_host == found.process + found.results + found.sounds + found.page
    first, batch, fits = repr(found).splitlines()
    for words in (" GiB on cuda:0 and ", "weights", "recorded runs", "rows", "results", "sounds", "page"):
        assert words in first
    assert batch == f"batch: {found.whole} of {found.whole} rows go together, by a memory_budget of 10 GiB"
    assert fits == f"largest batch that fits in the 30 GiB that are free now: {found.whole} rows"
