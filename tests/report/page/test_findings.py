"""Sentences keep their words; each number of theirs leads somewhere."""

from dataclasses import replace

from effects_synthetic import role_effects

from spiritlens.comparison.compare import compare
from spiritlens.comparison.references import References
from spiritlens.comparison.result import Comparison
from spiritlens.report.page.findings import Shown, headline, linked
from tests.made_interchange import made_interchange


def test_a_sentence_of_others_keeps_its_words_and_leads_to_what_they_name() -> None:
    sentence = "Doses are matched: over 24 prompts it takes away the same share, 0.70 and 0.71."
    parts = linked([sentence])[0]
    assert "".join(part.text for part in parts) == sentence
    assert [part.text for part in parts if part.goal] == ["24", "0.70", "0.71"]
    assert {(part.goal or {}).get("mark") for part in parts if part.goal} == {"totals"}
    assert [part.goal for part in linked(["Seed 3."])[0] if part.goal] == [{"view": "methods"}]
    assert [part.goal for part in linked([sentence], shown=Shown(["first"]))[0] if part.goal] == [
        {"view": "methods"}
    ] * 3


def test_the_first_sentence_has_the_crossings() -> None:
    averages = {
        "missing": "",
        "heads": [],
        "groups": ["T2T", "S2T"],
        "components": [{"name": "resid_pre"}],
        "metrics": [{"name": "probability"}],
        "crossings": {"effect": [[[[3.04, 2.9, 3.3]]], [[None]]]},
        "total": {"n_facts": [[24.0], [23.0]]},
    }
    told = headline({"averages": {"a": {"missing": "none is known"}, "b": averages}})
    assert "".join(part.text for part in told) == (
        "In resid_pre the effect passes from the subject to the read-out in writing at layer 3.0 [2.9, 3.3] "
        "(mean over 24 facts)."
    )
    facts = {"name": {"shape": [2]}}
    alone = headline({"averages": {"a": {"missing": "none is known"}}, "facts": facts})
    assert alone[0].text == "2 facts can be opened below; averages are left out: none is known."
    averages["crossings"] = {"effect": [[[None]], [[None]]]}
    assert "nowhere takes over" in headline({"averages": {"b": averages}})[0].text


def goals_of(found: Comparison, sentence: str) -> list[tuple[str, dict[str, str]]]:
    (parts,) = (parts for parts in linked(found.findings, found) if sentence in "".join(p.text for p in parts))
    return [(part.text, dict(part.goal)) for part in parts if part.goal]


def test_numbers_of_a_comparison_lead_to_their_own_places() -> None:
    found = compare(role_effects(n_facts=12, peaks={"T2T": 2.0, "S2T": 4.0}), resamples=50, permutations=200)
    assert ["".join(part.text for part in parts) for parts in linked(found.findings, found)] == list(found.findings)
    totals = {text: goal["kind"] for text, goal in goals_of(found, "known both in writing")}
    assert (totals["12"], totals[repr(found.total[0])], totals[repr(found.total[1])]) == ("", "T2T", "S2T")
    assert totals["95 %"] == "difference"
    maps = goals_of(found, "By role and layer")
    for one in found.components:
        own = [goal for text, goal in maps if text == repr(one.r)]
        assert one.component in [goal["component"] for goal in own]
        assert all((goal["view"], goal["mark"]) == ("difference", "compared") for goal in own)
    assert found.n_different
    largest = abs(found.cells["difference"]).where(found.cells["verdict"] == "different").fillna(0)
    cells = goals_of(found, "cells differ by")
    assert {goal["mark"] for _, goal in cells} == {"different", "cell"}
    cell = next(goal for _, goal in cells if goal["mark"] == "cell")
    value = float(largest.sel(component=cell["component"], role=cell["word"], layer=int(cell["layer"])))
    assert value == float(largest.max())
    layers = goals_of(found, "passes from the subject")
    own = {text: goal for text, goal in layers if goal["mark"] == "crossings"}
    for taken, kind in zip(found["resid_pre"].taken_over, ("T2T", "S2T"), strict=True):
        assert own[repr(taken.layer)]["kind"] == kind
    assert {goal["mark"] for _, goal in layers} == {"crossings", "curves", "peaks"}
    assert {goal["mark"] for _, goal in goals_of(found, "peculiar to a fact")} == {"paired"}


def test_equal_numbers_lead_to_their_own_components() -> None:
    found = compare(role_effects(n_facts=12), resamples=50, permutations=100)
    assert len({repr(one.r) for one in found.components}) == 1
    maps = goals_of(found, "By role and layer")
    assert [goal["component"] for text, goal in maps if text == repr(found.components[0].r)] == ["resid_pre", "mlp_out"]


def test_what_no_view_draws_is_in_the_tables() -> None:
    references = References(interchange=made_interchange(noise=0.2))
    found = compare(role_effects(n_facts=12), resamples=20, permutations=20, references=references)
    shown = Shown(["first", "facts", "difference", "served"], tables="served")
    goals = [part.goal for parts in linked(found.findings, found, shown) for part in parts if part.goal]
    served = [goal["mark"] for goal in goals if goal["view"] == "served"]
    assert served[:5] == ["served|S2T|parts", "served|S2T|parts", "served|S2T|kept", *served[3:5]]
    assert {mark.partition("|")[2] for mark in served} == {
        f"{kind}|{what}" for kind in ("T2T", "S2T") for what in ("parts", "kept", "beyond random", "below own")
    }
    shown = Shown(["first", "facts", "difference", "own"], drawn=(), tables="own")  # views of other effects
    every = [part.goal for parts in linked(found.findings, found, shown) for part in parts if part.goal]
    assert {goal["view"] for goal in every} == {"own"}
    marks = {goal["mark"].partition("|")[0] for goal in every}
    assert marks == {"total effects", "facts", "map", "cells", "crossing", "served"}
    other = replace(found, closed="too few subjects (3), at least 6 are needed")
    assert {goal["mark"] for _, goal in goals_of(other, "Nothing more is told")} == {"totals"}


def test_a_second_metric_has_its_own_places() -> None:
    effects = role_effects(n_facts=8).assign_coords(metric=["probability", "logit_difference"])
    found = compare(effects, resamples=20, permutations=50)
    own = goals_of(found, "the same is")
    assert {goal["metric"] for _, goal in own} == {"logit_difference"}
    assert {goal["mark"] for _, goal in own} == {"totals", "curves", "compared"}
