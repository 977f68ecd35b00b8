"""The difference by head is that of each head, paired as `sl.compare` pairs."""

import numpy as np
import xarray as xr

from spiritlens.comparison.pairing import paired, prompt_maps
from spiritlens.report.page.head_difference import packed_head_difference
from spiritlens.report.page.packing import STEPS, Packing, Unpacked

KINDS = ("T2T", "S2T")


def test_each_head_has_its_own_difference(heads: xr.Dataset) -> None:
    packing = Packing()
    about = packed_head_difference(heads, KINDS, "known", packing)
    assert about is not None
    page = Unpacked({}, packing.blocks())
    assert (about["heads"], about["n_facts"]) == ([0, 1], 12)
    for head in (0, 1):
        maps = prompt_maps(heads.isel(head=head, drop=True), "logit", "read-out")
        pairs = paired(maps, maps, KINDS)
        wanted = np.where(pairs.cells, (pairs.values[1] - pairs.values[0]).mean(axis=0), np.nan)
        own = about["metrics"]["logit"]["effect"]["difference"]
        found = page.numbers(own["mean"])[:, :, head]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
        assert set(page.numbers(own["n_facts"])[:, :, head][pairs.cells].tolist()) == {12}
        shares = (pairs.values / pairs.totals[:, :, None, None, None]).mean(axis=1)
        second = page.numbers(about["metrics"]["logit"]["share"]["second"]["mean"])[:, :, head]
        np.testing.assert_allclose(second, np.where(pairs.cells, shares[1], np.nan), rtol=1e-5, atol=1e-6)
    assert page.texts(about["facts"])[3] == "capital/3"
    assert page.numbers(about["metrics"]["logit"]["facts"]["sizes"]).size == 0  # each fact has one map
    places = page.numbers(about["places"])
    assert heads["modality"].values[places[1]].tolist() == ["S2T"] * 12


def test_facts_of_several_prompts_are_packed_as_they_were_paired(heads: xr.Dataset) -> None:
    """Each fact is asked again, with other effects, by a second phrasing."""
    again = heads.assign(restored=(heads["restored"] + heads["corrupted"]) / 2).assign_coords(
        phrasing=("prompt", np.full(heads.sizes["prompt"], "again")),
        prompt_id=("prompt", np.array([f"{one} again" for one in heads["prompt_id"].values])),
    )
    both = xr.concat([heads, again], dim="prompt", data_vars="minimal", coords="minimal", compat="override")
    packing = Packing()
    about = packed_head_difference(both, KINDS, "known", packing)
    assert about is not None
    assert about["places"] is None
    page = Unpacked({}, packing.blocks())
    for head in (0, 1):
        maps = prompt_maps(both.isel(head=head, drop=True), "logit", "read-out")
        pairs = paired(maps, maps, KINDS)
        for side, fact in ((0, 3), (1, 7)):
            own = page.segment(about["metrics"]["logit"]["facts"], side * 12 + fact)
            own = own.reshape(*pairs.cells.shape[:2], 2, -1)[:, :, head]
            largest = np.nanmax(np.abs(pairs.values[side, fact]))
            np.testing.assert_allclose(own, pairs.values[side, fact], atol=4 * largest / STEPS)


def test_nothing_is_paired_in_one_modality(heads: xr.Dataset) -> None:
    written = heads.isel(prompt=heads["modality"].values == "T2T")
    assert packed_head_difference(written, KINDS, "known", Packing()) is None
    unknown = heads.assign_coords(known=0 * heads["known"])
    assert packed_head_difference(unknown, KINDS, "known", Packing()) is None
