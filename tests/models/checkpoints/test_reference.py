"""The yardstick itself: a wrapper's folder is read as Hugging Face's own loading reads a plain one."""

import json

import pytest
import torch
from checkpoint_folders import write_config, write_weights

from spiritlens.models.checkpoints.reference import load_reference
from spiritlens.models.random_weights import random_config, random_weights

TOKENS = torch.randint(3, 64, (1, 200), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_wrapper_s_folder_gives_the_plain_folder_s_model(tmp_path, dtype):
    """Rotary frequencies included, which stay in float32 whatever the weights are in."""
    config = random_config()
    weights = random_weights(config)
    plain, wrapper = tmp_path / "plain", tmp_path / "wrapper"
    for folder in (plain, wrapper):
        folder.mkdir()
    write_config(plain, config)
    write_weights(plain, weights, "safetensors")
    base = {"model_type": "speech_language_model", "vocab_size": config.vocab_size, "base_config": config.to_dict()}
    (wrapper / "config.json").write_text(json.dumps(base))
    write_weights(wrapper, {f"lm.{name}": value for name, value in weights.items()}, "safetensors")
    expected, found = (load_reference(folder, dtype) for folder in (plain, wrapper))
    assert found.model.rotary_emb.inv_freq.dtype == expected.model.rotary_emb.inv_freq.dtype == torch.float32
    assert {parameter.dtype for parameter in found.parameters()} == {dtype}
    assert torch.equal(found(TOKENS).logits, expected(TOKENS).logits)
