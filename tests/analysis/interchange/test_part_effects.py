"""Effects of single parts: which heads carry the fact, backups and edges."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

import spiritlens as sl
from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.interchange.edge_runs import edges_of
from spiritlens.analysis.interchange.measured_sets import Place, spread
from spiritlens.analysis.interchange.part_effects import Corrupting, edge_effects, removed_effects, restored_effects
from spiritlens.analysis.interchange.parts import Parts, parts_of
from spiritlens.effects.interchange import new_sets
from spiritlens.effects.shards import RunFolder
from spiritlens.runs.metrics import METRIC_NAMED
from tests.analysis.tracing_lens import make_prompt, tiny_lens

METRIC = METRIC_NAMED["logit_difference"]
IN_MEMORY = Place(None, "none")


def how() -> Corrupting:
    return Corrupting(sl.Noise(), METRIC, Draws(2))


def test_restored_heads_and_sites_are_cells_of_the_trace() -> None:
    machine = sl.planted()
    prompts = [machine.prompts[0], machine.prompts[12]]
    heads = parts_of(machine.lens.backend, Parts(), prompts)
    found = restored_effects(machine.lens, prompts, heads, how(), IN_MEMORY)
    everywhere = sl.Grid(("z",), at="span", spans=("all but the beginning",))
    quiet = {"metrics": ("logit_difference",), "samples": 2, "progress": "none"}
    trace = sl.causal_trace(machine.lens, prompts, everywhere, **quiet)
    cells = sl.effects.indirect(trace)[:, 0, :, 0, :, 0].values.reshape(2, -1)
    np.testing.assert_allclose(found.effects, cells, atol=1e-12)
    np.testing.assert_allclose(found.totals, sl.effects.total(trace)[:, 0], atol=1e-12)
    sites = parts_of(machine.lens.backend, Parts("sites"), prompts)
    found = restored_effects(machine.lens, prompts, sites, how(), IN_MEMORY)
    at_sites = sl.Grid(("attn_out", "mlp_out"), at="role", window=1)
    cells = sl.effects.indirect(sl.causal_trace(machine.lens, prompts, at_sites, **quiet)).isel(metric=0)
    for number in range(0, len(sites), 7):
        site = sites[number]
        cell = cells.sel(component=site.component, layer=site.layer, role=site.role).values
        np.testing.assert_allclose(found.effects[:, number], cell, atol=1e-12)


def test_what_a_part_costs_is_signed_and_nothing_where_it_is_absent() -> None:
    machine = sl.planted()
    prompts = [machine.prompts[0], machine.prompts[12]]
    sites = [site for site in parts_of(machine.lens.backend, Parts("sites"), prompts) if site.layer == 0][:3]
    there = [[bool(site.positions(prompt)) for site in sites] for prompt in prompts]
    attributes = {"metric": "kl", "metric_sign": -1, "parts": "sites", "removed": "mean"}
    baselines = {"clean": [1.0, 1.0], "empty": [5.0, 4.0], "noise_floor": [0.0, 0.0]}
    columns = {"prompt_id": [prompt.id for prompt in prompts], "modality": ["T2T", "S2T"], "known": [1, 1]}
    sets = new_sets(np.full((2, 3), 3.0), baselines, [site.name for site in sites], columns, attributes)
    found = removed_effects(sets, sites, prompts)
    np.testing.assert_array_equal(found.effects, np.where(there, 2.0, np.nan))
    assert found.totals.tolist() == [4.0, 3.0]
    with pytest.raises(KeyboardInterrupt, match="rankings need all prompts"):
        IN_MEMORY.finished(sets, [*prompts, machine.prompts[1]])


def test_a_prompt_that_was_not_measured_has_no_numbers(tmp_path: Path) -> None:
    prompts = sl.planted().prompts[:3]
    columns = {"prompt_id": [prompts[2].id, prompts[0].id], "modality": ["T2T", "T2T"], "known": [1, 1]}
    attributes = {"metric": "kl", "metric_sign": -1, "parts": "sites", "removed": "mean"}
    baselines = {"clean": [1.0, 1.0], "empty": [5.0, 4.0], "noise_floor": [0.0, 0.0]}
    sets = new_sets(np.full((2, 1), 3.0), baselines, ["a part"], columns, attributes)
    np.testing.assert_array_equal(spread([[2.0], [1.0]], sets, prompts), [[1.0], [np.nan], [2.0]])
    in_folder = Place(RunFolder(tmp_path), "none")
    assert in_folder.finished(sets, prompts) is sets


def text_prompts():
    return [make_prompt((1, 30, 7, 21, one, 5, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5)) for one in (9, 19)]


@pytest.mark.parametrize("by", ["patching", "gradients"])
def test_effects_of_edges_are_those_of_paths(by) -> None:
    lens, prompts = tiny_lens(), text_prompts()
    edges = edges_of(lens.backend)
    restored, removed = edge_effects(lens, prompts, edges, by, how(), IN_MEMORY)
    assert restored.effects.shape == removed.effects.shape == (2, len(edges))
    np.testing.assert_allclose(restored.totals, removed.totals, atol=1e-12)
    method = sl.path_patch if by == "patching" else partial(sl.attribute_edges, steps=5)
    for number in (0, 17, 50, len(edges) - 1):
        sender, receiver = edges[number].sender, edges[number].receiver
        for effects, base, sign in ((restored, "corrupted", 1), (removed, "clean", -1)):
            one = sl.paths.Paths((sender,), (receiver,), at=("all but the beginning",), base=base)
            alone = method(lens, prompts, sl.Noise(), one, ("logit_difference",), samples=sl.Draws(2), progress="none")
            change = (alone["patched"] - alone["base"]).values.reshape(2)
            np.testing.assert_allclose(effects.effects[:, number], sign * change, atol=1e-10)
