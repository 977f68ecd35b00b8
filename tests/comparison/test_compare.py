"""The comparison recovers what was planted, finds nothing where nothing is, and says no more than its numbers."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects, token_effects

import spiritlens as sl
from spiritlens.comparison.compare import compare
from spiritlens.comparison.result import Comparison
from spiritlens.comparison.statistics import Estimate
from spiritlens.effects.schema import Status, check_effects
from spiritlens.effects.statistics import fact_means
from spiritlens.terms import ROLES

MARKER_FREE = ["bos", "before subject", "subject", "after subject", "last word"]


def twins(effects: xr.Dataset) -> xr.Dataset:
    """The T2T prompts twice, the second time as S2T: a modality compared with itself."""
    text = effects.isel(prompt=effects["modality"].values == "T2T")
    speech = text.assign_coords(modality=("prompt", np.full(text.sizes["prompt"], "S2T")))
    return xr.concat([text, speech], dim="prompt", data_vars="all")


def test_a_map_compared_with_itself() -> None:
    comparison = compare(twins(role_effects(n_facts=12, noise=0.2)))
    for one in comparison.components:
        assert one.pearson == Estimate(pytest.approx(1), pytest.approx(1), pytest.approx(1))  # type: ignore[arg-type]
        assert one.spearman.value == pytest.approx(1)
        assert one.peak_shift == one.centre_shift == Estimate(0, 0, 0)
        assert one.handover_shift == Estimate(0, 0, 0)
        assert all(difference.value == 0 for *_, difference in one.shares.values())
    assert comparison.n_different == 0
    assert comparison.total_difference.value == 0
    assert np.isnan(comparison.total_difference.low)  # no fact carries any difference


def test_a_planted_shift_of_three_layers_is_recovered() -> None:
    effects = role_effects(n_facts=30, n_layers=14, peaks={"T2T": 3.0, "S2T": 6.0}, noise=0.15)
    one = compare(effects)["mlp_out"]
    assert one.peak_shift.value == 3
    assert one.peak_shift.low <= 3 <= one.peak_shift.high
    assert one.centre_shift.low <= 3 <= one.centre_shift.high
    assert one.centre_shift.value == pytest.approx(3, abs=0.4)
    assert one.handover_shift.low > 0


def test_the_order_of_the_modalities_turns_the_signs() -> None:
    effects = role_effects(n_facts=12, n_layers=14, peaks={"T2T": 3.0, "S2T": 6.0})
    forth, back = compare(effects), compare(effects, kinds=("S2T", "T2T"))
    assert back["mlp_out"].peak_shift.value == -forth["mlp_out"].peak_shift.value == -3
    assert back.total_difference.value == pytest.approx(-forth.total_difference.value)


def test_no_cell_differs_more_often_than_alpha_under_the_null() -> None:
    false = []
    for seed in range(150):
        effects = role_effects(n_facts=16, n_layers=5, noise=0.3, seed=seed, components=("mlp_out",))
        comparison = compare(effects.sel(role=MARKER_FREE), resamples=1, permutations=99, seed=seed)
        false.append(comparison.n_different > 0)
    assert 0.005 <= np.mean(false) <= 0.10


def test_shift_intervals_cover_the_truth() -> None:
    covered = []
    for seed in range(80):
        effects = role_effects(n_facts=16, n_layers=9, noise=0.3, seed=seed, components=("mlp_out",))
        shift = compare(effects.sel(role=MARKER_FREE), resamples=400, permutations=1, seed=seed)["mlp_out"].centre_shift
        covered.append(shift.low <= 0 <= shift.high)
    assert np.mean(covered) >= 0.88


def test_correlation_lies_under_its_ceiling_when_the_true_maps_are_equal() -> None:
    effects = role_effects(n_facts=20, noise=1.5, components=("mlp_out",)).sel(role=MARKER_FREE)
    one = compare(effects)["mlp_out"]
    assert one.ceiling < 0.97
    assert one.pearson.value == pytest.approx(one.ceiling, abs=0.1)


def test_the_final_marker_answers_for_the_last_word() -> None:
    effects = role_effects(n_facts=8)
    joined, named = compare(effects), compare(effects, last="by role")
    assert "read-out" in joined.cells["role"].values
    assert joined.cells["difference"].sel(role="last word").isnull().all()
    per_fact = fact_means(sl.effects.by_role(effects)).sel(component="mlp_out", metric="probability")
    speech = per_fact.isel(fact=per_fact["modality"].values == "S2T").sel(role="final marker")
    text = per_fact.isel(fact=per_fact["modality"].values == "T2T").sel(role="last word")
    totals = fact_means(sl.effects.total(effects)).sel(metric="probability")
    own = [totals.values[totals["modality"].values == kind][:, None] for kind in ("T2T", "S2T")]
    expected = (speech.values / own[1] - text.values / own[0]).mean(axis=0)  # shares of each fact's own effect
    np.testing.assert_allclose(joined.cells["difference"].sel(component="mlp_out", role="read-out").values, expected)
    assert named.cells["difference"].sel(role="final marker").isnull().all()
    assert named.cells["difference"].sel(role="last word").notnull().all()


def screened(effects: xr.Dataset, layers: list[int]) -> xr.Dataset:
    """The cells of some layers screened out, in all prompts that have them."""
    status, restored = (effects[name].copy(deep=True) for name in ("status", "restored"))
    kept = status.values[:, :, layers]
    status.values[:, :, layers] = np.where(kept == Status.ABSENT, kept, Status.SCREENED)
    restored.values[:, :, layers] = np.nan
    return check_effects(effects.assign(status=status, restored=restored))


def test_screened_layers_are_no_peaks() -> None:
    effects = role_effects(n_facts=12, n_layers=14, peaks={"T2T": 3.0, "S2T": 6.0}, noise=0.15)
    comparison = compare(screened(effects, [0, 13]))
    assert comparison["mlp_out"].peak_shift.value == 3
    assert comparison["mlp_out"].centre_shift.value == pytest.approx(3, abs=0.5)
    assert comparison.cells["p_value"].sel(layer=[0, 13]).isnull().all()


def test_prompts_are_aligned_before_those_of_a_fact_are_averaged() -> None:
    """A fact asked in writing with and without a final marker: both prompts count at the read-out."""
    effects = role_effects(n_facts=8, phrasings=2)
    status, restored = (effects[name].copy(deep=True) for name in ("status", "restored"))
    marked = np.flatnonzero((effects["modality"].values == "T2T") & (effects["phrasing"].values == "1"))
    word, marker = ROLES.index("last word"), ROLES.index("final marker")
    status.values[marked, :, :, marker] = Status.MEASURED
    restored.values[marked, :, :, marker] = restored.values[marked, :, :, word]
    both = compare(effects.assign(status=status, restored=restored)).cells["difference"].sel(role="read-out")
    plain = compare(effects).cells["difference"].sel(role="read-out")
    np.testing.assert_allclose(both.values, plain.values)


def test_cells_without_information_do_not_feign_agreement() -> None:
    comparison = compare(role_effects(n_facts=8))
    assert comparison.cells["p_value"].sel(role=["bos", "before subject", "modality marker"]).isnull().all()
    assert comparison["mlp_out"].n_cells == 3 * 8


def test_shares_of_the_effect_add_up() -> None:
    shares = compare(role_effects(n_facts=8))["mlp_out"].shares
    for side in (0, 1):
        assert sum(share[side].value for share in shares.values()) == pytest.approx(1)
    assert shares["modality marker"][0].value == 0


def test_only_facts_known_in_both_are_paired() -> None:
    effects = role_effects(n_facts=7)
    known = effects["known"].copy(deep=True)
    known[1] = 0  # the first fact in speech
    comparison = compare(effects.assign_coords(known=known))
    assert (comparison.n_facts, comparison.n_left_out) == (6, 1)
    without = compare(effects.isel(prompt=slice(2, None)))
    assert comparison["mlp_out"].pearson == without["mlp_out"].pearson


def test_phrasings_do_not_narrow_the_intervals() -> None:
    once = role_effects(n_facts=10, noise=0.3)
    thrice = xr.concat([once] * 3, dim="prompt", data_vars="all")
    first, second = (compare(effects)["mlp_out"].centre_shift for effects in (once, thrice))
    assert (second.value, second.low, second.high) == pytest.approx((first.value, first.low, first.high))


def test_token_maps_can_be_compared_too() -> None:
    comparison = compare(token_effects(n_facts=5))
    assert comparison["resid_pre"].pearson.value > 0.5
    assert comparison.n_facts == 5


def test_one_subject_gives_estimates_without_intervals() -> None:
    comparison = compare(role_effects(n_facts=1))
    assert np.isnan(comparison["mlp_out"].pearson.low)
    assert "without an interval, so that nothing follows from it" in comparison.findings[0]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda ds: ds, {"metric": "rank"}, "metric='rank' was not traced; choose from probability, logit"),
        (lambda ds: ds, {"last": "by roles"}, "last='by roles': expected one of read-out, by role"),
        (lambda ds: ds.isel(prompt=ds["modality"].values == "T2T"), {}, "no S2T prompt among the modalities T2T"),
        (lambda ds: ds.isel(prompt=[0, 3]), {}, "no fact is known in both T2T and S2T"),
    ],
)
def test_one_clear_error_each(change: object, arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(change(role_effects(n_facts=2)), **arguments)  # type: ignore[operator, arg-type]
    with pytest.raises(KeyError, match="was not compared; choose from"):
        compare(role_effects(n_facts=2))["attn_out"]


# ---- what is said ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shifted() -> Comparison:
    return compare(role_effects(n_facts=30, n_layers=14, peaks={"T2T": 3.0, "S2T": 6.0}, noise=0.15))


def test_three_sentences_with_their_numbers(shifted: Comparison) -> None:
    sentences = shifted.findings
    assert len(sentences) == 3
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in sentences)
    assert repr(shifted.total[0]) in sentences[0]
    assert f"r = {shifted['mlp_out'].pearson}" in sentences[1]
    assert f"{shifted['mlp_out'].centre_shift.value:.2f}" in sentences[2]


def test_a_shift_is_named_with_its_direction(shifted: Comparison) -> None:
    assert "layers later in speech" in shifted.findings[2]
    back = compare(role_effects(n_facts=30, n_layers=14, peaks={"T2T": 6.0, "S2T": 3.0}, noise=0.15))
    assert "layers earlier in speech" in back.findings[2]


def test_an_interval_over_zero_is_no_difference() -> None:
    sentences = compare(role_effects(n_facts=20, noise=0.2, seed=1).sel(role=MARKER_FREE)).findings
    assert "no difference was found" in sentences[0]
    assert "layers later" not in sentences[2]
    assert "layers earlier" not in sentences[2]
    assert "in none of" in sentences[1]


def test_words_follow_the_numbers(shifted: Comparison) -> None:
    def told(pearson: Estimate) -> str:
        one = shifted["mlp_out"]
        component = replace(one, estimates={**one.estimates, "pearson": pearson, "ceiling": Estimate(1.0)})
        return replace(shifted, components=(component,)).findings[1]

    assert "agree closely in mlp_out" in told(Estimate(0.9, 0.8, 0.95))
    assert "agree in part in mlp_out" in told(Estimate(0.6, 0.4, 0.7))
    assert "agree weakly in mlp_out" in told(Estimate(0.3, 0.1, 0.4))
    assert "were not found to agree in mlp_out" in told(Estimate(0.3, -0.1, 0.6))
    assert "share too few cells" in told(Estimate(float("nan")))


def test_nothing_is_said_about_storage(shifted: Comparison) -> None:
    text = " ".join(shifted.findings).lower()
    assert not any(word in text for word in ("stored", "storage", "located", "kept in"))


def test_a_comparison_prints_itself(shifted: Comparison) -> None:
    text = repr(shifted)
    assert text.startswith("S2T against T2T: 30 facts of 30 subjects, probability, denoising")
    assert repr(shifted["mlp_out"].peak_shift) in text
    assert f"{shifted.n_different} of {shifted.n_tested} cells differ" in text
