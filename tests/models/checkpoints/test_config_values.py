"""config.json: each value by its own rule, in one error that names file, key and value; rotations as Hugging Face's."""

import json
import re

import pytest
import torch
from transformers import LlamaForCausalLM

from spiritlens.models.backends import maker
from spiritlens.models.checkpoints.checkpoint import read_checkpoint, read_config
from spiritlens.models.checkpoints.llama import UnsupportedModel
from spiritlens.models.checkpoints.weight_files import CheckpointError
from spiritlens.models.random_weights import random_config


def changed(folder, **changes):
    """Rewrites the folder's config.json; a value of `...` takes the key out."""
    path = folder / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}, default=str))
    return folder


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("rms_norm_eps", 0, "rms_norm_eps=0: expected a number > 0"),
        ("rms_norm_eps", -1.0, "rms_norm_eps=-1: expected a number > 0"),
        ("rms_norm_eps", float("nan"), "rms_norm_eps=nan: expected a number"),
        ("rope_theta", 0, "rope_theta=0: expected a number > 0"),
        ("rope_theta", "10000", "rope_theta='10000': expected a number"),
        ("max_position_embeddings", 0, "max_position_embeddings=0: expected a whole number ≥ 1"),
        ("num_hidden_layers", 10**9, "num_hidden_layers=1000000000: expected a whole number ≥ 1 and ≤ 10000"),
        ("hidden_size", 10**15, "hidden_size=1000000000000000: expected"),
        ("vocab_size", "2512", "vocab_size='2512': expected a whole number"),
        ("num_attention_heads", 0, "num_attention_heads=0: expected a whole number ≥ 1"),
        ("num_attention_heads", 5, "hidden_size=64 is no multiple of num_attention_heads=5"),
        ("num_key_value_heads", 3, "num_attention_heads=4 is no multiple of num_key_value_heads=3"),
        ("head_dim", 15, "a head's size of 15"),
        ("tie_word_embeddings", "false", "tie_word_embeddings='false': expected true or false"),
        ("hidden_act", None, "hidden_act=None: expected the name of a function"),
        ("rope_scaling", "linear", "rope_scaling='linear': expected an object"),
        ("rope_parameters", {"rope_type": "linear", "factor": -2}, "rope_parameters.factor=-2: expected a number > 0"),
        ("auto_map", {"AutoModelForCausalLM": "own.Model"}, "model code of its own, which is never run here"),
    ],
)
def test_a_value_that_cannot_be_is_named(copy, key, value, said):
    with pytest.raises(CheckpointError, match=rf"config.json: .*{re.escape(said)}"):
        read_checkpoint(changed(copy, **{key: value}))


@pytest.mark.parametrize("key", ["use_cache", "initializer_range", "bos_token_id"])
def test_what_only_transformers_checks_is_told_with_the_file(copy, key):
    with pytest.raises(CheckpointError, match=rf"config.json: a setting is not understood .*{key}"):
        read_config(changed(copy, **{key: ["x"]}))


def test_values_that_may_be_left_out(copy):
    changed(copy, num_key_value_heads=None, head_dim=None, attention_bias=..., mlp_bias=..., rope_scaling=None)
    assert read_config(copy).num_key_value_heads == 4


# ---- rotations -------------------------------------------------------------------------------------------------------

LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
ROTATIONS = {
    "base beside": {"rope_theta": 500.0, "rope_parameters": ...},
    "base inside": {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
    "base in both": {"rope_theta": 500.0, "rope_parameters": {"rope_type": "default", "rope_theta": 700.0}},
    "no base": {"rope_parameters": ...},
    "linear by its old name": {
        "rope_theta": 500.0,
        "rope_parameters": ...,
        "rope_scaling": {"type": "linear", "factor": 4.0},
    },
    "linear": {"rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.0}},
    "llama3": {"rope_parameters": {**LLAMA3, "rope_theta": 500.0, "original_max_position_embeddings": 64}},
    "llama3, length beside": {
        "rope_theta": 500.0,
        "rope_parameters": ...,
        "rope_scaling": LLAMA3,
        "original_max_position_embeddings": 64,
    },
    "llama3, lengths in both": {
        "rope_parameters": {**LLAMA3, "rope_theta": 500.0, "original_max_position_embeddings": 32},
        "original_max_position_embeddings": 64,
    },
    "llama3, no length": {"rope_parameters": {**LLAMA3, "rope_theta": 500.0}},
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_rotations_are_hugging_face_s_wherever_their_numbers_stand(copy, name):
    changed(copy, **ROTATIONS[name])
    read = read_checkpoint(copy)
    tokens = torch.randint(3, 2000, (1, 200), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = LlamaForCausalLM.from_pretrained(copy)(tokens).logits
    found = maker(None).converted(read.weights, read.config)(tokens)
    assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())


@pytest.mark.parametrize(
    ("rotation", "said"),
    [
        ({"rope_type": "dynamic", "factor": 2.0}, "'dynamic', which changes its frequencies with the length"),
        ({"rope_type": "yarn", "factor": 2.0}, "'yarn', which also scales the attention"),
        ({"rope_type": "spiral"}, "'spiral', which is unknown"),
        ({"rope_type": "linear"}, "Missing required keys .*'linear'.*factor"),
        ({"rope_type": "llama3", "factor": 8.0}, "Missing required keys .*'llama3'.*low_freq_factor"),
        (
            {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5},
            "give other frequencies in Hugging Face",
        ),
    ],
)
def test_other_rotations_are_refused_for_the_true_reason(copy, rotation, said):
    with pytest.raises((UnsupportedModel, CheckpointError), match=rf"config.json: .*{said}"):
        read_config(changed(copy, rope_parameters={"rope_theta": 500.0, **rotation}))


def test_a_configuration_made_by_hand_is_checked_when_it_converts():
    config = random_config(
        rope={"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0, "original_max_position_embeddings": 64}
    )
    with pytest.raises(UnsupportedModel, match="yarn"):
        maker(None).converted({"model.embed_tokens.weight": torch.zeros(1)}, config)
