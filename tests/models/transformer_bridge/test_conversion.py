"""A bridge on a checkpoint's own memory, exact in float64, with raw and with folded norms."""

import pytest
import torch
from random_llamas import of_architecture

from spiritlens.models.checkpoints.llama import architecture, owned
from spiritlens.models.random_weights import random_config, random_weights
from spiritlens.models.transformer_bridge.bridged import BridgeLensModel
from spiritlens.models.transformer_bridge.conversion import bridge_on, fold_bridge_norms, transformer_bridge

TOKENS = torch.arange(3, 40)[None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_weights_are_shared_and_only_a_bias_of_the_unembedding_is_new(dtype):
    config = random_config(n_kv_heads=2)
    weights = random_weights(config, dtype=dtype)
    model = transformer_bridge(weights, config)
    held = {parameter.data_ptr() for parameter in model.parameters() if parameter.any()}
    assert held == {weight.data_ptr() for weight in weights.values()}
    extra = [parameter for parameter in model.parameters() if parameter.data_ptr() not in held]
    assert sum(parameter.numel() for parameter in extra) <= config.vocab_size
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(value.is_meta for value in (*model.parameters(), *model.buffers()))


def test_a_tied_model_unembeds_by_its_embedding_s_memory_unless_it_is_given_another():
    config = random_config()
    config.tie_word_embeddings = True
    weights = random_weights(config)
    assert "lm_head.weight" not in weights
    model = transformer_bridge(weights, config)
    assert model.unembed.original_component.weight.data_ptr() == weights["model.embed_tokens.weight"].data_ptr()
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    model = transformer_bridge(weights, config)
    assert model.unembed.original_component.weight.data_ptr() == weights["lm_head.weight"].data_ptr()


@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral"])
def test_folded_norms_leave_the_logits_alone(kind):
    config = of_architecture(random_config(n_kv_heads=2), kind)
    weights = random_weights(config, dtype=torch.float64)
    raw = BridgeLensModel(transformer_bridge(owned(weights), config))
    folded = BridgeLensModel(fold_bridge_norms(transformer_bridge(owned(weights), config)))
    assert torch.equal(folded.norm_gain("ln1", 1), torch.ones(config.hidden_size, dtype=torch.float64))
    assert not torch.equal(raw.norm_gain("ln1", 1), folded.norm_gain("ln1", 1))
    assert float((raw.forward(TOKENS) - folded.forward(TOKENS)).abs().max()) < 1e-10
    assert float((folded.forward(TOKENS) - folded.model(TOKENS)).abs().max()) < 1e-10


def test_a_loaded_model_is_wrapped_in_place():
    config = random_config()
    llama = architecture("llama").model(config)
    llama.load_state_dict(random_weights(config))
    expected = llama.eval()(TOKENS).logits.detach()
    model = bridge_on(llama)
    assert model.original_model is llama
    assert float((BridgeLensModel(model).forward(TOKENS) - expected).abs().max()) < 1e-4
