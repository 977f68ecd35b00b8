"""Parts of a model, where they are in a prompt, and what removes them."""

import pytest

import spiritlens as sl
from spiritlens.analysis.interchange.parts import Part, Parts, parts_of, removing
from spiritlens.runs.sweep.plan import Action


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


def test_heads_and_sites_are_all_there_once(machine) -> None:
    heads = parts_of(machine.lens.backend, Parts(), machine.prompts)
    assert [part.name for part in heads] == [f"L{layer}H{head}" for layer in range(8) for head in range(4)]
    sites = parts_of(machine.lens.backend, Parts("sites"), machine.prompts)
    roles = {role for prompt in machine.prompts for role in prompt.roles} - {"bos"}
    assert len({part.name for part in sites}) == len(sites) == 8 * 2 * len(roles)
    assert sites[0].name == "attn_out 0 modality marker"
    only = parts_of(machine.lens.backend, Parts("sites", components=("mlp_out",)), machine.prompts)
    assert {part.component for part in only} == {"mlp_out"}


def test_a_part_is_removed_where_it_is(machine) -> None:
    prompt = machine.prompts[0]
    head, site = Part("z", 6, 1), Part("mlp_out", 2, None, "subject")
    strange = Part("mlp_out", 2, None, "after subject")
    places = {part: part.positions(prompt) for part in (head, site, strange)}
    assert places[head] == tuple(range(1, len(prompt)))
    assert places[site] == prompt.subject.positions
    short = {**places, strange: ()}
    assert removing([site, strange, head], short) == {
        2: (Action("mlp_out", places[site], None),),
        6: (Action("z", places[head], 1),),
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "head"}, "kind of parts='head': expected one of heads, sites, edges"),
        ({"removed": "noise"}, "removed='noise': expected one of zero, mean, resample"),
        ({"components": ("z",)}, "no 'z' here; name one or more of attn_out, mlp_out"),
        ({"edges_by": "x"}, "edges_by='x': expected one of patching, gradients"),
        ({"sizes": (1.5,)}, "a size=1.5: expected a whole number"),
        ({"sizes": ()}, "sizes is empty"),
        ({"random_rankings": 0}, "random_rankings=0: expected a whole number ≥ 1"),
    ],
)
def test_what_is_no_part_is_refused(given, message) -> None:
    with pytest.raises(ValueError, match=message):
        Parts(**given)


def test_sizes_are_sorted_and_each_once() -> None:
    assert Parts(sizes=(4, 1, 4)).sizes == (1, 4)
