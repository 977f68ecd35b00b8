"""Edges come back as they are in the result of paths, the largest where there are very many."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from spiritlens.effects.intervals import cluster_interval
from spiritlens.effects.paths import path_change
from spiritlens.report.page import edges
from spiritlens.report.page.edges import packed_edges
from spiritlens.report.page.packing import Packing, Unpacked


def unpacked(paths: xr.Dataset) -> tuple[dict[str, Any], Unpacked]:
    packing = Packing()
    about = packed_edges(paths, "known", packing)
    assert about is not None
    return about, Unpacked({}, packing.blocks())


def test_every_edge_has_its_mean_and_its_interval(paths: xr.Dataset) -> None:
    many = xr.concat([paths, paths.assign(patched=0.5 * paths["patched"])], dim="prompt")
    many = many.assign_coords(subject=("prompt", [f"s{place // 2}" for place in range(8)]))
    many = many.assign_coords(fact_id=("prompt", [f"f{place // 2}" for place in range(8)]))
    about, page = unpacked(many)
    assert about["groups"] == ["T2T", "S2T"]
    assert about["positions"] == ["all"]
    places = page.numbers(about["edges"])
    names = [f"{about['senders'][one]['name']} → {about['receivers'][other]['name']}" for one, other, _ in places]
    assert sorted(names) == sorted(
        [
            *(f"L0H{head} → L1H0.v" for head in (0, 1)),
            *(f"L{layer}H{head} → logits" for layer in (0, 1) for head in (0, 1)),
        ]
    )
    assert about["there"] == 6
    change = path_change(many).isel(pos=0, metric=0)
    for row, (one, other, _) in enumerate(places):
        sender, receiver = about["senders"][one], about["receivers"][other]
        own = change.sel(sender_component=sender["component"], receiver_component=receiver["component"])
        own = own.sel(sender_layer=sender["layer"], sender_head=sender["head"])
        own = own.sel(receiver_layer=receiver["layer"], receiver_head=receiver["head"])
        for group, kind in enumerate(about["groups"]):
            chosen = own.isel(prompt=own["modality"].values == kind)
            wanted = cluster_interval(chosen.values, chosen["subject"].values)
            assert page.numbers(about["mean"])[row, group, 0] == pytest.approx(chosen.values.mean())
            for name in ("low", "high"):
                found = page.numbers(about[name])[row, group, 0]
                np.testing.assert_allclose(found, getattr(wanted, name), rtol=1e-6)
            assert page.numbers(about["n_facts"])[row, group, 0] == 4


def test_of_very_many_the_largest_are_kept(paths: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edges, "MOST", 2)
    about, page = unpacked(paths)
    assert about["there"] == 6
    largest = np.abs(page.numbers(about["mean"])).max(axis=(1, 2))
    every, whole = unpacked_all(paths, monkeypatch)
    sizes = np.sort(np.abs(whole.numbers(every["mean"])).max(axis=(1, 2)))
    np.testing.assert_allclose(np.sort(largest), sizes[-2:])


def unpacked_all(paths: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Unpacked]:
    monkeypatch.setattr(edges, "MOST", 100)
    return unpacked(paths)


def test_nothing_is_packed_where_no_fact_is_known(paths: xr.Dataset) -> None:
    unknown = paths.assign_coords(known=0 * paths["known"])
    assert packed_edges(unknown, "known", Packing()) is None
    assert packed_edges(unknown, "all", Packing()) is not None
