"""Heads of one modality in the other: told the same, told others, and told neither, from made curves."""

import made_interchange as made
import numpy as np
import pytest
from made_interchange import CURVES, made_interchange

import spiritlens as sl
from experiments.sentence_calibration import mechanism, simulated, told
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.same_parts import served_parts, served_sentences

KINDS = ("T2T", "S2T")


def test_by_hand() -> None:
    """Ranked in writing f is 1 with one head, ranked in speech 0.5; by chance (0 + 0.5)/2."""
    into_writing = served_parts(made_interchange(noise=0.02), KINDS, Rules())[1]
    assert (into_writing.found, into_writing.kept, into_writing.enough, into_writing.n_parts) == ("S2T", "T2T", 1, 4)
    assert into_writing.f.value == pytest.approx(0.5, abs=0.03)
    assert into_writing.less.value == pytest.approx(0.5, abs=0.03)
    assert into_writing.beyond_random.value == pytest.approx(0.25, abs=0.03)
    assert into_writing.serve == "others are needed"
    (said,) = served_sentences((into_writing,), 0.05)
    sentence = said.text
    assert "Kept in writing, the first 1 of 4 heads as ranked in speech on other facts keep 0.5" in sentence
    assert sentence.endswith("recall in writing needs others.")


@pytest.mark.parametrize("alike", ["nearly", "in every fact"])
def test_shared_heads_are_told_the_same(monkeypatch: pytest.MonkeyPatch, alike: str) -> None:
    monkeypatch.setitem(made.CURVES, "S2T", CURVES["T2T"])
    interchanged = made_interchange(noise=0.01)
    if alike == "in every fact":  # the same set of heads, run once: no fact differs
        interchanged["kept"].loc[{"ranking": "S2T"}] = interchanged["kept"].sel(ranking="T2T")
    found = served_parts(interchanged, KINDS, Rules())
    assert [one.serve for one in found] == ["the same serve"] * 2
    assert all("they serve as well, within 0.05" in one.text for one in served_sentences(found, 0.05))


def test_noise_leaves_it_open_and_no_recall_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(made.CURVES, "S2T", CURVES["T2T"])
    loud = served_parts(made_interchange(noise=0.5), KINDS, Rules())
    assert {one.serve for one in loud} == {"not shown"}
    monkeypatch.undo()
    none = served_parts(made_interchange(totals=(1e-8,) * 8, floor=1e-2), KINDS, Rules())
    assert all("was not tested: no recall to keep" in one.text for one in served_sentences(none, 0.05))
    with pytest.raises(ValueError, match="other modalities"):
        served_parts(made_interchange(), ("T2T", "mixed"), Rules())


def test_a_comparison_tells_it() -> None:
    effects = simulated(np.random.default_rng(0), mechanism())
    references = sl.comparison.References(interchange=made_interchange(noise=0.02))
    assert "recall in writing needs others" in told(sl.compare(effects, references=references))
    assert "heads" not in told(sl.compare(effects))
    with pytest.raises(ValueError, match="interchange"):
        sl.comparison.References(interchange=effects)
