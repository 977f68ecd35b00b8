"""Interchange end to end: planted machines that share their heads or not, backups, folders, what is refused."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

import spiritlens as sl
from spiritlens.analysis.interchange.interchange import interchange
from spiritlens.analysis.interchange.set_runs import SweptSets
from spiritlens.analysis.tracing.one_prompt import trace_prompt
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.models.planted.planted import planted
from tests.planted_heads import BACKUP, MERGE, MOVER, SPEECH_MOVER, heads_apart, shared_with_backup

FEW = sl.heads.Parts(sizes=(1, 2, 3, 30), random_rankings=2)
QUIET = {"progress": "none"}
MACHINES = {
    "shared": planted,
    "apart": heads_apart,
    "shared, backup": shared_with_backup,
    "apart, backup": lambda: heads_apart(backup=True),
}


def asked(machine, count=6):
    return machine.prompts[:count], machine.prompts[12 : 12 + count]


@pytest.fixture(scope="module")
def machines():
    return {name: make() for name, make in MACHINES.items()}


@pytest.fixture(scope="module")
def results(machines):
    return {name: interchange(machine.lens, *asked(machine), FEW, **QUIET) for name, machine in machines.items()}


def best(found: xr.Dataset, kind: str, count: int = 2) -> set[str]:
    """The first parts of a modality's rankings, which both halves must agree on."""
    firsts = [set(found["part"].values[order[:count]]) for order in found["order"].sel(ranking=kind).values]
    assert firsts[0] == firsts[1]
    return firsts[0]


@pytest.mark.parametrize("name", MACHINES)
def test_the_heads_that_carry_the_fact_lead_each_ranking(results, name) -> None:
    movers = {"T2T": MOVER, "S2T": SPEECH_MOVER if name.startswith("apart") else MOVER}
    for kind, mover in movers.items():
        assert best(results[name], kind) == {MERGE, mover}


@pytest.mark.parametrize("name", MACHINES)
def test_shared_heads_serve_the_other_modality_and_separate_ones_do_not(results, name) -> None:
    """By f(k*): two heads of 32 fill too little of the area to be seen in CPR and CMD."""
    areas = sl.heads.faithfulness_areas(results[name])
    ranked = areas[areas["ranking"] == "ranked"].set_index("direction")
    for direction, row in ranked.iterrows():
        found, kept = str(direction).split("→")
        assert row["k*"] == 2
        if found == kept or name.startswith("shared"):
            assert row["f(k*)"] == pytest.approx(1, abs=0.15)
        else:
            assert abs(row["f(k*)"]) < 0.05
            assert row["f(k*) below own"] > 0.9
        assert row["CPR above random"] > 0.2
    reversed_ones = areas[areas["ranking"] == "reversed"]
    assert (reversed_ones["CPR"] < 0.1).all()
    assert (reversed_ones["f(k*)"].abs() < 0.05).all()


def test_a_backup_would_fool_removal_and_keeping_alone(machines, results) -> None:
    """What the rule of ranking is for: see `spiritlens.analysis.interchange.rankings`."""
    machine = machines["apart, backup"]
    written = machine.prompts[:6]
    mover, backup = (tuple(int(number) for number in name[1:].split("H")) for name in (MOVER, BACKUP))
    others = [(layer, head) for layer in range(8) for head in range(4)]
    groups = {
        "mover": [mover],
        "backup": [backup],
        "both": [mover, backup],
        "all but merge and backup": [head for head in others if head not in ((1, 0), backup)],
        "all": others,
    }
    lost = sl.heads.head_knockout(machine.lens, written, groups=groups, metrics=("logit_difference",), **QUIET)
    cost = sl.effects.indirect(lost).isel(metric=0, span=0, layer=0).mean("prompt")
    share = {name: float(cost.sel(component=name) / cost.sel(component="all")) for name in groups}
    assert abs(share["mover"]) < 0.1  # removal alone: the mover looks idle
    assert abs(share["backup"]) < 0.01
    assert share["both"] > 0.8
    assert share["all but merge and backup"] < 0.1  # kept alone: the backup looks like the carrier
    score = results["apart, backup"]["score"].sel(found_in="T2T").mean("fold")
    place = {str(part): number for number, part in enumerate(score["part"].values)}
    assert float(score[place[MOVER]]) > 0.9
    assert float(score[place[BACKUP]]) < 0.1


def test_all_kept_is_the_model_and_none_kept_is_empty(results) -> None:
    for found in results.values():
        np.testing.assert_allclose(found["kept"].sel(size=32), found["clean"].expand_dims(ranking=6).T, atol=1e-10)
        np.testing.assert_allclose(found["kept"].sel(size=0), found["empty"].expand_dims(ranking=6).T, atol=1e-10)
        curves = sl.heads.faithfulness(found)["f"]
        np.testing.assert_allclose(curves.sel(size=0), 0, atol=1e-10)
        np.testing.assert_allclose(curves.sel(size=32), 1, atol=1e-10)
        assert found["noise_floor"].max() < 1e-10


def test_removing_the_first_is_keeping_the_others(machines, results) -> None:
    """f of the reversed ranking at 30 of 32 is that of a knock-out of the first two."""
    machine, found = machines["shared"], results["shared"]
    prompt = machine.prompts[0]
    fold = int(found["prompt_fold"][0])
    first = found["order"].sel(ranking="T2T", fold=fold).values[:2]
    heads = [divmod(int(number), 4) for number in first]
    ablation = sl.heads.Ablation("mean", reference=machine.prompts[1:6])
    metric = ("logit_difference",)
    slow = sl.heads.head_knockout(machine.lens, [prompt], ablation, metric, groups={"two": heads}, **QUIET)
    value = float(found["kept"].sel(ranking="T2T reversed", size=30)[0])
    assert value == pytest.approx(float(slow["restored"].squeeze()), abs=1e-10)


def test_no_fact_is_tested_on_what_ranked_it(machines, results) -> None:
    """The score of a fold comes from the other one: changing a fact's effects moves its own fold's ranking nowhere."""
    machine = machines["apart"]
    (written, _), found = asked(machine), results["apart"]
    alone = np.flatnonzero(found["prompt_fold"].values[: len(written)] == 1)
    trace = sl.causal_trace(
        machine.lens,
        [written[number] for number in alone],
        sl.Grid(("z",), at="span", spans=("all but the beginning",)),
        metrics=("logit_difference",),
        samples=1,
        **QUIET,
    )
    restored = sl.effects.indirect(trace).mean("prompt").squeeze().values.reshape(-1)
    share = restored / float(sl.effects.total(trace).mean())
    scores = found["score"].sel(found_in="T2T").values
    used = np.abs(share) > 0.5
    np.testing.assert_allclose(scores[0][used], share[used], atol=1e-9)


def test_a_folder_resumes_each_stage_and_gives_the_same(machines, results, tmp_path) -> None:
    machine, whole = machines["shared"], results["shared"]
    given = (machine.lens, *asked(machine), FEW)
    first = interchange(*given, folder=tmp_path / "f", **QUIET)
    assert {path.name for path in (tmp_path / "f").iterdir()} == {"parts restored", "parts removed", "parts kept"}
    (next((tmp_path / "f" / "parts kept" / "parts").glob("*.nc"))).unlink()
    again = interchange(*given, folder=tmp_path / "f", **QUIET)
    for name in ("kept", "order", "score", "clean", "empty"):
        np.testing.assert_array_equal(first[name], whole[name])
        np.testing.assert_array_equal(again[name], whole[name])
    with pytest.raises(ValueError, match="seed"):
        interchange(*given, samples=sl.Draws(1, seed=5), folder=tmp_path / "f", **QUIET)
    xr.testing.assert_identical(sl.effects.load(sl.effects.save(whole, tmp_path / "kept.nc")), whole)


@pytest.mark.parametrize("stage", ["restored", "kept"])
def test_a_fact_that_cannot_be_measured_is_left_out_in_both_modalities(
    machines, results, tmp_path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """A spoken prompt fails in one stage: the same as without its fact where it fails before ranking, and where it
    fails after, the rankings of all with the other facts' curves. The next call measures it and gives the whole."""
    machine, whole = machines["shared"], results["shared"]
    given = (machine.lens, *asked(machine), FEW)
    failing = asked(machine)[1][2]
    name = {"restored": "spiritlens.analysis.tracing.causal_tracing.trace_prompt", "kept": f"{SweptSets.__module__}"}
    real = {"restored": trace_prompt, "kept": SweptSets.values}[stage]

    def fails(*args, **more):
        n_sets = len(args[2]) if stage == "kept" else 0
        if failing in args and (stage == "restored" or n_sets != whole.sizes["part"]):
            raise RuntimeError("a planted failure")
        return real(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(name[stage] if stage == "restored" else f"{name[stage]}.SweptSets.values", fails)
        with pytest.warns(UserWarning, match="1 prompts could not be measured"):
            found = interchange(*given, folder=tmp_path / "f", **QUIET)
    assert found.sizes["prompt"] == whole.sizes["prompt"] - 2
    assert failing.fact_id not in found["fact_id"].values.tolist()
    others = whole.isel(prompt=whole["fact_id"].values != failing.fact_id)
    assert found["prompt_id"].values.tolist() == others["prompt_id"].values.tolist()
    np.testing.assert_array_equal(found["prompt_fold"], others["prompt_fold"])
    if stage == "kept":
        np.testing.assert_array_equal(found["kept"], others["kept"])
        np.testing.assert_array_equal(found["order"], whole["order"])
    assert best(found, "S2T") == {MERGE, MOVER}
    again = interchange(*given, folder=tmp_path / "f", **QUIET)
    np.testing.assert_array_equal(again["kept"], whole["kept"])


@pytest.mark.parametrize("removed", ["mean", "zero"])
def test_a_prompt_that_the_model_cannot_run_stands_in_for_none_and_ends_nothing(
    machines, tmp_path, monkeypatch: pytest.MonkeyPatch, removed: str
) -> None:
    machine = machines["shared"]
    failing = asked(machine)[0][1]
    real = BlockLensModel.cache

    def cache(model, tokens, names):
        if torch.equal(tokens[0].cpu(), failing.tokens[0]):
            raise ValueError("a planted failure")
        return real(model, tokens, names)

    monkeypatch.setattr(BlockLensModel, "cache", cache)
    parts = sl.heads.Parts(removed=removed, sizes=(1, 2, 3, 30), random_rankings=1)
    with pytest.warns(UserWarning, match=rf"1 prompts could not be measured.*{failing.id}.*a planted failure"):
        found = interchange(machine.lens, *asked(machine), parts, folder=tmp_path / "f", **QUIET)
    others = [prompt.id for some in asked(machine) for prompt in some if prompt.fact_id != failing.fact_id]
    assert found["prompt_id"].values.tolist() == others
    assert best(found, "T2T") == best(found, "S2T") == {MERGE, MOVER}
    reports = {report.folder.name.split(",")[0]: report.failures for report in sl.effects.inspect(tmp_path / "f")}
    assert reports == {
        "parts restored": {"ValueError: a planted failure": 1},
        "parts removed": {"ValueError: a planted failure": 1},
        "parts kept": {},  # of the facts that were ranked
    }
    reference = json.loads(found.attrs["config_json"])["reference"]
    every = [prompt.id for some in asked(machine) for prompt in some]
    assert reference == ([] if removed == "zero" else [name for name in every if name != failing.id])


def test_where_no_prompt_can_be_run_the_first_error_is_told(machines, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(error):
        def cache(model, tokens, names):
            raise error

        monkeypatch.setattr(BlockLensModel, "cache", cache)
        return pytest.raises(type(error), match=str(error))

    for error in (ValueError("none can be"), RuntimeError("CUDA error: gone"), MemoryError("no room")):
        with fails(error):
            interchange(machines["shared"].lens, *asked(machines["shared"]), FEW, **QUIET)


def test_a_shard_is_refused(machines, tmp_path) -> None:
    folder = sl.effects.RunFolder(tmp_path, sl.effects.Shard(1, 2))
    with pytest.raises(ValueError, match="folder has the shard 1/2: rankings are made of all prompts"):
        interchange(machines["shared"].lens, *asked(machines["shared"]), FEW, folder=folder, **QUIET)


def test_sites_are_interchanged_by_role(machines) -> None:
    machine = machines["shared"]
    parts = sl.heads.Parts("sites", "zero", components=("mlp_out",), sizes=(1,), random_rankings=1)
    found = interchange(machine.lens, *asked(machine, 4), parts, **QUIET)
    assert best(found, "T2T", 1) == best(found, "S2T", 1) == {"mlp_out 2 subject"}
    curves = sl.heads.faithfulness(found)["f"].sel(ranking="ranked", size=1)
    np.testing.assert_allclose(curves, 1, atol=0.01)


@pytest.mark.slow
def test_shared_edges_serve_the_other_modality() -> None:
    machine = planted()
    parts = sl.heads.Parts("edges", sizes=(8, 16, 32, 1000), random_rankings=1)
    found = interchange(machine.lens, *asked(machine, 6), parts, **QUIET)
    truth = {f"{sender} → {receiver}" for sender, receiver in machine.truth.edges if "L6H2" not in receiver}
    for kind in ("T2T", "S2T"):
        for order in found["order"].sel(ranking=kind).values:
            assert truth <= set(found["part"].values[order[:12]])
    areas = sl.heads.faithfulness_areas(found).set_index(["ranking", "direction"])
    assert (areas.loc["ranked", "CPR"] > 0.9).all()
    assert (areas.loc["random", "CPR"] < 0.4).all()
    assert (areas.loc["reversed", "CPR"] < 0.4).all()


def test_what_cannot_be_interchanged_is_refused(machines) -> None:
    machine = machines["shared"]
    lens, (written, spoken) = machine.lens, asked(machine)
    for given, message in (
        ((lens, written[:3], spoken[:3]), "about 3 subjects; at least 4"),
        ((lens, written, spoken[:3]), "spoken lacks the fact"),
        ((lens, spoken, written), r"written\[0\] is a S2T prompt"),
        ((lens, written, spoken, "head"), "parts='head': expected one of heads, sites, edges"),
        ((lens, written, spoken, sl.heads.Parts(sizes=(33,))), r"sizes=\(33,\): the model has 32 heads"),
        ((lens, written, spoken, "heads", "noise"), "corruption='noise'"),
        ((lens, written, spoken, "heads", None, ("kl",)), r"metric=\('kl',\) \(tuple\): expected the name of one"),
        ((lens, written, spoken, "heads", None, "logits"), "metric 'logits' is unknown"),
    ):
        with pytest.raises(ValueError, match=message):
            interchange(*given, **QUIET)
    lens.model.add_hook("blocks.0.hook_mlp_out", lambda x, hook: x)
    try:
        with pytest.raises(ValueError, match="a hook of your own would not take effect"):
            interchange(lens, written, spoken, "edges", **QUIET)
    finally:
        lens.model.reset_hooks()
