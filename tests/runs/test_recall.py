"""Kinds of recall: the rule by hand, made-up names, and what the embedded model does with a few facts."""

import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from spiritlens.effects.averages import average
from spiritlens.effects.joining import join_effects
from spiritlens.effects.store import load, save
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.left_out import LeftOut
from spiritlens.runs.recall import KINDS, FactRecall, Measured, RecallKinds, RecallRule, recall_kinds, stand_ins
from tests.effects.effects_synthetic import role_effects

SURE = Measured(True, 0.9, 1.0, 0.25, without_subject=False, overlap=False)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, "exact"),
        ({"right": False}, "unknown"),
        ({"probability": 0.09}, "guess"),
        ({"consistency": 0.75}, "guess"),
        ({"consistency": math.nan}, "exact"),
        ({"without_subject": True}, "heuristic"),
        ({"overlap": True}, "heuristic"),
        ({"name_share": 0.5}, "heuristic"),
        ({"name_share": math.nan}, "exact"),
        ({"probability": 0.05, "without_subject": True}, "guess"),
        ({"right": False, "without_subject": True}, "unknown"),
    ],
)
def test_the_rule_by_hand(change: dict[str, float], kind: str) -> None:
    assert replace(SURE, **change).kind(RecallRule()) == kind


def test_thresholds_are_those_of_the_rule() -> None:
    doubtful = replace(SURE, probability=0.05, consistency=0.75, name_share=0.6)
    assert doubtful.kind(RecallRule(probability=0.01, consistency=0.7, name_share=0.7)) == "exact"
    assert doubtful.kind(RecallRule(probability=0.01, consistency=0.7)) == "heuristic"


def fact(subject: str, answer: str, relation: str = "born") -> Fact:
    return Fact(subject, relation, subject, answer, "", {"first": "{subject} was born in"})


PEOPLE = [
    fact("Astrid Lindgren", "Sweden"),
    fact("Marie Curie", "Poland"),
    fact("Jean Paul Sartre", "France"),
    fact("Anders Celsius", "Sweden"),
    fact("Plato", "Greece"),
    fact("New York", "America", relation="city"),
]


def test_made_up_names_keep_one_part_of_the_name() -> None:
    first, last = stand_ins(PEOPLE[0], PEOPLE, RecallRule())
    assert set(first) == {"Astrid Curie", "Astrid Paul Sartre"}
    assert set(last) == {"Marie Lindgren", "Jean Paul Lindgren"}
    assert stand_ins(PEOPLE[4], PEOPLE, RecallRule()) == ()
    assert stand_ins(PEOPLE[5], PEOPLE, RecallRule()) == ()
    assert [len(names) for names in stand_ins(PEOPLE[0], PEOPLE, RecallRule(stand_ins=1))] == [1, 1]
    assert stand_ins(PEOPLE[0], PEOPLE[::-1], RecallRule()) == (first, last)


def test_a_made_up_name_is_nobodys() -> None:
    known = [*PEOPLE, fact("Astrid Curie", "Norway")]
    assert "Astrid Curie" not in stand_ins(PEOPLE[0], known, RecallRule())[0]


@pytest.fixture(scope="module")
def embedded() -> tuple[Lens, list[Fact]]:
    from spiritlens.models.loading import load as load_lens
    from spiritlens.prompts.facts.loading import load_facts

    wanted = ("author/moby-dick", "author/treasure-island", "capital/france", "animal/cuba")
    return load_lens(), [one for one in load_facts() if one.id in wanted]


@pytest.fixture(scope="module")
def found(embedded: tuple[Lens, list[Fact]]) -> RecallKinds:
    lens, facts = embedded
    bare = replace(
        next(one for one in facts if one.id == "capital/france"),
        id="bare",
        templates={"first": "{subject} and the capital of France is"},
        subject="It",
    )
    return recall_kinds(lens, [*facts, bare], progress="none")


def test_the_embedded_model_recalls_in_several_ways(found: RecallKinds) -> None:
    """Its capital of France is recalled; Melville comes for any title that ends in Dick; a wrong answer is unknown;
    what is asked of no subject is a heuristic's, or at most a guess."""
    assert found.kinds["capital/france"] == "exact"
    assert found.kinds["author/moby-dick"] == "heuristic"
    assert found.kinds["animal/cuba"] == "unknown"
    assert found.kinds["bare"] != "exact"
    moby = next(row.measured for row in found.rows if row.fact.id == "author/moby-dick")
    assert moby.name_share == 1
    assert not moby.without_subject
    assert [one.id for one in found.of_kind("unknown")] == ["animal/cuba"]
    assert [line.split() for line in str(found).splitlines()] == [
        ["kind", "facts"],
        *([kind, str(list(found.kinds.values()).count(kind))] for kind in KINDS),
    ]


def tagged_effects() -> tuple[xr.Dataset, xr.Dataset]:
    effects = role_effects()
    facts = [fact(name, "x") for name in dict.fromkeys(effects["fact_id"].values.tolist())]
    measured = [replace(SURE, without_subject=place % 2 == 1) for place in range(len(facts))]
    rows = [FactRecall(one, each, each.kind(RecallRule())) for one, each in zip(facts, measured, strict=True)]
    return effects, RecallKinds(tuple(rows), RecallRule(), LeftOut()).tagged(effects)


def test_each_kind_has_its_own_map(tmp_path: str) -> None:
    effects, tagged = tagged_effects()
    means = average(tagged, by=("modality", "recall"), facts="all")
    groups = sorted(zip(means["modality"].values.tolist(), means["recall"].values.tolist(), strict=True))
    assert groups == [("S2T", "exact"), ("S2T", "heuristic"), ("T2T", "exact"), ("T2T", "heuristic")]
    exact = effects.isel(prompt=tagged["recall"].values == "exact")
    alone = average(exact, by=("modality",), facts="all")
    place = list(zip(means["modality"].values.tolist(), means["recall"].values.tolist(), strict=True))
    for group, kind in enumerate(alone["modality"].values.tolist()):
        mine = means["mean"].isel(group=place.index((kind, "exact"))).values
        assert np.allclose(mine, alone["mean"].isel(group=group).values, equal_nan=True)
    again = load(save(tagged, f"{tmp_path}/tagged.nc"))
    assert again["recall"].values.tolist() == tagged["recall"].values.tolist()
    halves = [tagged.isel(prompt=slice(0, 4)), tagged.isel(prompt=slice(4, None))]
    assert join_effects(halves)["recall"].values.tolist() == tagged["recall"].values.tolist()


def test_what_is_not_tagged_is_said() -> None:
    effects, tagged = tagged_effects()
    with pytest.raises(ValueError, match=r"by='recall': this result is not tagged; sl.prompts.recall_kinds"):
        average(effects, by=("recall",))
    with pytest.raises(ValueError, match="none of the 16 prompts is of one of these 0 facts"):
        RecallKinds((), RecallRule(), LeftOut()).tagged(tagged)
