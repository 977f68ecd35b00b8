"""Sentences keep their words; each number of theirs leads somewhere."""

from spiritlens.report.page.findings import headline, linked


def test_a_sentence_keeps_its_words_and_its_numbers_are_links() -> None:
    sentence = "In resid_pre the effect passes from the subject at layer 5.61 [5.40, 5.80] in T2T, of 24 facts."
    parts = linked([sentence])[0]
    assert "".join(part.text for part in parts) == sentence
    assert [part.text for part in parts if part.goal] == ["5.61 [5.40, 5.80]", "24"]
    assert all(part.goal == {"view": "first", "mark": "crossings"} for part in parts if part.goal)


def test_the_first_sentence_has_the_crossings() -> None:
    averages = {
        "missing": "",
        "heads": [],
        "groups": ["T2T", "S2T"],
        "components": [{"name": "resid_pre"}],
        "crossings": {"share": [[[3.04]], [[None]]]},
        "total": {"n_facts": [[24.0], [23.0]]},
    }
    told = headline({"averages": {"a": {"missing": "none is known"}, "b": averages}})
    assert "".join(part.text for part in told) == (
        "In resid_pre the effect passes from the subject to the read-out in writing at layer 3.0 (mean over 24 facts)."
    )
    assert headline({"averages": {"a": {"missing": "none is known"}}}) == []
    averages["crossings"] = {"share": [[[None]], [[None]]]}
    assert "nowhere takes over" in headline({"averages": {"b": averages}})[0].text
