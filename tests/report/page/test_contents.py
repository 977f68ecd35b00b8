"""What is packed into a page and read back is what the datasets, the comparison and the prompts hold."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import xarray as xr
from effects_synthetic import role_effects

from spiritlens.comparison.compare import compare
from spiritlens.comparison.pairing import paired, prompt_maps
from spiritlens.effects.averages import average
from spiritlens.effects.quantities import indirect, total
from spiritlens.effects.schema import Status
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_seconds import seconds_of
from spiritlens.report.page.contents import beside, contents_of
from spiritlens.report.page.document import Contents
from spiritlens.report.page.leading import leading
from spiritlens.report.page.packing import STEPS, Unpacked
from spiritlens.report.page.sounds import opus
from spiritlens.report.page.spoken import outline
from spiritlens.speech.audio.waveform import Waveform


@pytest.fixture(scope="module")
def contents(roles: xr.Dataset, tokens: xr.Dataset, prompts: list[Prompt], tmp_path_factory: Any) -> Contents:
    comparison = compare(roles, resamples=20, permutations=100)
    folder = tmp_path_factory.mktemp("page")
    return contents_of(
        leading(comparison, {}, {"token": tokens, "role": roles}), prompts, "known", "in the page", folder
    )


@pytest.fixture(scope="module")
def page(contents: Contents) -> Unpacked:
    return Unpacked(contents.header, dict(contents.blocks))


def test_facts_and_prompts_stand_once(page: Unpacked, roles: xr.Dataset, tokens: xr.Dataset) -> None:
    facts, prompts = page.header["facts"], page.header["prompts"]
    names = page.texts(facts["name"])
    assert names == [f"capital/{fact}" for fact in range(12)]
    assert page.texts(facts["subject"])[:3] == ["france", "italy", "norway"]
    ids = page.texts(prompts["prompt_id"])
    assert ids == [*roles["prompt_id"].values.tolist(), *tokens["prompt_id"].values.tolist()]
    of = [names[fact] for fact in page.numbers(prompts["fact"])]
    assert of == [*roles["fact_id"].values.tolist(), *tokens["fact_id"].values.tolist()]
    assert list(page.header["maps"]) == ["role", "token"]  # by role first


def test_maps_by_role_come_back_with_the_readout_in_one_row(page: Unpacked, roles: xr.Dataset) -> None:
    about = page.header["maps"]["role"]
    rows = page.texts(about["rows"]["labels"])
    assert rows[-1] == "read-out"
    effect, n_prompts = indirect(roles), roles.sizes["prompt"]
    for metric, prompt in ((0, 0), (0, 1), (1, 5)):
        found = page.segment(about["values"], metric * n_prompts + prompt).reshape(2, 8, 1, len(rows))
        own = effect.isel(prompt=prompt, metric=metric)
        for row in ("subject", "after subject"):
            wanted = own.sel(role=row).values
            np.testing.assert_allclose(found[:, :, 0, rows.index(row)], wanted, atol=np.abs(own).max() / STEPS)
        readout = "last word" if prompt % 2 == 0 else "final marker"
        np.testing.assert_allclose(
            found[:, :, 0, rows.index("read-out")], own.sel(role=readout).values, atol=np.abs(own).max() / STEPS
        )
    np.testing.assert_allclose(page.numbers(about["total"]), total(roles).values.T, rtol=1e-6)
    status = page.numbers(about["status"]).reshape(n_prompts, 2, 8, 1, len(rows))
    assert (status[:, :, :, :, rows.index("bos")] == Status.EXACT).all()
    assert (status[0, ..., rows.index("modality marker")] == Status.ABSENT).all()
    assert (status[..., rows.index("read-out")] == Status.MEASURED).all()


def test_maps_by_token_come_back_with_their_rows(page: Unpacked, tokens: xr.Dataset) -> None:
    about, effect = page.header["maps"]["token"], indirect(tokens)
    sizes = page.numbers(about["rows"]["sizes"])
    assert sizes.tolist() == [8, 10] * 3
    labels = page.texts(about["rows"]["labels"])
    assert labels[8:18] == [str(one) for one in tokens["token"].values[1]]
    found = page.segment(about["values"], 1).reshape(6, 10)
    wanted = effect.isel(prompt=1, component=0, metric=0).values
    np.testing.assert_allclose(found, wanted, atol=np.nanmax(np.abs(wanted)) / STEPS)
    np.testing.assert_allclose(page.numbers(about["rows"]["start"])[8:18], tokens["start"].values[1], rtol=1e-6)


def test_averages_are_those_of_the_effects(page: Unpacked, roles: xr.Dataset) -> None:
    about, means = page.header["averages"]["role"], average(roles)
    for quantity, wanted in (("effect", means), ("share", average(roles, quantity="normalised"))):
        for name in ("mean", "low", "high"):
            found = page.numbers(about[quantity][name])
            assert found.shape == (2, 2, 8, 1, len(about["rows"]), 2)
            own = wanted[name].sel(role="subject").transpose("group", "component", "layer", "metric").values
            np.testing.assert_allclose(found[:, :, :, 0, about["rows"].index("subject")], own, rtol=1e-5, atol=1e-7)
            marker = (
                wanted[name].sel(role="final marker").isel(group=1).transpose("component", "layer", "metric").values
            )
            np.testing.assert_allclose(found[1, :, :, 0, -1], marker, rtol=1e-5, atol=1e-7)
    assert (page.numbers(about["effect"]["n_facts"])[..., -1, :] == 12).all()
    crossings = np.asarray(about["crossings"]["share"], dtype=float)
    assert crossings.shape == (2, 2, 2, 3)
    assert (crossings[0, ..., 0] < crossings[1, ..., 0]).all()  # the planted peaks are at 2 and 4
    taken = compare(roles, resamples=20, permutations=100)["resid_pre"].taken_over[1].layer
    told = about["crossings"]["effect"][1][0][0]
    np.testing.assert_allclose(told, [taken.value, taken.low, taken.high], rtol=1e-6)


def test_the_difference_is_that_of_the_pairs(page: Unpacked, roles: xr.Dataset) -> None:
    about = page.header["difference"]
    maps = prompt_maps(roles, "logit", "read-out")
    pairs = paired(maps, maps, ("T2T", "S2T"))
    found = about["metrics"]["logit"]["effect"]
    status = page.numbers(about["status"])
    np.testing.assert_array_equal(status == Status.MEASURED, pairs.cells)
    assert set(status[:, :, about["rows"].index("bos")].ravel()) == {Status.EXACT}
    assert set(status[:, :, about["rows"].index("modality marker")].ravel()) == {Status.ABSENT}
    wanted = np.where(status < Status.SCREENED, (pairs.values[1] - pairs.values[0]).mean(axis=0), np.nan)
    np.testing.assert_allclose(page.numbers(found["difference"]["mean"]), wanted, rtol=1e-5, atol=1e-6)
    place = page.numbers(about["places"])[1, 3]
    assert (roles["fact_id"].values[place], roles["modality"].values[place]) == ("capital/3", "S2T")
    rows = page.texts(page.header["maps"]["role"]["rows"]["labels"])
    own = page.segment(page.header["maps"]["role"]["values"], roles.sizes["prompt"] + place)
    own = own.reshape(2, 8, 1, len(rows))[:, :, 0, [rows.index(row) for row in about["rows"]]]
    own = np.where(np.isnan(pairs.values[1, 3]), np.nan, own)
    np.testing.assert_allclose(own, pairs.values[1, 3], atol=np.nanmax(np.abs(pairs.values[1, 3])) / STEPS)
    np.testing.assert_allclose(page.numbers(about["metrics"]["logit"]["totals"]), pairs.totals, rtol=1e-6)
    assert page.texts(about["facts"]) == [f"capital/{fact}" for fact in range(12)]
    cells = compare(roles, resamples=20, permutations=100).cells
    codes = page.numbers(about["tested"]["verdict"])
    different = np.argwhere(codes == about["tested"]["verdicts"].index("different"))
    own_cells = cells.transpose("component", "layer", "role")["verdict"].values
    np.testing.assert_array_equal(different, np.argwhere(own_cells == "different"))
    assert len(different) == about["tested"]["n_different"] > 0


def test_facts_of_several_prompts_are_packed_as_they_were_paired(tmp_path: Path) -> None:
    roles = role_effects(n_facts=6, phrasings=2)
    found = contents_of(leading(None, {}, {"a": roles}), [], "known", "in the page", tmp_path)
    about, page = found.header["difference"], Unpacked(found.header, dict(found.blocks))
    assert about["places"] is None
    maps = prompt_maps(roles, "probability", "read-out")
    pairs = paired(maps, maps, ("T2T", "S2T"))
    own = page.segment(about["metrics"]["probability"]["facts"], 6 + 3).reshape(pairs.cells.shape)
    np.testing.assert_allclose(own, pairs.values[1, 3], atol=np.nanmax(np.abs(pairs.values[1, 3])) / STEPS)


def test_nothing_is_paired_in_one_modality(roles: xr.Dataset, tmp_path: Path) -> None:
    written = roles.isel(prompt=roles["modality"].values == "T2T")
    found = contents_of(leading(None, {}, {"a": written}), [], "known", "in the page", tmp_path)
    assert found.header["difference"] is None
    unknown = roles.assign_coords(known=("prompt", np.zeros(roles.sizes["prompt"], dtype=np.int8)))
    found = contents_of(leading(None, {}, {"a": unknown}), [], "known", "in the page", tmp_path)
    assert found.header["difference"] is None
    assert "no known fact" in found.header["averages"]["a"]["missing"]
    assert len(found.header["maps"]) == 1  # each fact can be opened all the same


def test_words_units_and_times_of_speech_come_back(page: Unpacked, prompts: list[Prompt]) -> None:
    about, spoken = page.header["spoken"], prompts[1]
    assert page.numbers(about["unit_sizes"]).tolist() == [7, 7, 7]
    assert page.texts(about["words"]["text"])[:5] == ["the", "capital", "of", "france", "is"]
    times = seconds_of(spoken).times
    np.testing.assert_allclose(page.numbers(about["units"]["start"])[:7], [start for start, _ in times.values()])
    assert page.numbers(about["words"]["subject"])[:5].tolist() == [0, 0, 0, 1, 0]
    np.testing.assert_allclose(page.numbers(about["words"]["end"])[3], 1.0)
    assert outline(np.zeros(0), 4).tolist() == [0, 0, 0, 0]
    assert outline(np.array([0.0, 0.5, -1.0, 0.25]), 2).tolist() == [128, 255]


def heard(data: bytes) -> np.ndarray:
    return np.asarray(soundfile.read(io.BytesIO(data))[0])


def test_sound_is_kept_to_the_sample_and_lies_where_it_is_asked_for(
    roles: xr.Dataset, tokens: xr.Dataset, prompts: list[Prompt], contents: Contents, page: Unpacked, tmp_path: Path
) -> None:
    waveform = prompts[1].waveform
    assert waveform is not None
    samples, rate = soundfile.read(io.BytesIO(opus(waveform)))
    assert (rate, len(samples)) == (16000, len(waveform))
    assert np.abs(samples - waveform.samples)[800:-800].max() < 0.1
    other = Waveform(waveform.samples[::2], 22050)
    assert soundfile.info(io.BytesIO(opus(other))).duration == pytest.approx(other.duration, abs=1e-3)
    ends = page.numbers(page.header["sounds"]["ends"])
    np.testing.assert_array_equal(heard(base64.b64decode(contents.sounds[ends[0] : ends[1]])), samples)
    beside = contents_of(leading(None, {}, {"token": tokens}), prompts, "known", "beside it", tmp_path)
    files = Unpacked(beside.header, dict(beside.blocks)).texts(beside.header["sounds"]["files"])
    assert beside.sounds == ""
    assert list(beside.sound_files) == files
    assert not list(tmp_path.iterdir())  # they are written with the page
    for name, sheet in beside.sound_files.items():
        property_name, encoded = re.fullmatch(r':host\{--([\w-]+):"([\w+/=]+)"\}', sheet.decode()).groups()  # type: ignore[union-attr]
        assert name == f"sounds/{property_name}.css"
        np.testing.assert_array_equal(heard(base64.b64decode(encoded)), samples)


def test_prompts_that_are_not_of_the_effects_are_refused(roles: xr.Dataset, prompts: list[Prompt]) -> None:
    with pytest.raises(ValueError, match=r"prompts\[0\] .* is not among the prompts of the effects"):
        contents_of(leading(None, {}, {"role": roles}), prompts, "known", "in the page", Path())


def test_datasets_of_the_run_folder_are_found(tmp_path: Path) -> None:
    assert beside(tmp_path) == []
    for name in ("effects.nc", "tokens/effects.nc", "parts/1.nc", "a/b/c.nc", "notes.txt", "report/index.html"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert beside(tmp_path) == ["effects.nc", "tokens/effects.nc"]
    assert beside(tmp_path / "report") == ["../effects.nc"]
    assert beside(tmp_path / "tokens") == ["effects.nc"]
