"""The table on the planted machine, whose truth is known, and the whole job on two facts of the embedded model."""

import html
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spiritlens as sl
from spiritlens.effects import environments
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.moved_subject import dilate_subject, shift_subject
from spiritlens.studies.pairs import Asked, PairedPrompts
from spiritlens.studies.sensitivity.measuring import measured, slug
from spiritlens.studies.sensitivity.page import write_results
from spiritlens.studies.sensitivity.result import Sensitivity
from spiritlens.studies.sensitivity.sensitivity import ground_of
from spiritlens.studies.sensitivity.variant import Ground, Setup, Variant

VARIANTS = {variant.name: variant for variant in sl.studies.VARIANTS}
N = 7
SETTINGS = sl.studies.SensitivitySettings(n_facts=N, samples=1, components=("resid_pre",), seed=1)


def spoken(move, by: int):
    return lambda ground: ground.with_spoken(lambda prompt: move(prompt, by))


def traced_anew(ground: Ground) -> Setup:
    """The spoken prompts under the default noise by its name: the same numbers, of which nothing is taken over."""
    return replace(ground.setup, prompts=ground.of("S2T"), corruption=sl.Noise())


OWN = (
    Variant("a whole word earlier", "subject's span", spoken(shift_subject, -6)),
    Variant("no step", "subject's span", spoken(shift_subject, 0)),
    Variant("traced anew", "nothing", traced_anew),
    Variant("longer by 2", "subject's span", spoken(dilate_subject, 2)),
    Variant("broken", "nothing", lambda ground: "nothing"),
)
NAMED = ("shifted by +3", "logit", "known in each", "heard without error", "single layers")


@pytest.fixture(scope="module")
def ground() -> Ground:
    """The planted facts, known in writing and in speech but for the last, which counts as known in writing only."""
    machine = sl.planted()
    pairs = []
    for written, heard in zip(machine.prompts[:N], machine.prompts[12 : 12 + N], strict=True):
        templates = {"plain": "the colour of {subject} is"}
        fact = Fact(written.fact_id, "colour", written.subject.name, written.answer, "", templates)
        last = written.fact_id == machine.prompts[N - 1].fact_id
        pairs.append(PairedPrompts(fact, written, heard, {"T2T": True, "S2T": not last}))
    asked = Asked(tuple(pair.fact for pair in pairs), tuple(pairs))
    return ground_of(machine.lens, SETTINGS, asked)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def planted(ground: Ground, folder: Path) -> Sensitivity:
    found = measured(ground, folder, (*OWN, *(VARIANTS[name] for name in NAMED)))
    return replace(found, page=write_results(found, folder))


def test_a_shift_by_a_whole_word_destroys_the_effect_and_a_longer_span_keeps_it(planted: Sensitivity) -> None:
    base, moved, longer = (
        one.changes["S2T", "resid_pre"]
        for one in (planted.baseline, planted["a whole word earlier"], planted["longer by 2"])
    )
    assert base.total.value > 0.9
    assert abs(moved.total.value) < 0.01
    assert moved.total_change.high < -0.5
    assert moved.strength == "not shown"
    assert longer.total.value == pytest.approx(base.total.value, abs=0.05)
    assert longer.strength == "closely"
    assert longer.crossing_change.value == pytest.approx(0, abs=0.05)
    assert moved.n_facts == base.n_facts == N - 1
    assert planted["a whole word earlier"].same == planted["longer by 2"].same == {"T2T"}


def test_a_variant_that_changes_nothing_is_the_baseline_bit_for_bit(planted: Sensitivity, folder: Path) -> None:
    anew = sl.effects.load(folder / "variants" / "traced_anew" / "effects.nc")
    base = planted.effects
    places = {name: place for place, name in enumerate(base["prompt_id"].values)}
    shared = base.isel(prompt=[places[name] for name in anew["prompt_id"].values])
    for name in ("clean", "corrupted", "restored"):
        assert anew[name].values.tobytes() == shared[name].values.tobytes()
    assert not (folder / "variants" / "no_step").exists()
    assert planted["no step"].same == {"T2T", "S2T"}
    assert planted["traced anew"].same == frozenset()
    for variant in ("no step", "traced anew"):
        for key, change in planted[variant].changes.items():
            expected = planted.baseline.changes[key]
            assert (change.total, change.peak, change.crossing) == (expected.total, expected.peak, expected.crossing)
            assert change.agreement.value == pytest.approx(1)
            assert change.total_change.value == change.crossing_change.value == 0
    assert planted["no step"].gaps["resid_pre"].change.value == 0
    assert not planted["traced anew"].gaps


def test_what_the_baseline_has_is_not_traced_again(planted: Sensitivity, folder: Path) -> None:
    traced = {path.name for path in (folder / "variants").iterdir()}
    assert traced == {slug(name) for name in ("a whole word earlier", "traced anew", "longer by 2")}
    shifted = sl.effects.load(folder / "variants" / slug("longer by 2") / "effects.nc")
    assert set(shifted["modality"].values.tolist()) == {"S2T"}
    assert planted["logit"].changes["T2T", "resid_pre"].total.value > 1  # logits
    assert np.isnan(planted["logit"].changes["T2T", "resid_pre"].total_change.value)


def test_a_selection_traces_the_facts_that_it_adds(planted: Sensitivity) -> None:
    each = planted["known in each"]
    assert each.same == {"S2T"}
    change = each.changes["T2T", "resid_pre"]
    assert (change.n_facts, change.n_shared) == (N, N - 1)
    assert each.gaps["resid_pre"].n_facts == N - 1


def test_a_variant_that_cannot_be_made_says_why_and_ends_nothing(planted: Sensitivity) -> None:
    reasons = {name: planted[name].why for name in ("broken", "heard without error", "single layers", "shifted by +3")}
    assert reasons["broken"] == "its function gave a str: expected a Setup"
    assert "no recogniser" in reasons["heard without error"]
    assert "none of the components ('resid_pre',)" in reasons["single layers"]
    assert "none of the 6 spoken prompts can be changed" in reasons["shifted by +3"]
    assert len(planted.missing) == 4
    assert all(
        planted[name].rows() == [{**row, "why": planted[name].why} for row in planted[name].rows()] for name in reasons
    )


def test_the_findings_say_what_the_table_holds(planted: Sensitivity) -> None:
    words = " ".join(planted.findings)
    assert "S2T: of 4 variants that change something, 3 agree closely" in words
    assert "are not shown to agree (a whole word earlier)" in words
    assert "smaller in a whole word earlier" in words
    assert "T2T: of 2 variants" in words  # known in each, logit
    with pytest.raises(KeyError, match="no variant 'another'; there are a whole word earlier"):
        planted["another"]


def test_tables_and_page_hold_every_number(planted: Sensitivity, folder: Path) -> None:
    read, frame = pd.read_csv(folder / "table.csv"), planted.frame()
    assert read.columns.tolist() == frame.columns.tolist()
    for column in ("r", "total", "total_low", "crossing", "crossing_change", "r_change"):
        np.testing.assert_allclose(read[column], frame[column].astype(float), rtol=1e-12)
    rows = 3 * (1 + len(planted.measured)) - 2 + len(planted.missing)  # one variant is of spoken prompts alone
    assert len(read) == rows
    assert (folder / "table.md").read_text("utf-8").count("\n| ") == 2 + len(planted.measured) + 1
    page = html.unescape((folder / "index.html").read_text("utf-8"))
    assert all(sentence in page for sentence in (*planted.findings, *(one.why for one in planted.variants if one.why)))
    assert repr(planted).endswith(f"Page: {folder / 'index.html'}")


def test_the_same_call_goes_on_where_it_stopped(planted: Sensitivity, ground: Ground, folder: Path) -> None:
    parts = sorted(folder.rglob("parts/*.nc"))
    parts[-1].unlink()
    kept = {path: path.stat().st_mtime_ns for path in parts[:-1]}
    again = measured(ground, folder, [one.variant for one in planted.variants])
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert parts[-1].is_file()
    pd.testing.assert_frame_equal(again.frame(), planted.frame())
    other = replace(ground, setup=replace(ground.setup, draws=sl.Draws(2)))
    with pytest.raises(ValueError, match="samples"):
        measured(other, folder, [VARIANTS["logit"]])


def test_parts_of_other_versions_are_gone_on_with_where_that_is_accepted(
    planted: Sensitivity, ground: Ground, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    sorted((tmp_path / "copy" / "baseline").glob("parts/*.nc"))[-1].unlink()
    monkeypatch.setattr(environments, "version", lambda package: "99.0")
    variants = [VARIANTS["logit"]]
    with pytest.raises(ValueError, match=r"99\.0 here.*--accept-versions"):
        measured(ground, tmp_path / "copy", variants)
    with pytest.warns(UserWarning, match="as accepted"):
        found = measured(ground, sl.effects.RunFolder(tmp_path / "copy", accept_versions=True), variants)
    assert found.effects.equals(planted.effects)
    with pytest.raises(ValueError, match="a table is made by one process"):
        sl.sensitivity(ground.lens, sl.effects.RunFolder(tmp_path / "new", sl.effects.Shard(1, 2)), facts=[])


@pytest.fixture(scope="module")
def lens() -> "sl.Lens":
    return sl.load()


@pytest.fixture(scope="module")
def facts() -> tuple["sl.Fact", ...]:
    return tuple(fact for fact in sl.load_facts() if fact.group == "both")[:2]


def test_the_whole_job_on_two_facts(lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path) -> None:
    """Another voice says the same facts anew; a recogniser that hears one right leaves the other out."""
    pytest.importorskip("jiwer", reason="jiwer counts word errors")
    settings = sl.studies.SensitivitySettings(n_facts=2, samples=1, components=("resid_pre",), seed=1)

    def recogniser(sound: object) -> str:
        return facts[0].text("held out")

    names = ("heard without error", "other voice", "shifted by −2")
    result = sl.sensitivity(
        lens, tmp_path / "all", settings, facts, variants=[VARIANTS[name] for name in names], recogniser=recogniser
    )
    assert not result.missing
    assert result["heard without error"].changes["S2T", "resid_pre"].n_facts == 1
    assert len(result["heard without error"].setup.left_out) == 1
    voices = {prompt.voice for prompt in result["other voice"].setup.prompts}
    assert voices == {"", "espeak:en-us+f2"}
    assert result["other voice"].same == result["shifted by −2"].same == {"T2T"}
    assert np.isnan(result["other voice"].changes["S2T", "resid_pre"].agreement.value)  # two subjects bear no interval
    assert "fewer than" in result["other voice"].changes["S2T", "resid_pre"].why
    assert result.page == tmp_path / "all" / "index.html"


def test_a_cost_is_told_without_running_the_model(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise AssertionError("the model was run")

    monkeypatch.setattr(type(lens.backend), "forward", refuse)
    monkeypatch.setattr("spiritlens.studies.sensitivity.sensitivity.match_dose", refuse)
    settings = sl.studies.SensitivitySettings(n_facts=2, samples=3)
    costs = sl.studies.sensitivity_cost(lens, settings, facts)
    free = {"known in each", "all facts", "known: top 5", "known: generated 10", "heard without error"}
    assert not {*free, "logit", "log probability"} & set(costs)
    assert {"baseline", "doses matched", "token by token", "other voice", "shifted by +1"} <= set(costs)
    assert (costs["baseline"].prompts, costs["shifted by +1"].prompts, costs["doses matched"].prompts) == (4, 2, 4)
    assert costs["doses matched"].flops == costs["other draws"].flops == costs["baseline"].flops
    assert costs["single layers"].cells * 3 == costs["baseline"].cells * 2
    assert costs["token by token"].cells > 3 * costs["baseline"].cells
