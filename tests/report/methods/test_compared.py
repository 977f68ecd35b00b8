"""The methods paragraph of a comparison: its facts, statistics, draws and margins, as they were."""

import pytest
import xarray as xr
from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.report.methods.paragraph import methods


@pytest.fixture(scope="module")
def effects() -> xr.Dataset:
    return role_effects(n_facts=8, noise=0.05)


def test_it_tells_what_was_compared_and_how(effects: xr.Dataset) -> None:
    some = effects.isel(prompt=slice(0, 14))
    found = sl.compare(some, metric="logit", resamples=123, permutations=77, seed=9)
    told = methods(found)
    for words in (
        "over 7 facts of 7 subjects known in both, by",
        "(logit)",
        "Intervals hold 95 % over subjects",
        "a bootstrap's of 123 draws",
        "max-T over all cells of the maps; fact identity by permutations",
        "(at most 77 drawn, seed 9)",
        "0.05 of the total effect, 0.5 layers, 0.1 of a correlation, and never less than 10 noise floors",
        "Level of all tests: 0.05.",
    ):
        assert words in told.paragraph, words
    for key in ("hall1992removal", "nichols2002nonparametric", "schuirmann1987comparison", "tukey1958bias"):
        assert f"{{{key}," in told.bibtex
    assert "benjamini2001control" not in told.bibtex
    assert "No sentence is made" not in told.paragraph


def test_other_rules_are_other_words(effects: xr.Dataset) -> None:
    rules = sl.comparison.Rules(
        alpha=0.1,
        margins=sl.comparison.Margins(share=0.2, layers=2, correlation=0.3, noise_floors=20),
        clusters="relation",
        cells="false discovery",
        family="all metrics",
    )
    references = sl.comparison.References(floors={"a control span": effects})
    told = methods(sl.compare(effects, rules=rules, references=references, resamples=20, permutations=20))
    for words in (
        "Intervals hold 90 % over relations",
        "adjusted for the false discovery rate over all traced metrics",
        "0.2 of the total effect, 2 layers, 0.3 of a correlation, and never less than 20 noise floors",
        "set beside that of a control span",
        "Level of all tests: 0.1.",
        "No sentence is made of the numbers: 2 relations are too few to find anything",
    ):
        assert words in told.paragraph, words
    assert "benjamini2001control" in told.bibtex


def test_it_stands_beside_the_effects_that_it_is_of(effects: xr.Dataset) -> None:
    found = sl.compare(effects, resamples=20, permutations=20)
    both = methods({"effects": effects, "comparison": found})
    assert "was compared with recall in writing" in both.paragraph
    assert "Corruption:" in both.paragraph
    assert both.paragraph.count("known in both") == 1
