"""The Known-1000 experiment on the embedded model: it asks, traces, tells, goes on, and measures nothing twice."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import spiritlens as sl

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def known_1000(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module("known_1000")


def test_it_asks_traces_tells_and_goes_on(known_1000, tmp_path, monkeypatch):
    lens, facts = sl.load(), sl.load_facts()[:6]

    def run(n_facts):
        return known_1000.experiment(lens, facts, tmp_path, n_facts=n_facts, samples=2, window=5, seed=0)

    told = run(2)
    (asked,) = tmp_path.glob("asked_*.csv")
    answers, two = asked.read_text(), sl.effects.load(next((tmp_path / "traces").glob("*.nc")))
    known = sum(sl.known_prompts(lens, sl.prompts.writable(lens, facts).prompts))
    assert 3 <= known == answers.count(",known")
    assert f"{known} of 6 prompts are known, 2 of them are traced." in told
    assert two.sizes["prompt"] == 2

    monkeypatch.setattr(sl, "known_prompts", lambda *_: pytest.fail("a fact is asked twice"))
    run(3)
    assert asked.read_text() == answers
    three = sl.effects.load(next((tmp_path / "traces").glob("*.nc")))
    assert three.sizes["prompt"] == 3
    kept = three.sel(prompt=[name in two["prompt_id"].values for name in three["prompt_id"].values])
    assert kept["restored"].equals(two["restored"])

    layers = pd.read_csv(tmp_path / "layers.csv").set_index(["component", "role", "layer"])
    assert set(layers["n_facts"]) <= {0, 3}
    effects = sl.effects.load(next((tmp_path / "traces").glob("*.nc")))
    total = float(sl.effects.average_total(effects)["mean"].sel(metric="probability")[0])
    first = layers.loc[("resid_pre", "subject", 0), "mean"]
    assert first == pytest.approx(total, abs=1e-6)  # the subject whole, before any layer: nothing is corrupted
    assert layers.loc[("resid_pre", "last token", 0), "mean"] == pytest.approx(0, abs=1e-6)
    beside = pd.read_csv(tmp_path / "beside_GPT-2_XL.csv").set_index("quantity")["here"]
    assert beside["total effect (ATE)"].startswith(f"{100 * total:.1f} %")
    page = (tmp_path / "index.html").read_text()
    assert "8.7 % (block output of layer 15)" in page
    assert "plotly" in page
    assert "2 of them are traced" in run(2)
    assert set(pd.read_csv(tmp_path / "layers.csv")["n_facts"]) <= {0, 2}, "the folder holds three"


def test_the_facts_are_shipped_whole_with_their_notice():
    rows = json.loads((EXPERIMENTS / "facts" / "known_1000.json").read_text())
    assert len(rows) == 1209
    notice = (EXPERIMENTS / "facts" / "LICENSE.md").read_text()
    assert "Copyright (c) 2022 Kevin Meng" in notice


def test_written_tables_are_read_back_as_they_were_made(known_1000, tmp_path, monkeypatch):
    """Every cell of every CSV, labels and column names included, is what was in memory; so is what the folder keeps."""
    made: dict[str, pd.DataFrame] = {}

    def kept(name):
        make = getattr(known_1000, name)

        def call(*args):
            made[name] = make(*args)
            return made[name]

        monkeypatch.setattr(known_1000, name, call)

    for name in ("beside_gpt2_xl", "peak_table", "by_relation", "by_layer"):
        kept(name)
    lens = sl.load()
    facts = [replace(fact, relation=f'{fact.relation}, "of" {place}') for place, fact in enumerate(sl.load_facts()[:6])]
    known_1000.experiment(lens, facts, tmp_path, n_facts=2, samples=2, window=5, seed=0)
    files = {
        "beside_gpt2_xl": "beside_GPT-2_XL.csv",
        "peak_table": "peaks.csv",
        "by_relation": "known_by_relation.csv",
        "by_layer": "layers.csv",
    }
    assert {path.name for path in tmp_path.glob("*.csv") if "asked" not in path.name} == set(files.values())
    for name, file in files.items():
        texts = dict.fromkeys(made[name].select_dtypes("object"), str)  # a relation "12" is no number
        read = pd.read_csv(
            tmp_path / file,
            dtype=texts,
            keep_default_na=False,
            na_values={column: [""] for column in made[name] if column not in texts},
        )
        pd.testing.assert_frame_equal(read, made[name], check_dtype=False, rtol=0, atol=0)
        assert len(read)
    (asked,) = tmp_path.glob("asked_*.csv")
    prompts = sl.prompts.writable(lens, facts).prompts
    read = pd.read_csv(asked, header=None, names=["prompt", "answer"], dtype=str).set_index("prompt")["answer"]
    known = dict(zip([prompt.id for prompt in prompts], sl.known_prompts(lens, prompts), strict=True))
    assert read.eq("known").to_dict() == known
