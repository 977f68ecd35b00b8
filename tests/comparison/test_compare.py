"""The comparison pairs what belongs together, recovers what was planted, and holds its rules."""

import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects, token_effects

import spiritlens as sl
from spiritlens.comparison.compare import compare
from spiritlens.comparison.estimates import Estimate
from spiritlens.comparison.pairing import paired, prompt_maps
from spiritlens.comparison.rules import Rules
from spiritlens.comparison.shares import share_differences
from spiritlens.effects.schema import Status, check_effects
from spiritlens.effects.sign_flips import cell_p_values, false_discovery
from spiritlens.effects.statistics import fact_means
from spiritlens.terms import ROLES

MARKER_FREE = ["bos", "before subject", "subject", "after subject", "last word"]


def twins(effects: xr.Dataset) -> xr.Dataset:
    """The T2T prompts twice, the second time as S2T: a modality compared with itself."""
    text = effects.isel(prompt=effects["modality"].values == "T2T")
    speech = text.assign_coords(modality=("prompt", np.full(text.sizes["prompt"], "S2T")))
    return xr.concat([text, speech], dim="prompt", data_vars="all")


@pytest.mark.parametrize("clusters", ["subject", "both"])
def test_in_small_pieces_as_in_one(clusters: Literal["subject", "both"], monkeypatch: pytest.MonkeyPatch) -> None:
    """Many facts are worked on in pieces: the same numbers as at once, with gaps, phrasings and shared subjects."""
    effects = role_effects(n_facts=24, noise=0.3, phrasings=2)
    fact = np.arange(effects.sizes["prompt"]) // 4
    gone = (fact % 4 == 0)[:, None] & (effects["role"].values == "after subject")
    effects["restored"] = effects["restored"].where(~xr.DataArray(gone, dims=("prompt", "role")))
    effects["status"] = effects["status"].where(~xr.DataArray(gone, dims=("prompt", "role")), int(Status.ABSENT))
    names = {"subject": [f"s{one % 15}" for one in fact], "relation": [f"r{one % 7}" for one in fact]}
    effects = effects.assign_coords({name: ("prompt", labels) for name, labels in names.items()})
    whole = compare(effects, rules=Rules(clusters=clusters), resamples=50, permutations=50)
    monkeypatch.setattr("spiritlens.effects.clusters.AT_ONCE", 64)
    monkeypatch.setattr("spiritlens.comparison.fact_identity.AT_ONCE", 64)
    found = compare(effects, rules=Rules(clusters=clusters), resamples=50, permutations=50)
    for name, cells in whole.cells.items():
        if cells.dtype.kind == "f":
            np.testing.assert_allclose(found.cells[name], cells, rtol=1e-12, atol=1e-14)
        else:
            np.testing.assert_array_equal(found.cells[name], cells)
    for one, other in zip(found.identity, whole.identity, strict=True):
        assert [*vars(one).values()][:-1] == pytest.approx([*vars(other).values()][:-1], abs=1e-12, nan_ok=True)
    assert found.findings == whole.findings
    assert repr(found.components[0].estimates) == repr(whole.components[0].estimates)
    assert found.components[0].agreement.low == pytest.approx(whole.components[0].agreement.low, abs=1e-12, nan_ok=True)


def test_a_map_compared_with_itself() -> None:
    comparison = compare(twins(role_effects(n_facts=12, noise=0.2)))
    for one in comparison.components:
        assert one.r == Estimate(pytest.approx(1), pytest.approx(1), pytest.approx(1))  # type: ignore[arg-type]
        assert one.peak_shift == one.centre_shift == Estimate(0, 0, 0)
        of_draws = pytest.approx(0, abs=1e-6)  # which are float32
        assert one.handover_shift == Estimate(of_draws, of_draws, of_draws)  # type: ignore[arg-type]
        assert all(difference.value == 0 for *_, difference in one.shares.values())
    assert comparison.n_different == 0
    assert comparison.total_difference.value == 0
    assert np.isnan(comparison.total_difference.low)  # no fact carries any difference
    assert comparison.total_judged.verdict == comparison.everywhere == "equivalent"
    assert comparison.total_judged.why == "equal to rounding in every fact"
    assert " more in speech" not in " ".join(comparison.findings)


def test_a_planted_shift_of_three_layers_is_recovered() -> None:
    effects = role_effects(n_facts=30, n_layers=14, peaks={"T2T": 3.0, "S2T": 6.0}, noise=0.15)
    one = compare(effects)["mlp_out"]
    assert one.peak_shift.value == 3
    assert one.peak_shift.low <= 3 <= one.peak_shift.high
    assert one.centre_shift.low <= 3 <= one.centre_shift.high
    assert one.centre_shift.value == pytest.approx(3, abs=0.4)
    assert [taken.role for taken in one.taken_over] == ["read-out", "read-out"]


def test_the_order_of_the_modalities_turns_the_signs() -> None:
    effects = role_effects(n_facts=12, n_layers=14, peaks={"T2T": 3.0, "S2T": 6.0})
    forth, back = compare(effects), compare(effects, kinds=("S2T", "T2T"))
    assert back["mlp_out"].peak_shift.value == -forth["mlp_out"].peak_shift.value == -3
    assert back.total_difference.value == pytest.approx(-forth.total_difference.value)


def test_a_noisy_map_has_the_correlation_of_its_truth() -> None:
    """Noise of the facts takes nothing from r: the population maps are the same."""
    effects = role_effects(n_facts=20, noise=1.5, components=("mlp_out",)).sel(role=MARKER_FREE)
    one = compare(effects)["mlp_out"]
    assert max(one.agreement.reliability) < 0.97
    assert one.r.high == 1
    assert one.r.value > 0.9


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
    assert comparison["mlp_out"].r == without["mlp_out"].r


def test_phrasings_do_not_narrow_the_intervals() -> None:
    once = role_effects(n_facts=10, noise=0.3)
    thrice = xr.concat([once] * 3, dim="prompt", data_vars="all")
    first, second = (compare(effects)["mlp_out"].centre_shift for effects in (once, thrice))
    assert (second.value, second.low, second.high) == pytest.approx((first.value, first.low, first.high))


def test_token_maps_can_be_compared_too() -> None:
    comparison = compare(token_effects(n_facts=6))
    assert comparison["resid_pre"].r.value > 0.5
    assert comparison.n_facts == 6
    assert comparison["resid_pre"].n_cells == 12  # all roles of as many tokens in both: subject and read-out


def test_one_subject_gives_estimates_without_intervals() -> None:
    comparison = compare(role_effects(n_facts=1))
    assert np.isnan(comparison["mlp_out"].r.low)
    assert comparison.findings[1] == (
        "Nothing more is told: 1 subjects are too few to find anything, at least 6 are needed."
    )


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


def test_facts_are_paired_over_the_phrasings_known_in_both() -> None:
    """Phrasing 0 is known in writing only, 1 in both; the effects of 0 are others."""
    effects = role_effects(n_facts=8, phrasings=2)
    first = effects["phrasing"].values == "0"
    known = np.where(first & (effects["modality"].values == "S2T"), 0, 1)
    restored = effects["restored"].copy(deep=True)
    restored.values[first & (effects["modality"].values == "T2T"), :, :, ROLES.index("subject")] *= 0.5
    changed = effects.assign(restored=restored).assign_coords(known=("prompt", known))
    only = compare(changed.isel(prompt=np.flatnonzero(~first)))
    both = compare(changed)
    assert (both.n_facts, both.n_left_out) == (8, 0)
    np.testing.assert_array_equal(both.cells["difference"].values, only.cells["difference"].values)
    other = np.where(first == (effects["modality"].values == "S2T"), 0, 1)  # 0 in writing, 1 in speech
    with pytest.raises(ValueError, match="by the same phrasing in both T2T and S2T"):
        compare(changed.assign_coords(known=("prompt", other)))


def test_phrasings_weigh_the_same_and_within_them_voices() -> None:
    effects = role_effects(n_facts=6, phrasings=2)
    spoken = (effects["modality"].values == "S2T") & (effects["phrasing"].values == "0")
    again = effects.isel(prompt=np.flatnonzero(spoken))
    voiced = again.assign_coords(voice=("prompt", np.full(again.sizes["prompt"], "espeak:en-gb")))
    more = compare(xr.concat([effects, voiced], dim="prompt", data_vars="all"))
    np.testing.assert_allclose(more.cells["difference"].values, compare(effects).cells["difference"].values)


def test_labels_that_no_two_prompts_share_pair_nothing_away() -> None:
    effects = role_effects(n_facts=8)
    names = np.where(effects["modality"].values == "T2T", "plain", "question")
    comparison = compare(effects.assign_coords(phrasing=("prompt", names)))
    assert comparison.n_facts == 8
    assert any("share no phrasing label" in one for one in comparison.conditions)


def test_a_fact_without_a_role_leaves_the_role_to_the_others() -> None:
    effects = role_effects(n_facts=12)
    status, restored = (effects[name].copy(deep=True) for name in ("status", "restored"))
    place = ROLES.index("after subject")
    status.values[0, :, :, place], restored.values[0, :, :, place] = Status.ABSENT, np.nan
    comparison = compare(effects.assign(status=status, restored=restored))
    counts = comparison.cells["n_facts"].sel(component="mlp_out", layer=0)
    assert (int(counts.sel(role="after subject")), int(counts.sel(role="subject"))) == (11, 12)
    assert any("11 to 12 facts" in sentence for sentence in comparison.findings)


def test_two_tokens_are_not_compared_with_six() -> None:
    """Single tokens: the spoken subject has one more, so nothing is said of the subject."""
    effects = token_effects(n_facts=8)
    role, spoken = effects["role"].copy(deep=True), effects["modality"].values == "S2T"
    role.values[np.ix_(spoken, [4])] = "subject"
    comparison = compare(effects.assign_coords(role=role))
    assert np.isnan(comparison["resid_pre"].centre_shift.value)
    assert comparison.cells["difference"].sel(role="subject").isnull().all()
    assert any("Single tokens were restored" in one and "subject)" in one for one in comparison.conditions)
    assert not any("Single tokens" in one for one in compare(token_effects(n_facts=8)).conditions)


def test_clusters_by_relation_need_relations() -> None:
    effects = role_effects(n_facts=24)
    few = compare(effects, rules=Rules(clusters="relation"))
    assert few.closed.startswith("2 relations are too few")
    assert compare(effects, rules=Rules(clusters="both")).closed.startswith("2 subjects or relations")
    eight = effects.assign_coords(relation=("prompt", [str(place // 2 % 8) for place in range(48)]))
    one, other, both = (compare(eight, rules=Rules(clusters=name)) for name in ("subject", "relation", "both"))
    assert not both.closed
    for name in ("centre_shift", "peak_shift"):
        found = [comparison["mlp_out"].estimates[name] for comparison in (one, other, both)]
        assert found[2].low == min(found[0].low, found[1].low)
        assert found[2].high == max(found[0].high, found[1].high)
    p_values = [comparison.cells["p_value"].values for comparison in (one, other, both)]
    np.testing.assert_array_equal(p_values[2], np.maximum(p_values[0], p_values[1]))


def test_false_discovery_and_families_of_metrics() -> None:
    effects = role_effects(n_facts=16, noise=0.3)
    alone, discovered, joint = (
        compare(effects, rules=rules)
        for rules in (Rules(), Rules(cells="false discovery"), Rules(family="all metrics"))
    )
    assert (alone.cells["p_value"] <= joint.cells["p_value"]).where(alone.cells["p_value"].notnull(), True).all()
    found = cell_p_values(*differences(effects), permutations=1000, seed=0).p_value
    there = discovered.cells["p_value"].values[discovered.cells["p_value"].notnull().values]
    np.testing.assert_allclose(there, false_discovery(found))
    assert any("false discovery rate" in sentence for sentence in discovered.findings)


def differences(effects: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Differences of shares in the compared cells [fact cell], and subjects."""
    maps = prompt_maps(effects, "probability", "read-out")
    pairs = paired(maps, maps, ("T2T", "S2T"))
    return share_differences(pairs.values[:, :, pairs.cells], pairs.totals, pairs.smallest), pairs.subjects


def test_the_headline_is_repeated_in_the_logit_difference() -> None:
    effects = role_effects(n_facts=16, n_layers=12, peaks={"T2T": 3.0, "S2T": 6.0})
    named = effects.assign_coords(metric=["probability", "logit_difference"])
    second = compare(named).second
    assert second is not None
    assert (second.metric, second.component, second.closed) == ("logit_difference", "mlp_out", "")
    alone = compare(named, metric="logit_difference")
    assert alone.second is None
    assert second.centre == alone["mlp_out"].judged["centre_shift"]
    assert second.total_difference == alone.total_judged
    assert second.n_different == alone.n_different
    assert compare(effects).second is None


def test_what_a_recogniser_heard_is_told() -> None:
    effects = role_effects(n_facts=12)
    errors = np.where(effects["modality"].values == "S2T", np.arange(24) % 5 / 10, np.nan)
    heard = compare(effects.assign_coords(word_error=("prompt", errors)))
    assert heard.heard is not None
    assert any(sentence.startswith("One error per word more") for sentence in heard.findings)
    assert compare(effects).heard is None


def test_the_same_seed_gives_the_same_comparison() -> None:
    effects = role_effects(n_facts=16, noise=0.3)
    one, again, other = (compare(effects, seed=seed, permutations=200) for seed in (1, 1, 2))
    assert repr(one) == repr(again)
    assert one.findings == again.findings
    assert one.cells.equals(again.cells)
    assert not one.cells["p_value"].equals(other.cells["p_value"])
