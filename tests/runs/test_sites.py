"""Sites of the components that `sl.run` patches; `result` is z through fixed weights and is patched there."""

import pytest

import spiritlens as sl
from spiritlens.components import COMPONENTS, hook_name
from tests.analysis.tracing_lens import text_prompt, tiny_lens


@pytest.mark.parametrize("head", [None, 1])
def test_a_result_is_patched_through_z_with_equal_values(head):
    """On random weights, where every head does something."""
    lens, prompt = tiny_lens(), text_prompt()
    values = {}
    for name in ("result", "z", "attn_out"):
        of_head = {} if name == "attn_out" else {"head": head}
        restored = sl.restore(name, layer=1, at=prompt.subject, **of_head)
        values[name] = sl.run(lens, prompt, sl.corrupt(prompt.subject), restored, samples=2).logits
    assert (values["result"] == values["z"]).all()
    nearer = (values["z"] - values["attn_out"]).abs().max() < 1e-4
    assert bool(nearer) == (head is None), "all heads together are attn_out"


def test_every_component_is_a_site_or_refused_with_the_list():
    for row in COMPONENTS:
        if "run" in row.patched_by:
            assert sl.Site(row.name, 1, (0,)).hook == hook_name(row.name, 1)
        else:
            with pytest.raises(ValueError, match=f"component '{row.name}' is unknown; one of embed, resid_pre"):
                sl.Site(row.name, 1, (0,))


def test_heads_are_those_of_the_component():
    with pytest.raises(
        ValueError, match=r"resid_pre has no head axis \(head=1\); heads exist in q, k, v, pattern, z, result"
    ):
        sl.Site("resid_pre", 0, (1,), head=1)
    for name, heads in (("z", 4), ("result", 4), ("k", 2), ("v", 2)):
        assert sl.Site(name, 0, (-1,), heads - 1).resolved(5, 3, 4, 2).positions == (4,)
        with pytest.raises(ValueError, match=f"outside the {heads} heads of {name}"):
            sl.Site(name, 0, (-1,), heads).resolved(5, 3, 4, 2)
