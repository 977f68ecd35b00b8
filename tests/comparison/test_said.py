"""What sentences speak of is joined with their words, each stretch where it begins."""

from effects_synthetic import role_effects

from spiritlens.comparison.compare import compare
from spiritlens.comparison.findings import told
from spiritlens.comparison.said import Said, Spot, Stretch, about, joined

CENTRE, PEAK = Spot("centre", component="mlp_out"), Spot("peak", component="mlp_out")


def test_clauses_begin_where_their_words_do() -> None:
    found = joined("so: ", [("one 3", Stretch(0, CENTRE, (("3", PEAK),))), ("two 4", Stretch(0, PEAK))], "; end.")
    assert found.text == "So: one 3; two 4; end."
    assert [found.text[one.begins :][:3] for one in found.stretches] == ["one", "two"]
    assert found.stretches[0].numbers == (("3", PEAK),)
    assert about("Nothing.", CENTRE) == Said("Nothing.", (Stretch(0, CENTRE),))


def test_every_sentence_of_a_comparison_says_what_it_speaks_of() -> None:
    found = compare(role_effects(n_facts=8, peaks={"T2T": 2.0, "S2T": 4.0}), resamples=20, permutations=100)
    said = told(found)
    assert tuple(one.text for one in said) == found.findings
    for one in said:
        begins = [stretch.begins for stretch in one.stretches]
        assert begins == sorted(begins)
        assert one.stretches[0].begins >= 0
        for stretch, end in zip(one.stretches, [*begins[1:], len(one.text)], strict=True):
            assert all(text in one.text[stretch.begins : end] for text, _ in stretch.numbers)
    whats = {stretch.spot.what for one in said for stretch in one.stretches}
    assert {"total effects", "facts", "map", "cells", "cell", "crossing", "centre"} <= whats
