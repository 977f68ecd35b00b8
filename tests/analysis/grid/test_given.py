"""What methods are given: read once, checked before the model runs, refused by name."""

import numpy as np
import pytest

import spiritlens as sl
from spiritlens.analysis.grid.given import given_names
from spiritlens.analysis.grid.grid import Draws
from spiritlens.models.blocks.lens_model import BlockLensModel
from spiritlens.runs.foils import runner_up

NEED_FOIL = ("activation_patch", "back_patch", "path_patch", "attribution_patch", "attribute_edges")


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


@pytest.fixture
def at_rest(monkeypatch):
    """A model that may not run."""

    def run(*args, **kwargs):
        raise AssertionError("the model ran before everything was checked")

    for name in ("forward", "cache", "gradients"):
        monkeypatch.setattr(BlockLensModel, name, run)


def test_names_come_from_a_closed_set_each_once():
    assert given_names("components", iter(["a", "b"]), "abc") == ("a", "b")
    for values, message in (
        ("a", r"components='a': expected several; write \['a'\]"),
        (["d"], "no 'd' here; name one or more of a, b, c"),
        (["a", "a"], "'a' is given twice"),
    ):
        with pytest.raises(ValueError, match=message):
            given_names("components", values, "abc")


def test_numbers_of_numpy_become_pythons():
    draws = Draws(np.int64(2), seed=np.uint8(1))
    assert [type(value) for value in (draws.samples, draws.seed)] == [int, int]


@pytest.mark.parametrize("name", NEED_FOIL)
def test_a_prompt_without_a_foil_gets_the_runner_up_and_the_result_says_so(machine, name):
    """The README's prompts have none."""
    bare = machine.lens.text("the colour of marlo is", "marlo", "red")
    found = getattr(sl, name)(machine.lens, [machine.prompts[0], bare], sl.Noise(), progress="none")
    assert found["foil_rule"].values.tolist() == ["own", "runner-up"]
    assert found["foil"].values.tolist() == [machine.prompts[0].foil, runner_up(machine.lens, bare).foil]


def test_a_knock_out_by_other_prompts_tells_at_once_that_there_are_none(machine, at_rest):
    with pytest.raises(ValueError, match=r"give prompts that have: Ablation\(…, reference=…\), or use kind='zero'"):
        sl.heads.head_knockout(machine.lens, machine.prompts[:1], progress="none")


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ({"heads": {99: (0,)}}, "names L99H0; the model has 8 layers of 4 heads"),
        ({"heads": {0: (99,)}}, "names L0H99"),
        ({"heads": {}}, "names no head, so nothing would be cut"),
        ({"heads": {0: ()}}, "names no head"),
    ],
)
def test_an_edge_that_cuts_nothing_is_refused(machine, at_rest, edge, message):
    with pytest.raises(ValueError, match=message):
        sl.heads.attention_knockout(
            machine.lens, machine.prompts[:1], [sl.heads.Blocked("subject", **edge)], progress="none"
        )


@pytest.mark.parametrize(
    ("groups", "message"),
    [({}, "groups is empty, so nothing would be knocked out"), ({"a": []}, r"groups\['a'\] is empty")],
)
def test_a_group_of_no_heads_is_refused(machine, at_rest, groups, message):
    with pytest.raises(ValueError, match=message):
        sl.heads.head_knockout(machine.lens, machine.prompts[:1], "zero", groups=groups, progress="none")


def test_generators_give_what_lists_give(machine):
    lens, prompts = machine.lens, machine.prompts[:1]
    edges = [sl.heads.Blocked("subject"), sl.heads.Blocked("relation")]
    of_list, of_generator = (
        sl.heads.attention_knockout(lens, prompts, some, progress="none") for some in (edges, iter(edges))
    )
    assert of_generator.drop_attrs().identical(of_list.drop_attrs())
    effects = sl.causal_trace(
        lens, [prompts[0], machine.prompts[12]], sl.Grid(("resid_post",), at="role"), progress="none"
    )
    averages = [sl.effects.average(effects, by=by) for by in (["modality"], iter(["modality"]))]
    assert averages[0].identical(averages[1])
    assert averages[1]["modality"].values.tolist() == ["T2T", "S2T"]
