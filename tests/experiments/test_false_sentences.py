"""Of models that recall nothing nothing is claimed, in a small count; the script counts more."""

import pytest

from experiments.false_sentences import CLAIMS, CLOSED, Count, claims_of, counts


def test_claims_are_read_from_sentences() -> None:
    told = {
        "difference": (
            "corrupting the subject lowers it by 0.6 and by 0.4: 0.21 [0.10, 0.30] less in speech.",
            "2 of 48 cells differ by 0.05 of the total effect or more (max-T over all cells, p ≤ 0.05), most of all …",
            "the centre of the effect of mlp_out at the subject over layers: 1.20 [0.80, 1.60] layers later in speech",
        ),
        "equality": ("In all 46 cells the two are equivalent within 0.05 of the total effect (12 facts).",),
        "agreement": ("the two maps of mlp_out correlate at 0.97 [0.93, 0.99] and agree closely to within one layer",),
        "fact identity": (
            "What is peculiar to a fact in writing is peculiar to the same fact in speech: its own map …",
        ),
    }
    assert {claim: claims_of(sentences[-1:]) for claim, sentences in told.items()} == {
        claim: (claim,) for claim in CLAIMS
    }
    assert all(claims_of([sentence]) == ("difference",) for sentence in told["difference"])
    nothing = (
        "Nothing more is told: the total effect in speech on the probability is not told from 0 (0.01 [−0.02, 0.04]).",
        "In 46 cells neither a difference nor equality is shown (max-T over all cells, p > 0.05, 12 facts; …).",
        "the two maps of mlp_out correlate at 0.97 [0.93, 0.99]. This is not called agreement: the interval of …",
        "In the logit difference the same is: total effects: …; 0 of 46 cells differ.",
        "It is not shown that a fact's own map in writing fits the same fact's in speech better than another's.",
    )
    assert claims_of(nothing) == ()


def assert_nothing_claimed(found: list[Count], most: float) -> None:
    """No claim about models that recall nothing but by the error of a test, and one where there is something."""
    by_model = {one.models: [row for row in found if row.models == one.models] for one in found}
    (same,) = {row.n - len(row.seeds) for row in by_model.pop("fact machine")}
    assert same == 1, "the same machine in both"
    assert all(row.seeds == (0,) for row in by_model.pop("fact machine, speech later") if row.metric != "kl")
    for rows in by_model.values():
        for row in rows:
            assert row.claim == CLOSED or len(row.seeds) <= most * row.n, str(row)


def test_nothing_is_claimed_of_a_few_random_models() -> None:
    assert_nothing_claimed(list(counts(3, samples=1, n_layers=4)), most=0)


@pytest.mark.slow
def test_nothing_is_claimed_of_whole_random_models_and_twins() -> None:
    """Of 3 seeds each; `python experiments/false_sentences.py --seeds 20` counts more (docs/calibration.md)."""
    assert_nothing_claimed(list(counts(3, samples=3)), most=0)
