"""The paragraph of every kind of result holds its numbers, and nothing that the result does not."""

import json
import re
from typing import Any

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.effects.canaries import canary
from spiritlens.effects.store import CHECKS
from spiritlens.report.methods.paragraph import SENTENCES, methods
from spiritlens.report.methods.sources import SOURCES

QUIET: dict[str, Any] = {"progress": "none"}


@pytest.fixture(scope="module")
def results() -> dict[str, xr.Dataset]:
    machine = sl.planted()
    lens, prompts = machine.lens, [machine.prompts[0], machine.prompts[1], machine.prompts[12]]
    others = [machine.counterfactual(prompt) for prompt in prompts]
    grid = sl.Grid(("resid_pre", "mlp_out"), at="role")
    traced = sl.causal_trace(lens, prompts, grid, samples=sl.Draws(3, seed=7), **QUIET)
    return {
        "trace": traced,
        "average": sl.effects.average(traced),
        "total": sl.effects.average_total(traced, confidence=0.9),
        "patch": sl.activation_patch(lens, prompts, others, ("resid_pre",), **QUIET),
        "estimate": sl.attribution_patch(lens, prompts, others, ("resid_pre",), **QUIET),
        "paths": sl.path_patch(lens, prompts, others, **QUIET),
        "direct": sl.heads.direct_logit_attribution(lens, prompts, **QUIET),
        "mass": sl.heads.attention_mass(lens, prompts, **QUIET),
        "detectors": sl.heads.detectors(lens, prompts, **QUIET),
        "heads": sl.heads.head_knockout(lens, prompts, "zero", **QUIET),
        "cuts": sl.heads.attention_knockout(lens, prompts, **QUIET),
        "lens": sl.lenses.logit_lens(lens, prompts, **QUIET),
        "doses": sl.tracing.dose_curve(lens, prompts, (0.5, 2), samples=2),
    }


@pytest.mark.parametrize(
    ("name", "words", "keys"),
    [
        (
            "trace",
            (
                "2 written facts (T2T, 2 prompts) and 1 spoken fact (S2T, 1 prompt)",
                "3 samples per prompt, seed 7",
                "mlp_out (windows of up to 2 layers) all tokens of a role together",
                "probability of the answer (probability)",
                "Checks of the engine: putting a run's own values back moved no metric by more than",
                "1 voice (planted)",
                f"by spiritlens {sl.__version__} with torch",
            ),
            ("meng2022locating", "vig2020investigating", "modica2026factual", "nanda2022transformerlens"),
        ),
        (
            "average",
            (
                "T2T 2 facts, S2T 1 fact",
                "known facts only",
                "indirect effects",
                "Intervals hold 95 % over subjects: Student's, corrected for skewness.",
                "seed 7 of the runs",
            ),
            ("meng2022locating", "hall1992removal"),
        ),
        ("total", ("total effects", "Intervals hold 90 %"), ()),
        ("patch", ("activation patching (denoising", "counterfactual prompts", "1 sample per"), ("zhang2024towards",)),
        (
            "estimate",
            ("These are estimates from gradients", "miss the total effect by at most"),
            ("nanda2023attribution",),
        ),
        (
            "paths",
            ("3 prompts of 2 facts (2 written, 1 spoken)", "41 senders and 1 receiver", "heads and MLPs", "clean run"),
            ("wang2023interpretability", "goldowskydill2023localizing"),
        ),
        ("direct", ("over that of its foil", "miss the whole by at most"), ("elhage2021mathematical",)),
        ("mass", ("Attention mass was measured on 3 prompts", "By query: bos"), ()),
        ("detectors", ("By detector: previous_token",), ("olsson2022incontext",)),
        ("heads", ("head knock-out (zero)", "zero knock-out of all heads"), ("wang2023interpretability",)),
        ("cuts", ("attention knock-out", "attention of all edges cut"), ("geva2023dissecting",)),
        ("lens", ("9 states, of each the 5 likeliest text tokens",), ("nostalgebraist2020interpreting",)),
        ("doses", ("gaussian at 0.5, 2 times", "2 samples per prompt", "2 text, 1 speech"), ("meng2022locating",)),
    ],
)
def test_each_kind_tells_its_own(
    results: dict[str, xr.Dataset], name: str, words: tuple[str, ...], keys: tuple[str, ...]
) -> None:
    found = methods(results[name])
    assert [word for word in words if word not in found.paragraph] == []
    assert [key for key in keys if f"{{{key}," not in found.bibtex] == []
    assert not re.search(r"\b(nan|None)\b", found.paragraph)
    assert str(found) == f"{found.paragraph}\n\n{found.bibtex}\n"


def test_interchange_says_what_was_kept_and_how_it_was_ranked() -> None:
    machine = sl.planted()
    written = [machine.text(subject) for subject in machine.subjects[:4]]
    spoken = [machine.speech(subject) for subject in machine.subjects[:4]]
    found = sl.interchange(machine.lens, written, spoken, samples=sl.Draws(1, seed=3), **QUIET)
    told = methods(found).paragraph
    assert "Functional interchange of heads was measured on 8 prompts of 4 facts (4 written, 4 spoken)" in told
    assert "Sets of heads were kept" in told
    assert "Parts were ranked on one half of the facts and kept on the other" in told
    assert "seed 3" in told
    curves = methods(sl.heads.faithfulness(found)).paragraph
    assert "Sets of heads were kept" in curves
    assert "logit difference" in curves or found.attrs["metric_words"] in curves


def test_every_schema_has_its_sentences() -> None:
    assert set(SENTENCES) == set(CHECKS)


def test_sources_are_those_of_the_method_alone(results: dict[str, xr.Dataset]) -> None:
    assert "meng2022locating" not in methods(results["paths"]).bibtex
    assert "wang2023interpretability" not in methods(results["trace"]).bibtex
    assert "modica2026factual" not in methods(results["trace"].isel(prompt=[0, 1])).bibtex
    assert "saynova2025fact" not in methods(results["trace"]).bibtex
    assert "hall1992removal" not in methods(results["trace"]).bibtex
    tagged = results["trace"].assign_coords(recall=("prompt", ["exact", "guess", "exact"]))
    assert "saynova2025fact" in methods(tagged).bibtex
    assert "Kinds of recall, by prompt: 2 exact, 1 guess." in methods(tagged).paragraph


def test_several_results_say_what_they_share_once(results: dict[str, xr.Dataset]) -> None:
    both = methods({"trace": results["trace"], "average": results["average"], "lens": results["lens"]}).paragraph
    assert both.count("was run in float64") == 1
    assert "causal tracing" in both
    assert "Intervals hold 95 %" in both
    assert "(logit lens)" in both


def test_numbers_follow_the_result(results: dict[str, xr.Dataset]) -> None:
    """What is not in the result is not in the paragraph: change it there, and it changes here."""
    other = results["trace"].isel(sample=[0, 1]).assign_attrs(seed=99, samples=2, dtype="bfloat16", hooks="mine")
    told = methods(other).paragraph
    assert "2 samples per prompt, seed 99" in told
    assert "in bfloat16" in told
    assert "carrying hooks of the user's: mine" in told
    one = results["paths"]
    config = json.dumps(json.loads(one.attrs["config_json"]) | {"samples": 4})
    assert "4 samples per prompt" in methods(one.assign_attrs(config_json=config)).paragraph


def test_a_failed_canary_is_told(results: dict[str, xr.Dataset]) -> None:
    wrong = results["trace"].assign(canary_all=(("prompt", "metric"), np.full((3, 3), 0.5)))
    assert canary(wrong).failed
    assert "A result is not to be used: its canary fails" in methods(wrong).paragraph


def test_results_of_earlier_versions_have_a_paragraph(results: dict[str, xr.Dataset]) -> None:
    before = results["trace"].drop_vars(["canary_self", "canary_all"])
    before.attrs = {name: value for name, value in before.attrs.items() if name not in ("libraries", "hooks")}
    assert "No canary was run." in methods(before).paragraph
    means = results["average"].drop_vars("no_interval").assign_attrs(resamples=50, resampling_seed=5)
    assert "by a bootstrap over subjects with 50 resamples, seed 5." in methods(means).paragraph
    for name in ("confidence", "resamples", "resampling_seed"):
        del means.attrs[name]
    assert "did not store how they were made" in methods(means).paragraph


def test_entries_are_whole() -> None:
    assert len({source.key for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert source.bibtex.count("{") == source.bibtex.count("}")
        assert {"author", "title", "year"} <= {name for name, _ in source.fields}
