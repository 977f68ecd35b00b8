"""Sentences keep their words; each number of theirs leads somewhere."""

from effects_synthetic import role_effects

from spiritlens.comparison.compare import compare
from spiritlens.report.page.findings import headline, linked


def test_a_sentence_keeps_its_words_and_its_numbers_are_links() -> None:
    sentence = "In resid_pre the effect passes from the subject at layer 5.61 [5.40, 5.80] in T2T, of 24 facts."
    parts = linked([sentence])[0]
    assert "".join(part.text for part in parts) == sentence
    assert [part.text for part in parts if part.goal] == ["5.61 [5.40, 5.80]", "24"]
    assert all(part.goal == {"view": "first", "mark": "crossings", "quantity": "effect"} for part in parts if part.goal)


def test_the_first_sentence_has_the_crossings() -> None:
    averages = {
        "missing": "",
        "heads": [],
        "groups": ["T2T", "S2T"],
        "components": [{"name": "resid_pre"}],
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


def test_numbers_of_a_comparison_lead_to_their_own_places() -> None:
    found = compare(role_effects(n_facts=12, peaks={"T2T": 2.0, "S2T": 4.0}), resamples=50, permutations=200)
    links = [part for parts in linked(found.findings, found) for part in parts if part.goal]
    assert ["".join(part.text for part in parts) for parts in linked(found.findings, found)] == list(found.findings)
    goals = {part.text: part.goal for part in links if part.goal}
    assert goals[repr(found.total[0])]["word"] == "total effect"
    for one in found.components:
        at = {"component": one.component, "view": "difference", "mark": "compared"}
        assert any(part.text == repr(one.r) and at.items() <= (part.goal or {}).items() for part in links)
    assert found.n_different
    largest = abs(found.cells["difference"]).where(found.cells["verdict"] == "different").fillna(0)
    cell = next(part.goal for part in links if part.goal and part.goal.get("mark") == "cell")
    value = float(largest.sel(component=cell["component"], role=cell["word"], layer=int(cell["layer"])))
    assert value == float(largest.max())
    assert all((part.goal or {}).get("view") in ("first", "facts", "difference", "methods") for part in links)
