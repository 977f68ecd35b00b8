"""The self-check agrees on a good conversion in every dtype, and names the first activation that a fault changes."""

import dataclasses

import pytest
import torch
from checkpoint_folders import spirit_config, write_checkpoint
from either_kind import turn_positions
from random_llamas import tied
from safetensors.torch import load_file, save_file

from spiritlens.models.checkpoints.weight_files import CheckpointError
from spiritlens.models.lens import Lens
from spiritlens.models.loading import load
from spiritlens.models.random_weights import random_config
from spiritlens.models.selfcheck import selfcheck


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("norms", ["raw", "folded"])
def test_a_good_conversion_agrees(small, dtype, norms):
    report = selfcheck(load(small, dtype=dtype, device="cpu", norms=norms))
    assert report.agrees, str(report)
    assert len(report.comparisons) == 2 + 3 * 3
    assert f"({dtype}) equals Hugging Face's model in all 11 activations" in str(report)


@pytest.mark.parametrize("layout", ["bin", "safetensors shards"])
def test_grouped_queries_and_other_layouts_agree(tmp_path, layout):
    folder = write_checkpoint(tmp_path / "gqa", spirit_config(n_kv_heads=2), layout)
    assert selfcheck(load(folder, device="cpu")).agrees


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize(
    ("spoil", "first"),
    [
        (lambda inside: inside.attention_weights(1).q.weight.mul_(-1), "blocks.1.hook_attn_out"),
        (lambda inside: inside.norm_gain("ln2", 2).fill_(1), "blocks.2.hook_mlp_out"),
        (lambda inside: inside.norm_gain("ln_final").mul_(1.2), "logits"),
        (lambda inside: inside.w_e.mul_(0.5), "hook_embed"),
    ],
)
def test_a_fault_is_found_where_it_is(tmp_path, dtype, spoil, first):
    lens = load(write_checkpoint(tmp_path / "folder", spirit_config()), dtype=dtype, device="cpu")
    spoil(lens.backend)
    report = selfcheck(lens)
    assert not report.agrees
    assert report.first_difference is not None
    assert report.first_difference.name == first
    assert f"DIFFERS from Hugging Face's model, first in {first}" in str(report)


def test_positions_are_checked_too(small):
    """Other angles of the positions are found: the tokens are many enough."""
    lens = load(small, device="cpu")
    turn_positions(lens.model, 1.05)
    assert selfcheck(lens).first_difference.name == "blocks.0.hook_attn_out"


def test_a_nan_is_a_difference(small):
    lens = load(small, device="cpu")
    name = "blocks.0.hook_mlp_out"
    with lens.model.hooks(fwd_hooks=[(name, lambda x, hook: x * float("nan"))]):
        assert selfcheck(lens).first_difference.name == name


def test_a_lens_without_a_folder_is_refused(small):
    lens = load(small, device="cpu")
    with pytest.raises(CheckpointError, match="not loaded from a folder"):
        selfcheck(dataclasses.replace(lens, folder=None))


def test_given_tokens_are_used(small):
    report = selfcheck(load(small, device="cpu"), torch.tensor([[1, 5, 9]]))
    assert report.agrees
    assert "<table>" in report._repr_html_()


def test_lens_is_a_plain_value(small):
    assert isinstance(load(small, device="cpu"), Lens)


@pytest.mark.parametrize(
    "renamed",
    [
        lambda name: f"_orig_mod.{name}",
        lambda name: f"module._orig_mod.{name}",
        lambda name: f"model.{name}",
        lambda name: f"module.lm.{name}",
        lambda name: name.replace("layers.1.", "layers.1._checkpoint_wrapped_module._fsdp_wrapped_module."),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_names_that_wrappers_changed_are_read_alike_on_both_sides(copy, renamed, dtype):
    path = copy / "model.safetensors"
    save_file({renamed(name): tensor for name, tensor in load_file(path).items()}, path)
    assert selfcheck(load(copy, dtype=dtype, device="cpu")).agrees


def test_a_bare_decoder_s_names_and_two_of_one_name(tmp_path):
    config = tied(random_config(d_vocab=2503))
    folder = write_checkpoint(tmp_path / "bare", config)
    weights = load_file(folder / "model.safetensors")
    save_file({name.removeprefix("model."): value for name, value in weights.items()}, folder / "model.safetensors")
    assert selfcheck(load(folder, device="cpu")).agrees
    save_file({**weights, "module.model.norm.weight": torch.ones(32)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"have one name, model.norm.weight, without what wrappers add"):
        load(folder)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ([[1, 2]], r"tokens are \[\[1, 2\]\]: expected ids \[batch pos\]"),
        (torch.tensor([1, 2]), r"tokens are torch.int64 \(2,\)"),
        (torch.ones(1, 600, dtype=torch.long), r"at most 512 a row"),
        (torch.tensor([[1, 2512]]), r"tokens reach from 1 to 2512: ids go from 0 to 2511"),
    ],
)
def test_tokens_are_checked(small, tokens, said):
    with pytest.raises(ValueError, match=said):
        selfcheck(load(small, device="cpu"), tokens)


def test_a_short_context_and_what_is_no_lens(tmp_path, small):
    config = spirit_config()
    config.max_position_embeddings = 8
    assert selfcheck(load(write_checkpoint(tmp_path / "short", config), device="cpu")).agrees
    with pytest.raises(ValueError, match="expected a Lens"):
        selfcheck(small)
