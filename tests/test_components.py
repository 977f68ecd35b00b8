"""The table of components: what follows from it is what the methods and TransformerLens say."""

import pytest

import spiritlens as sl
from spiritlens.components import (
    COMPONENT_NAMED,
    COMPONENTS,
    HEAD_COMPONENTS,
    KEY_VALUE_COMPONENTS,
    STAGE,
    WINDOWED,
    head_count,
    hook_name,
    patched_by,
    scale_hook_name,
)
from spiritlens.runs.sweep.plan import AFTER_MLP, BEFORE_ATTENTION, OWN_POSITION_ONLY

STREAM_AND_HEADS = {"resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "q", "k", "v", "z"}


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


def test_names_are_unique_and_every_row_that_is_read_exists():
    assert len(COMPONENT_NAMED) == len(COMPONENTS)
    for row in COMPONENTS:
        assert set(row.base_reads) <= set(COMPONENT_NAMED)
        assert row.own_position or not row.base_reads


def test_lists_of_components_follow_from_the_rows():
    assert HEAD_COMPONENTS == ("q", "k", "v", "scores", "pattern", "z", "result")
    assert KEY_VALUE_COMPONENTS == ("k", "v")
    assert WINDOWED == ("attn_out", "mlp_out")
    assert set(BEFORE_ATTENTION) - {"scores", "pattern"} == {"embed", "resid_pre", "q", "k", "v"}
    assert set(OWN_POSITION_ONLY) == set(COMPONENT_NAMED) - {"embed", "resid_pre", "k", "v"}
    assert AFTER_MLP == ("mlp_out", "resid_post")
    assert set(patched_by("sweep")) == set(patched_by("attribute")) == STREAM_AND_HEADS
    assert set(patched_by("patch")) == STREAM_AND_HEADS | {"pattern", "result"}
    assert head_count("k", 8, 2) == 2
    assert head_count("z", 8, 2) == 8


def test_rows_stand_in_the_order_in_which_a_model_computes_them(machine):
    model = machine.lens.backend
    fired: list[str] = []

    def note(name):
        return lambda activation: fired.append(name) or activation

    names = [row.name for row in COMPONENTS if row.name != "result"]
    with model.hooked([(hook_name(name, 0), note(name)) for name in names]):
        model.forward(machine.prompts[0].tokens)
    together = ("q", "k", "v")  # which of the three comes first is the model's affair
    assert [name for name in fired if name not in together] == [name for name in names if name not in together]
    assert max(fired.index(name) for name in together) < fired.index("scores")
    assert STAGE["z"] < STAGE["result"] < STAGE["attn_out"]


def test_shapes_are_those_that_the_rows_tell(machine):
    model, tokens = machine.lens.backend, machine.prompts[0].tokens
    found = model.cache(tokens, [hook_name(row.name, 0) for row in COMPONENTS])
    for row in COMPONENTS:
        shape = tuple(found[hook_name(row.name, 0)].shape[1:])
        if row.by_query:
            assert shape == (model.n_heads, tokens.shape[1], tokens.shape[1])
        elif row.heads == "none":
            assert shape == (tokens.shape[1], model.d_model)
        else:
            assert shape == (tokens.shape[1], head_count(row.name, model.n_heads, model.n_kv_heads), model.d_head)


def test_a_patch_that_stays_at_its_position_moves_no_other_position_of_its_block(machine):
    model, tokens = machine.lens.backend, machine.prompts[0].tokens
    last = hook_name("resid_post", 0)
    plain = model.cache(tokens, [last])[last]
    position = tokens.shape[1] // 2
    for row in COMPONENTS:

        def change(activation, row=row):
            changed = activation.clone()
            at = (slice(None), slice(None), position) if row.by_query else (slice(None), position)
            changed[at] = changed[at].flip(-1) + 1
            return changed

        with model.hooked([(hook_name(row.name, 0), change)]):
            moved = (model.cache(tokens, [last])[last] != plain).any(-1)[0].nonzero().flatten().tolist()
        assert moved == [] or min(moved) == position, row.name
        if row.own_position:
            assert moved in ([], [position]), row.name


def test_hook_names(machine):
    assert hook_name("mlp_out", 3) == "blocks.3.hook_mlp_out"
    assert hook_name("result", 3) == hook_name("z", 3) == "blocks.3.attn.hook_z"
    scales = [scale_hook_name("ln1", 1), scale_hook_name("ln2", 1), scale_hook_name("ln_final", 0)]
    assert set(machine.lens.backend.cache(machine.prompts[0].tokens, scales)) == set(scales)
    with pytest.raises(ValueError, match="component 'mlp' is unknown; the components are embed, resid_pre"):
        hook_name("mlp", 3)
    with pytest.raises(ValueError, match="layer"):
        hook_name("mlp_out", -1)
