"""Architectures of Llama's block: each row converts to the logits of Hugging Face's class, or is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_folders import SPIRIT, write_tokenizer
from random_llamas import opened
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from spiritlens.components import hook_name
from spiritlens.models.backends import maker
from spiritlens.models.checkpoints.checkpoint import Checkpoint, read_checkpoint
from spiritlens.models.checkpoints.llama import (
    ARCHITECTURES,
    MODEL_TYPES,
    UnsupportedModel,
    architecture,
    context,
    owned,
    read_settings,
    tensor_shapes,
    window,
)
from spiritlens.models.checkpoints.reference import hold_float64, load_reference
from spiritlens.models.loading import load
from spiritlens.models.protocol import CachedPrefix
from spiritlens.models.random_weights import random_weights
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
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "qwen2": {"model_type": "qwen2"},
    "qwen2, every head its keys": {"model_type": "qwen2", "num_key_value_heads": 4},
    "qwen2, tied": {"model_type": "qwen2", "tie_word_embeddings": True},
    "qwen2, its base of rotation beside": {"model_type": "qwen2", "rope_theta": 1e6, "rope_parameters": None},
    "qwen2, a window that is not used": {"model_type": "qwen2", "use_sliding_window": False, "sliding_window": 8},
    "qwen2, linear positions": {"model_type": "qwen2", "rope_scaling": {"type": "linear", "factor": 4.0}},
    "mistral": {"model_type": "mistral", "sliding_window": None},
    "mistral, heads of their own size": {"model_type": "mistral", "head_dim": 32},
    "mistral, a window": {"model_type": "mistral", "sliding_window": 40},
    "mistral, tied": {"model_type": "mistral", "tie_word_embeddings": True},
    "mistral, llama3 positions": {"model_type": "mistral", "rope_scaling": LLAMA3, "rope_theta": 5e5},
}
TOKENS = torch.randint(3, 2500, (2, 40), generator=torch.Generator().manual_seed(0))


def written(values: dict[str, Any], folder: Path, shards: int = 1) -> Any:
    """A checkpoint of Hugging Face's own class, saved by it, with norms and biases that are not what they begin as."""
    model = AutoModelForCausalLM.from_config(read_settings({**SIZES, **values}))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:
                parameter.copy_(name.endswith("weight") + 0.3 * torch.randn(parameter.shape, generator=generator))
    size = sum(parameter.nbytes for parameter in model.parameters())
    model.save_pretrained(folder, max_shard_size=size // shards + 1)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))
    return model


@pytest.fixture(params=MODEL_TYPES)
def folder(request, tmp_path):
    """A checkpoint of random weights as Hugging Face's own class saves it."""
    row = architecture(request.param)
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
    sharing = load(theirs, norms="raw")
    assert torch.equal(sharing.model(tokens), lens.model(tokens))
    assert sharing.backend.w_e.data_ptr() == theirs.model.embed_tokens.weight.data_ptr()
    theirs = AutoModelForCausalLM.from_pretrained(folder)  # a bridge wraps the one that it is given for good
    torch.testing.assert_close(load(theirs, norms="folded").model(tokens), lens.model(tokens), atol=1e-4, rtol=0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_are_exact_in_float64(variant, tmp_path):
    """Hugging Face's class, held in float64, on the checkpoint that it saved itself, one file or several shards."""
    written(VARIANTS[variant], tmp_path, shards=1 + len(variant) % 3)
    theirs = load_reference(tmp_path, torch.float64)
    assert type(theirs).__name__.lower() == f"{VARIANTS[variant]['model_type']}forcausallm"
    checkpoint = read_checkpoint(tmp_path, torch.float64)
    ours = opened(maker(None).converted(checkpoint.weights, checkpoint.config))
    expected = theirs(TOKENS).logits
    assert float((ours.model(TOKENS) - expected).abs().max()) < 1e-10
    assert float((ours.forward(TOKENS) - expected).abs().max()) < 1e-10
    assert ("lm_head.weight" in checkpoint.weights) != ("tied" in variant)
    assert torch.equal(maker(None).shared(theirs)(TOKENS), ours.model(TOKENS))


def test_biases_are_those_of_the_checkpoint_and_change_the_logits(tmp_path):
    theirs = hold_float64(written({"model_type": "qwen2"}, tmp_path).double())
    attention = theirs.model.layers[1].self_attn
    biases = [getattr(attention, f"{letter}_proj").bias for letter in "qkv"]
    inside = opened(maker(None).shared(theirs))
    weights = inside.attention_weights(1)
    for found, bias in zip((weights.q, weights.k, weights.v), biases, strict=True):
        assert torch.equal(found.bias, bias)
        assert float(bias.detach().abs().max()) > 0.1
    assert weights.o.bias is None or weights.o.bias.count_nonzero() == 0
    before = inside.model(TOKENS)
    with torch.no_grad():
        inside.attention_weights(0).v.bias.zero_()
    assert float((inside.model(TOKENS) - before).abs().max()) > 1e-3


@pytest.mark.parametrize("variant", ["qwen2", "mistral"])
def test_folded_norms_leave_biased_logits_alone(variant, tmp_path):
    written(VARIANTS[variant], tmp_path)
    checkpoint = read_checkpoint(tmp_path, torch.float64)
    raw = maker(None).converted(owned(checkpoint.weights), checkpoint.config)
    folded = maker(None).folded(maker(None).converted(owned(checkpoint.weights), checkpoint.config))
    assert float((folded(TOKENS) - raw(TOKENS)).abs().max()) < 1e-10


@pytest.mark.parametrize("start", [0, 3, 9])
def test_suffix_steps_of_the_converted_model_are_its_full_pass(start, tmp_path):
    written({"model_type": "qwen2"}, tmp_path)
    checkpoint = read_checkpoint(tmp_path, torch.float64)
    model = opened(maker(None).converted(checkpoint.weights, checkpoint.config))
    tokens = TOKENS[:, :10]
    parts = ("resid_pre", "resid_post", "attn_out", "q", "k", "v", "z")
    run = model.cache(tokens, [hook_name(part, layer) for part in parts for layer in range(2)])
    rows = torch.tensor([1, 0, 1])
    for layer in range(2):
        resid = run[hook_name("resid_pre", layer)][rows, start:]
        prefix = CachedPrefix(run, start, rows)
        found = {"resid_post": model.block(layer, resid, prefix), "attn_out": model.attention(layer, resid, prefix)}
        found |= dict(zip("qkv", model.qkv(layer, resid), strict=True))
        found["z"] = model.attend(layer, found["q"], found["k"], found["v"], prefix)
        for part, value in found.items():
            expected = run[hook_name(part, layer)][rows, start:]
            assert float((value - expected).abs().max()) < 1e-12, (layer, part)


# Windows


def test_prompts_as_long_as_the_window_are_exact_and_longer_ones_refused(tmp_path):
    """One token more and the window counts: Hugging Face's logits are then others than those without it."""
    written(VARIANTS["mistral, a window"], tmp_path)
    theirs = load_reference(tmp_path, torch.float64)
    checkpoint = read_checkpoint(tmp_path, torch.float64)
    model = opened(maker(None).converted(checkpoint.weights, checkpoint.config))
    assert (model.n_ctx, window(checkpoint.config)) == (40, 40)
    assert float((model.forward(TOKENS) - theirs(TOKENS).logits).abs().max()) < 1e-10
    longer = torch.cat([TOKENS, TOKENS[:, :1]], dim=1)
    assert float((_without_window(checkpoint)(longer) - theirs(longer).logits)[:, -1].abs().max()) > 1e-4
    with pytest.raises(ValueError, match="41 tokens are more than the model's context of 40, its sliding window"):
        model.forward(longer)


def _without_window(checkpoint: Checkpoint) -> nn.Module:
    """The same weights under a configuration that has no window."""
    values = checkpoint.config.to_dict() | {"sliding_window": None, "use_sliding_window": False, "layer_types": None}
    return maker(None).converted(checkpoint.weights, read_settings(values))


@pytest.mark.parametrize(
    ("values", "length"),
    [
        ({"model_type": "llama", "sliding_window": 8}, 256),  # a setting that Llama does not have
        ({"model_type": "mistral", "sliding_window": None}, 256),
        ({"model_type": "mistral", "sliding_window": 8}, 8),
        ({"model_type": "mistral", "sliding_window": 4096}, 256),
        ({"model_type": "mistral"}, 256),  # its class's own window is of 4096 tokens
        ({"model_type": "qwen2", "sliding_window": 8}, 256),
        ({"model_type": "qwen2", "sliding_window": 8, "use_sliding_window": True, "max_window_layers": 1}, 8),
        ({"model_type": "qwen2", "sliding_window": 8, "use_sliding_window": True, "max_window_layers": 2}, 256),
    ],
)
def test_the_context_is_the_window_of_the_layers_that_slide(values, length):
    assert context(read_settings({**SIZES, **values})) == length


def test_a_window_in_some_layers_only_is_exact_up_to_its_length(tmp_path):
    values = {"model_type": "qwen2", "sliding_window": 12, "use_sliding_window": True, "max_window_layers": 1}
    written(values, tmp_path)
    theirs = load_reference(tmp_path, torch.float64)
    checkpoint = read_checkpoint(tmp_path, torch.float64)
    model = opened(maker(None).converted(checkpoint.weights, checkpoint.config))
    assert model.n_ctx == 12
    assert float((model.forward(TOKENS[:, :12]) - theirs(TOKENS[:, :12]).logits).abs().max()) < 1e-10
    assert float((_without_window(checkpoint)(TOKENS[:, :13]) - theirs(TOKENS[:, :13]).logits).abs().max()) > 1e-4


# Tables and refusals


def test_tensors_are_those_of_each_class():
    for row in ARCHITECTURES:
        config = read_settings({**SIZES, "model_type": row.model_type})
        expected = {name: tuple(value.shape) for name, value in row.model(config).named_parameters()}
        assert tensor_shapes(config) == expected
        assert {name for name in random_weights(config) if name.endswith(".bias")} == {
            f"model.layers.{layer}.self_attn.{letter}_proj.bias" for layer in range(2) for letter in row.biased
        }


REFUSED = {
    "llama": [("mlp_bias", True), ("attention_bias", True), ("hidden_act", "gelu")],
    "mistral": [("hidden_act", "gelu")],
    "qwen2": [("hidden_act", "relu")],
}


def test_a_setting_of_another_value_is_refused_by_its_name(folder):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    for setting, value in REFUSED[values["model_type"]]:
        path.write_text(json.dumps(values | {setting: value}))
        with pytest.raises(UnsupportedModel, match=f"config setting {setting}: expected .*, found {value!r}"):
            read_checkpoint(folder)


def test_a_rotation_that_stretches_with_the_text_is_refused_in_every_architecture(folder):
    path = folder / "config.json"
    values = json.loads(path.read_text()) | {"rope_parameters": None}
    path.write_text(json.dumps(values | {"rope_scaling": {"type": "yarn", "factor": 4.0}}))
    with pytest.raises(UnsupportedModel, match="found 'yarn', which also scales the attention"):
        read_checkpoint(folder)
