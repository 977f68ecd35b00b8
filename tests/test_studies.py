"""The main job on a handful of facts of the embedded model: folder, page, honest counts, resumption."""

import html
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spiritlens as sl
from spiritlens.studies import Told, accuracy_rows, choose_known, price, selection_sentence, tell, write_wavs

SETTINGS = {"n_facts": 4, "n_token_maps": 1, "samples": 2, "components": ("resid_pre", "mlp_out"), "seed": 3}


@pytest.fixture(scope="module")
def lens() -> "sl.Lens":
    return sl.load()


@pytest.fixture(scope="module")
def facts() -> tuple["sl.Fact", ...]:
    both = [fact for fact in sl.load_facts() if fact.group == "both"]
    rest = [fact for fact in sl.load_facts() if fact.group == "text only"]
    return (*both[:8], *rest[:2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def result(lens: "sl.Lens", facts: tuple["sl.Fact", ...], folder: Path) -> "sl.Study":
    return sl.study(lens, folder, facts, **SETTINGS)


@pytest.fixture(scope="module")
def told(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> tuple[Told, ...]:
    return tell(lens, facts, voice="espeak:en-us", phrasing="held out")


def test_the_folder_holds_data_sound_and_page(result: "sl.Study", folder: Path) -> None:
    assert {"config.json", "environment.json", "prompts.parquet", "accuracy.json", "effects.nc", "index.html"} <= {
        path.name for path in folder.iterdir()
    }
    wavs = list((folder / "wavs").glob("*.wav"))
    assert len(wavs) == SETTINGS["n_facts"]
    assert all(sl.read_waveform(wav).duration > 0.5 for wav in wavs)
    assert result.page == folder / "index.html"
    page = html.unescape(result.page.read_text(encoding="utf-8"))
    assert all(sentence in page for sentence in result.findings)
    assert sl.load_effects(folder / "effects.nc").sizes["prompt"] == 2 * SETTINGS["n_facts"]


def test_both_maps_are_of_the_same_facts_and_all_are_known(result: "sl.Study") -> None:
    effects = result.effects
    by_kind = {kind: effects["fact_id"].values[effects["modality"].values == kind].tolist() for kind in ("T2T", "S2T")}
    assert by_kind["T2T"] == by_kind["S2T"]
    assert effects["known"].values.all()


def test_restoring_the_whole_subject_at_the_embeddings_restores_the_answer(result: "sl.Study") -> None:
    effects = result.effects.sel(component="resid_pre", role="subject", metric="probability").isel(layer=0)
    clean = effects["clean"].values[:, None]
    np.testing.assert_allclose(effects["restored"].values, np.broadcast_to(clean, effects["restored"].shape), atol=1e-5)


def test_three_findings_are_printed(result: "sl.Study") -> None:
    assert len(result.findings) == 3
    assert repr(result).splitlines() == [*result.findings, f"Page: {result.page}"]


def test_the_same_call_resumes_and_gives_the_same_numbers(
    result: "sl.Study", lens: "sl.Lens", facts: tuple["sl.Fact", ...], folder: Path
) -> None:
    parts = sorted((folder / "parts").glob("*.nc"))
    parts[0].unlink()
    kept = {path: path.stat().st_mtime_ns for path in parts[1:]}
    again = sl.study(lens, folder, facts, **SETTINGS)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    np.testing.assert_allclose(again.effects["restored"].values, result.effects["restored"].values, atol=1e-6)


def test_other_settings_in_the_same_folder_are_refused(
    result: "sl.Study", lens: "sl.Lens", facts: tuple["sl.Fact", ...], folder: Path
) -> None:
    before = (folder / "accuracy.json").read_bytes()
    with pytest.raises(ValueError, match="other settings"):
        sl.study(lens, folder, facts, **{**SETTINGS, "samples": 3})
    assert (folder / "accuracy.json").read_bytes() == before


def test_accuracy_counts_every_group(told: tuple[Told, ...]) -> None:
    rows = {row["group"]: row for row in accuracy_rows(told)}
    assert set(rows) == {"both", "text only", "all"}
    assert rows["both"]["facts"] == 8
    assert rows["all"]["T2T"] == np.mean([each.known["T2T"] for each in told])
    assert json.loads(json.dumps(list(rows.values())))


def test_facts_are_drawn_by_the_seed_from_those_known_in_both(told: tuple[Told, ...]) -> None:
    first, again = choose_known(told, 3, seed=1), choose_known(told, 3, seed=1)
    assert [each.fact.id for each in first] == [each.fact.id for each in again]
    assert all(each.known_in_both for each in choose_known(told, 100, seed=0))
    sentence = selection_sentence(told, first)
    assert sentence.startswith(f"Of {len(told)} facts")
    assert "3 of those" in sentence


def test_no_known_fact_is_one_clear_error(told: tuple[Told, ...]) -> None:
    nothing = [Told(each.fact, each.text, each.spoken, {"T2T": True, "S2T": False}) for each in told]
    with pytest.raises(ValueError, match="none of the 10 facts is known in both modalities"):
        choose_known(nothing, 3, seed=0)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"n_facts": 0}, "n_facts=0: at least 1"),
        ({"n_facts": -1}, "n_facts=-1: at least 1"),
        ({"n_token_maps": -1}, "n_token_maps=-1: give 0 for none"),
    ],
)
def test_impossible_counts_are_refused_before_anything_is_spoken(
    counts: dict[str, int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        sl.study(None, tmp_path / "new", (), **counts)
    with pytest.raises(ValueError, match=message):
        price(None, (), **counts)
    assert list(tmp_path.iterdir()) == []


def test_a_negative_number_of_facts_drops_none(told: tuple[Told, ...]) -> None:
    with pytest.raises(ValueError, match="n_facts=-1: at least 1"):
        choose_known(told, -1, seed=0)


def test_a_file_in_the_place_of_the_folder_is_refused_before_anything_is_spoken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(ValueError, match="is a file; name a folder"):
            sl.study(None, out, ())


def test_a_study_without_token_maps_has_none(lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path) -> None:
    settings = {**SETTINGS, "n_facts": 1, "n_token_maps": 0, "samples": 1, "components": ("resid_pre",)}
    result = sl.study(lens, tmp_path, facts[:3], **settings)
    assert result.tokens is None
    assert not (tmp_path / "tokens").exists()
    assert result.page.is_file()


def test_the_price_holds_the_maps_by_token(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    costs = price(lens, facts, n_facts=2, n_token_maps=1)
    assert {name: cost.prompts for name, cost in costs.items()} == {"by role": 4, "by token": 2}
    assert costs["by token"].cells > costs["by role"].cells / 2
    assert set(price(lens, facts, n_facts=2, n_token_maps=0)) == {"by role"}


def test_wavs_of_facts_with_other_letters_keep_apart(told: tuple[Told, ...], tmp_path: Path) -> None:
    names = ("столица/Франция", "столица/Италия")
    prompts = [replace(told[place].spoken, fact_id=name) for place, name in enumerate(names)]
    write_wavs([*prompts, replace(told[2].spoken, fact_id=names[0])], tmp_path)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert len(found) == 3
    assert f"столица_Франция_{prompts[0].id}.wav" in found
