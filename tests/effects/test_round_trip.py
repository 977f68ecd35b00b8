"""Files give back what was in memory: any labels, all schemas, joins, subsets and concatenations."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from effects_synthetic import role_effects, token_effects
from hypothesis import given, settings
from hypothesis import strategies as st
from made_datasets import made_effects, made_paths

import spiritlens as sl
from spiritlens.effects import netcdf
from spiritlens.effects.contents import joined, read_contents
from spiritlens.effects.joining import join_effects
from spiritlens.effects.netcdf import read_netcdf, write_netcdf
from spiritlens.effects.paths import EDGE_AXES
from spiritlens.effects.run_directory import open_run
from spiritlens.effects.schema import PROMPT_TEXTS, SITE_COORDINATES, Status
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.terms import ROLES

labels = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9) | st.sampled_from(
    ["", " ", "ends in blanks  ", "▁é", "東京", "e\u0301", "🎧", "a longer label than the others have", "nan", "None"]
)
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)


def texts(draw: st.DrawFn, count: int) -> list[str]:
    return draw(st.lists(labels, min_size=count, max_size=count))


@st.composite
def attributes(draw: st.DrawFn) -> dict[str, str | int | float]:
    return {
        "model_name": draw(labels),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "noise_scale_text": draw(st.floats()),
        "model_hash": draw(labels),
    }


def prompt_columns(draw: st.DrawFn, count: int) -> dict[str, Any]:
    columns: dict[str, Any] = {name: texts(draw, count) for name in PROMPT_TEXTS}
    return columns | {"modality": draw(st.sampled_from(["T2T", "S2T"])).split() * count, "known": [1] * count}


@st.composite
def effects_parts(draw: st.DrawFn) -> list[xr.Dataset]:
    """Parts of one study, one prompt each, of different lengths and labels."""
    at, axis = draw(st.sampled_from([("token", "pos"), ("word", "span"), ("span", "span"), ("role", "role")]))
    direction, dtype = draw(st.sampled_from(["denoising", "noising"])), draw(st.sampled_from([np.float32, np.float64]))
    heads, given_attributes = draw(st.sampled_from([(), (2,)])), draw(attributes())
    metrics = dict.fromkeys(draw(st.lists(labels, min_size=1, max_size=2, unique=True)), 1)
    components = draw(st.lists(labels, min_size=1, max_size=2, unique=True))
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        n_sites = len(ROLES) if at == "role" else draw(st.integers(1, 3))
        shape = (1, len(components), 2, n_sites, *heads)
        sites: dict[str, Any] = {"role": ROLES} if at == "role" else {}
        for name, kind in SITE_COORDINATES[axis].items():
            values = {"text": texts(draw, n_sites), "integer": [3] * n_sites, "number": [np.nan, 0.1, 1 / 3][:n_sites]}
            sites[name] = [values[kind]]
        status = np.full(shape, Status.MEASURED)
        restored = np.full((*shape, 2, len(metrics)), draw(numbers), dtype)
        status[..., 0, :] = Status.ABSENT
        restored[status == Status.ABSENT] = np.nan
        parts.append(
            made_effects(
                clean=np.full((1, len(metrics)), draw(numbers), dtype),
                corrupted=np.full((1, 2, len(metrics)), draw(numbers), dtype),
                restored=restored,
                status=status,
                noise_floor=np.zeros((1, len(metrics)), dtype),
                components=components,
                layers=range(2),
                metrics=metrics,
                prompts=prompt_columns(draw, 1),
                sites=sites,
                at=at,
                direction=direction,
                attributes={**given_attributes, "created": "2026-01-01"},
            )
        )
    return parts


@st.composite
def paths(draw: st.DrawFn) -> xr.Dataset:
    shape = (2, 1, 2, 1, 1, 2, 1, 2)
    node = {"component": texts(draw, 1), "layer": [0, 1], "head": [-1]}
    return made_paths(
        base=np.full((2, 1), draw(numbers)),
        patched=np.full((*shape, 1), draw(numbers)),
        status=np.zeros(shape),
        noise_floor=np.zeros((2, 1)),
        senders=node,
        receivers=node,
        positions=texts(draw, 2),
        metrics={draw(labels): 1},
        prompts=prompt_columns(draw, 2),
        base_run="clean",
        frozen="heads",
        norms="frozen",
        attributes=draw(attributes()),
    )


def again(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset through a file."""
    with tempfile.TemporaryDirectory() as folder:
        return read_netcdf(write_netcdf(dataset, Path(folder) / "it.nc"))


@settings(max_examples=6, deadline=None)
@given(effects_parts())
def test_effects_and_their_joins_come_back(parts: list[xr.Dataset]) -> None:
    joined = join_effects(parts)
    read = [again(part) for part in parts]
    for part, found in zip(parts, read, strict=True):
        xr.testing.assert_identical(found, part)
    xr.testing.assert_identical(again(join_effects(read)), joined)
    names = [name for part in parts for name in part["fact_id"].values.tolist()]
    assert again(joined)["fact_id"].values.tolist() == names


@settings(max_examples=8, deadline=None)
@given(paths())
def test_paths_come_back(dataset: xr.Dataset) -> None:
    assert set(dataset["patched"].dims) >= set(EDGE_AXES)
    xr.testing.assert_identical(again(dataset), dataset)


def test_xarray_reads_the_same_from_the_file(tmp_path: Path) -> None:
    for name, dataset in (("tokens", token_effects()), ("roles", role_effects())):
        path = sl.effects.save(dataset, tmp_path / f"{name}.nc")
        with xr.open_dataset(path, engine="h5netcdf") as found:
            xr.testing.assert_identical(found.load(), dataset)


def grown(effects: xr.Dataset) -> list[xr.Dataset]:
    """One part per prompt, whose labels grow from part to part."""
    parts = [effects.isel(prompt=[place]) for place in range(effects.sizes["prompt"])]
    return [
        part.assign_coords({name: part[name].copy(data=np.full(1, "é" * 3**place)) for name in ("fact_id", "voice")})
        for place, part in enumerate(parts)
    ]


def test_labels_of_later_parts_stay_whole_in_a_run(tmp_path: Path) -> None:
    run = open_run(tmp_path, {})
    parts = grown(token_effects(n_facts=2))
    for place, part in enumerate(parts):
        run.write_part(f"p{place}", part)
    ids = [str(part["prompt_id"].values[0]) for part in parts]
    finished = run.write_effects(joined(run, ids, read_contents(run).where))
    assert finished["voice"].values.tolist() == ["é", "ééé", "é" * 9, "é" * 27]
    xr.testing.assert_identical(sl.effects.load(tmp_path / "effects.nc"), finished)


def test_what_users_concatenate_themselves_stays_whole(tmp_path: Path) -> None:
    files = [sl.effects.save(part, tmp_path / f"{n}.nc") for n, part in enumerate(grown(role_effects(n_facts=2)))]
    loaded = xr.concat([sl.effects.load(path) for path in files], dim="prompt")
    assert not any(variable.encoding for variable in loaded.variables.values())
    xr.testing.assert_identical(sl.effects.load(sl.effects.save(loaded, tmp_path / "ours.nc")), loaded)
    opened = xr.concat([xr.load_dataset(path, engine="h5netcdf") for path in files], dim="prompt")
    xr.testing.assert_identical(sl.effects.load(sl.effects.save(opened, tmp_path / "theirs.nc")), opened)
    assert opened["fact_id"].values.tolist() == ["é", "ééé", "é" * 9, "é" * 27]


def test_subsets_and_selections_come_back(tmp_path: Path) -> None:
    loaded = sl.effects.load(sl.effects.save(token_effects(), tmp_path / "all.nc"))
    for name, subset in (
        ("some", loaded.isel(prompt=[4, 1])),
        ("window", loaded.isel(layer=slice(1, 3), pos=slice(2, 5))),
        ("ordered", loaded.sortby("fact_id", ascending=False)),
        ("turned", loaded.isel(sample=slice(None, None, -1))),
    ):
        xr.testing.assert_identical(sl.effects.load(sl.effects.save(subset, tmp_path / f"{name}.nc")), subset)


@pytest.mark.parametrize("kind", ["object", "big-endian", "more attributes", "units", "fill"])
def test_odd_kinds_come_back_equal(kind: str, tmp_path: Path) -> None:
    effects = token_effects(n_facts=2)
    changed = {
        "object": lambda: effects.assign_coords(voice=("prompt", effects["voice"].values.astype(object))),
        "big-endian": lambda: effects.assign(clean=effects["clean"].astype(">f8")),
        "more attributes": lambda: effects.assign_attrs(note="", place=np.float32(0.1), count=np.uint8(3)),
        "units": lambda: effects.assign_coords(start=effects["start"].assign_attrs(units="seconds")),
        "fill": lambda: effects.assign(clean=effects["clean"].assign_attrs(scale="2", label="TE (π)")),
    }[kind]()
    found = sl.effects.load(sl.effects.save(changed, tmp_path / "e.nc"))
    assert found.equals(changed)
    assert all(found[name].attrs == changed[name].attrs for name in ("start", "clean"))
    assert {name: type(value) for name, value in found.attrs.items() if name == "seed"} == {"seed": int}


def with_label(value: Any, dtype: type = object) -> xr.Dataset:
    effects = token_effects(n_facts=1)
    return effects.assign_coords(voice=("prompt", np.array(["a", value], dtype=dtype)))


@pytest.mark.filterwarnings("ignore:coordinate 'a b' has a space")
@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (lambda: with_label("a\0b"), r"e\.nc: voice\[1\] is 'a\\x00b', with a NUL character"),
        (lambda: with_label("\ud800", str), r"e\.nc: voice\[1\] is '\\ud800', with half a character"),
        (lambda: with_label(None), r"e\.nc: voice\[1\] is nan \(float\), expected a text"),
        (lambda: token_effects(n_facts=1, note="a\0"), r"e\.nc: attribute 'note' is 'a\\x00', with a NUL"),
        (lambda: token_effects(n_facts=1, count=2**70), r"e\.nc cannot be written as netCDF \("),
        (  # xarray warns, and writes it as no coordinate
            lambda: token_effects(n_facts=1).assign_coords({"a b": ("prompt", [1, 2])}),
            r"e\.nc would not be read back as it is: coordinates \['a b'\]",
        ),
    ],
)
def test_what_a_file_cannot_hold_is_refused_by_name(dataset: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        sl.effects.save(dataset(), tmp_path / "e.nc")
    assert list(tmp_path.iterdir()) == []


def test_large_variables_are_compared_with_their_file_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = token_effects(n_facts=2)
    monkeypatch.setattr(netcdf, "LARGE", effects["restored"].nbytes // 3)
    xr.testing.assert_identical(sl.effects.load(sl.effects.save(effects, tmp_path / "e.nc")), effects)
    axes = netcdf._axes
    monkeypatch.setattr(netcdf, "_axes", lambda item: axes(item)[::-1] if item.name == "/restored" else axes(item))
    with pytest.raises(ValueError, match=r"f\.nc would not be read back as it is: restored"):
        sl.effects.save(effects, tmp_path / "f.nc")
    assert not (tmp_path / "f.nc").exists()


def test_one_flipped_bit_is_found(tmp_path: Path) -> None:
    path = sl.effects.save(token_effects(n_facts=1), tmp_path / "e.nc")
    data = bytearray(path.read_bytes())
    place = bytes(data).index(token_effects(n_facts=1)["restored"].values.tobytes()[:256]) + 100
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="checksum is not that of its content"):
        sl.effects.load(path)


def test_a_file_that_another_program_changed_has_no_seal(tmp_path: Path) -> None:
    path = sl.effects.save(token_effects(n_facts=1), tmp_path / "e.nc")
    with xr.load_dataset(path, engine="h5netcdf") as dataset:
        dataset.assign_attrs(note="edited").to_netcdf(path, engine="h5netcdf")
    assert sl.effects.load(path).attrs["note"] == "edited"
    assert read_netcdf(path).attrs["seed"] == 0


def prompts_of_texts() -> list[Prompt]:
    """Two written prompts: all times NaN, no foil in one, labels beyond ASCII."""
    nan, size = float("nan"), 3
    return [
        Prompt(
            ids=(1, 5, 6),
            text="▁é 東京 ",
            labels=("<s>", "▁é", ""),
            families=("bos", "text", "text"),
            modalities=("none", "text", "text"),
            words=("é", "東京"),
            word_index=(-1, 0, 1),
            roles=("bos", "subject", "last word"),
            parts=("none", "last", "none"),
            starts=(nan,) * size,
            ends=(nan,) * size,
            subject=Span("é", (1,)),
            answer="x",
            answer_ids=(9,),
            kind="T2T",
            foil_ids=foil,
        )
        for foil in ((), (7, 8))
    ]


@pytest.mark.parametrize("places", [[0], [0, 1]])
def test_prompts_come_back(places: list[int], tmp_path: Path) -> None:
    prompts = [prompts_of_texts()[place] for place in places]
    run = open_run(tmp_path, {})
    run.write_prompts([prompt.to_dict() for prompt in prompts])
    found = [Prompt.from_dict(row) for row in run.read_prompts().to_dict("records")]
    assert [repr(prompt.to_dict()) for prompt in found] == [repr(prompt.to_dict()) for prompt in prompts]


def test_settings_come_back(tmp_path: Path) -> None:
    config = {
        "model": "é\u2028\u0000",
        "scale": 0.1,
        "seed": 2**63,
        "layers": [1, 2],
        "none": None,
        "nested": {"b": "東京"},
    }
    open_run(tmp_path, config)
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8")) == config
