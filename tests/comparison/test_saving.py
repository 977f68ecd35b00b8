"""A comparison that is written is read back equal, every number, label and sentence; what is damaged is refused."""

import json
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import role_effects

import spiritlens as sl
from spiritlens.comparison import saving
from spiritlens.comparison.result import Comparison
from spiritlens.effects.netcdf import write_netcdf

DRAWS = {"resamples": 50, "permutations": 50}


def unlike(one: Any, other: Any, where: str = "comparison") -> list[str]:
    """Where two values differ; kinds count, NaN equals NaN."""
    if type(one) is not type(other):
        return [f"{where}: {type(one).__name__} becomes {type(other).__name__}"]
    if is_dataclass(one):
        return [
            line
            for field in fields(one)
            for line in unlike(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
        ]
    if isinstance(one, dict):
        return unlike(list(one), list(other), where) or [
            line for name in one for line in unlike(one[name], other[name], f"{where}[{name}]")
        ]
    if isinstance(one, (tuple, list)):
        if len(one) != len(other):
            return [f"{where}: {len(one)} values become {len(other)}"]
        return [
            line for at, pair in enumerate(zip(one, other, strict=True)) for line in unlike(*pair, f"{where}[{at}]")
        ]
    if isinstance(one, xr.Dataset):
        return [] if one.identical(other) else [f"{where}: {one} becomes {other}"]
    if isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
        return [] if same else [f"{where}: {one} becomes {other}"]
    return [] if one == other or (one != one and other != other) else [f"{where}: {one!r} becomes {other!r}"]


def compared(**options: Any) -> Comparison:
    effects = role_effects(n_facts=9, peaks={"T2T": 2.0, "S2T": 4.0}, components=("resid_pre", "mlp_out"))
    return sl.compare(effects, **DRAWS, **options)


@pytest.fixture(scope="module")
def told() -> Comparison:
    """With everything that a comparison may have: clusters both ways, twins, floors and ceilings, what was heard."""
    effects = role_effects(n_facts=9, peaks={"T2T": 2.0, "S2T": 4.0}, components=("resid_pre", "mlp_out"))
    spoken = effects["modality"].values == "S2T"
    error = np.where(spoken, np.linspace(0, 1, effects.sizes["prompt"]), np.nan)
    effects = effects.assign_coords(word_error=("prompt", error))
    effects = effects.assign_coords(relation=("prompt", effects["fact_id"].values))
    flat = role_effects(n_facts=7, peaks={"T2T": 1.0, "S2T": 5.0}, components=("resid_pre", "mlp_out"))
    flat = flat.assign_coords(relation=("prompt", flat["fact_id"].values))
    references = sl.comparison.References(
        twins=[flat] * 3,
        floors={"“a” & b": flat},
        ceilings={"two voices": (effects.isel(prompt=spoken), flat.isel(prompt=flat["modality"].values == "S2T"))},
    )
    rules = sl.comparison.Rules(alpha=0.1, clusters="both", cells="false discovery")
    return sl.compare(effects, rules=rules, references=references, **DRAWS)


@pytest.mark.parametrize("name", ["told", "plain", "closed"])
def test_what_is_written_is_read_back_equal(name: str, told: Comparison, tmp_path: Path) -> None:
    if name == "closed":
        effects = role_effects(n_facts=3)
        one = sl.compare(effects, **DRAWS)
        assert one.closed
    else:
        one = told if name == "told" else compared()
    path = sl.comparison.save(one, tmp_path / "comparison.nc")
    again = sl.comparison.load(path)
    assert unlike(one, again) == []
    assert again.findings == one.findings
    assert again.table() == one.table()
    assert repr(again) == repr(one)


def test_the_comparison_of_the_test_has_what_it_should(told: Comparison) -> None:
    """Else the test above would compare empty values."""
    assert told.heard is not None
    assert not told.closed
    assert {row.part for row in told.components[0].beside.rows} == {"measured", "ceiling", "floor", "shift", "twins"}
    assert any(one.agreement.moved is not None for one in told.components)
    assert any(one is not None for one in told.limited_by)
    assert told.rules.clusters == "both"


def test_the_check_of_equality_can_fail(told: Comparison) -> None:
    assert unlike(told, replace(told, n_facts=told.n_facts + 1)) == ["comparison.n_facts: 9 becomes 10"]
    assert unlike(told, replace(told, cells=told.cells.assign_attrs(a=1)))


def test_a_flipped_bit_is_found(told: Comparison, tmp_path: Path) -> None:
    path = sl.comparison.save(told, tmp_path / "comparison.nc")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"checksum.*damaged; delete it, compare\(effects\) makes it again"):
        sl.comparison.load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: record.pop("n_facts"), "has or lacks n_facts"),
        (lambda record: record.update(later=1), "has or lacks later"),
        (lambda record: record.update(n_facts="9"), "comparison.n_facts is '9', not int"),
        (lambda record: record.update(everywhere="alike"), "none of different, equivalent, undecided"),
        (lambda record: record.update(kinds=["T2T"]), "comparison.kinds is"),
        (lambda record: record["rules"].update(alpha=2.0), "alpha=2"),
        (lambda record: record["components"][0]["estimates"].update(peak_shift=1), "peak_shift"),
    ],
)
def test_the_record_of_another_version_is_refused(told: Comparison, tmp_path: Path, change: Any, words: str) -> None:
    path = sl.comparison.save(told, tmp_path / "comparison.nc")
    with xr.open_dataset(path, engine="h5netcdf") as found:
        dataset = found.load()
    record = json.loads(str(dataset["record"].values))
    change(record)
    dataset["record"] = ((), np.array(json.dumps(record)))
    write_netcdf(dataset, path)
    with pytest.raises(ValueError, match="whose comparisons had other numbers") as refused:
        sl.comparison.load(path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_of_another_kind_are_refused(told: Comparison, tmp_path: Path) -> None:
    effects = sl.effects.save(role_effects(n_facts=3), tmp_path / "effects.nc")
    with pytest.raises(ValueError, match=r"has the schema 'spiritlens.effects/1', expected 'spiritlens.comparison/1'"):
        sl.comparison.load(effects)
    with pytest.raises(FileNotFoundError, match=r"is a folder; name the file in it, comparison\.nc"):
        sl.comparison.load(tmp_path)
    (tmp_path / "cut.nc").write_bytes(sl.comparison.save(told, tmp_path / "comparison.nc").read_bytes()[:5000])
    with pytest.raises(ValueError, match="cannot be read"):
        sl.comparison.load(tmp_path / "cut.nc")


def test_every_kind_of_field_has_a_reader() -> None:
    """A field that is added to a comparison must be one that files hold."""
    assert set(saving._hints(Comparison)) == {field.name for field in fields(Comparison)}
