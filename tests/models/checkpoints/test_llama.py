"""Architectures of Llama's block: each row converts to the logits of Hugging Face's class, or is refused by name."""

import json

import pytest
import torch
from checkpoint_folders import SPIRIT, write_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

from spiritlens.models.checkpoints.checkpoint import read_checkpoint
from spiritlens.models.checkpoints.llama import ARCHITECTURES, MODEL_TYPES, UnsupportedModel
from spiritlens.models.loading import load
from spiritlens.models.selfcheck import selfcheck

SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 2512,
    "max_position_embeddings": 256,
}


@pytest.fixture(params=MODEL_TYPES)
def folder(request, tmp_path):
    """A checkpoint of random weights as Hugging Face's own class saves it."""
    row = next(row for row in ARCHITECTURES if row.model_type == request.param)
    config = AutoConfig.for_model(row.model_type, **SIZES, **dict(row.settings))
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    write_tokenizer(tmp_path, 2000, SPIRIT)
    return tmp_path


def test_logits_are_those_of_its_own_class(folder):
    lens = load(folder, device="cpu")
    tokens = lens.model.to_tokens("the capital of france is")
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert theirs.config.model_type == json.loads((folder / "config.json").read_text())["model_type"]
    with torch.no_grad():
        torch.testing.assert_close(lens.model(tokens), theirs(tokens).logits, atol=1e-4, rtol=0)
    assert selfcheck(lens).agrees


def test_a_setting_of_another_value_is_refused_by_its_name(folder):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    for setting, value in {"llama": {"mlp_bias": True}, "mistral": {"sliding_window": 64}}[
        values["model_type"]
    ].items():
        path.write_text(json.dumps(values | {setting: value}))
        with pytest.raises(UnsupportedModel, match=f"config setting {setting}: expected .*, found {value}"):
            read_checkpoint(folder)
