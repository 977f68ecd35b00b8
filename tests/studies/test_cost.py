"""What a study would cost: every map that it traces, floors and twins at their fewer samples."""

import pytest

import spiritlens as sl

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
    assert found.page > found.values * 20 > 0
    assert sl.studies.study_memory(costs, twins=2).weights == 2 * found.weights
    with pytest.raises(ValueError, match="twins=-1"):
        sl.studies.study_memory(costs, twins=-1)
