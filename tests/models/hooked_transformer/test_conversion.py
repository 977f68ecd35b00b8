"""Converted models against Hugging Face: exact in float64, within rounding elsewhere; strides; folding; refusals."""

import warnings

import pytest
import torch
from random_llamas import tied
from transformers import LlamaConfig, LlamaForCausalLM

from spiritlens.models.checkpoints.llama import UnsupportedModel, owned, tensor_shapes
from spiritlens.models.checkpoints.reference import hold_float64, reference_activations
from spiritlens.models.hooked_transformer import conversion
from spiritlens.models.hooked_transformer.conversion import (
    fold_norms,
    hooked_config,
    hooked_from_llama,
    hooked_transformer,
)
from spiritlens.models.hooked_transformer.hooked import HookedLensModel
from spiritlens.models.protocol import CachedPrefix
from spiritlens.models.random_weights import random_config, random_weights

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
CONFIGS = {
    "mha, 32512 rows": random_config(n_layers=2, d_model=64, n_heads=4, d_mlp=172, d_vocab=32512),
    "gqa, 32768 rows": random_config(n_layers=2, d_model=64, n_heads=4, n_kv_heads=2, d_mlp=172, d_vocab=32768),
    "tied": tied(random_config(n_heads=4, n_kv_heads=1)),
    "llama3 positions": random_config(n_kv_heads=2, rope=LLAMA3),
    "linear positions": random_config(rope={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
}
TOKENS = torch.randint(3, 64, (2, 40), generator=torch.Generator().manual_seed(0))


def hugging_face(config: LlamaConfig, dtype: torch.dtype, attention: str = "eager") -> LlamaForCausalLM:
    config._attn_implementation = attention
    llama = LlamaForCausalLM(config).to(dtype)
    llama.load_state_dict(random_weights(config, seed=1, dtype=torch.float32), strict=not config.tie_word_embeddings)
    llama.tie_weights()
    return llama.eval().requires_grad_(False)


def activations(model: HookedLensModel, names: list[str]) -> dict[str, torch.Tensor]:
    return model.cache(TOKENS, [name for name in names if name != "logits"]) | {"logits": model.model(TOKENS)}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_residual_and_the_logits_are_exact_in_float64(name):
    llama = hold_float64(hugging_face(CONFIGS[name], torch.float64))
    expected = reference_activations(llama, TOKENS)
    found = activations(HookedLensModel(hooked_from_llama(llama)), list(expected))
    assert len(expected) == 2 + 3 * CONFIGS[name].num_hidden_layers
    for part, value in expected.items():
        assert float((found[part] - value).abs().max()) < 1e-10, part


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", CONFIGS)
def test_float32_agrees_within_rounding_with_hugging_face_as_it_is(name, attention):
    llama = hugging_face(CONFIGS[name], torch.float32, attention)
    expected = reference_activations(llama, TOKENS)
    found = activations(HookedLensModel(hooked_from_llama(llama)), list(expected))
    for part, value in expected.items():
        assert float((found[part] - value).abs().max()) < 1e-5 * max(1.0, float(value.abs().max())), part


def test_hugging_faces_double_is_not_float64():
    """Why `hold_float64` exists; should this fail one day, it can go."""
    config = CONFIGS["mha, 32512 rows"]
    plain = hugging_face(config, torch.float64)(TOKENS).logits
    exact = hold_float64(hugging_face(config, torch.float64))(TOKENS).logits
    assert 1e-8 < float((plain - exact).abs().max()) < 1e-4


@pytest.mark.parametrize("name", ["mha, 32512 rows", "gqa, 32768 rows"])
def test_bfloat16_is_as_near_to_the_truth_as_hugging_face(name):
    config = CONFIGS[name]
    low = hugging_face(config, torch.bfloat16)
    truth = hold_float64(hugging_face(config, torch.float64))
    truth.load_state_dict({key: value.double() for key, value in low.state_dict().items()})
    exact = truth(TOKENS).logits

    def error(logits: torch.Tensor) -> float:
        return float((logits.double() - exact).pow(2).mean().sqrt())

    theirs = [error(low(TOKENS).logits), error(_with_sdpa(low)(TOKENS).logits)]
    model = hooked_from_llama(low)
    assert error(model(TOKENS)) <= 1.1 * max(theirs)
    assert error(HookedLensModel(model).forward(TOKENS)) <= 1.1 * max(theirs)


def _with_sdpa(llama: LlamaForCausalLM) -> LlamaForCausalLM:
    llama.set_attn_implementation("sdpa")
    return llama


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_are_views_of_the_weights(name):
    weights = random_weights(CONFIGS[name])
    model = hooked_transformer(weights, CONFIGS[name])
    held = {tensor.untyped_storage().data_ptr() for tensor in weights.values()}
    for parameter, value in model.named_parameters():
        if "b_" not in parameter:
            assert value.untyped_storage().data_ptr() in held, parameter


def copied_per_forward(model) -> list[str]:
    """Matrices that TransformerLens would copy in each forward pass: those whose transpose is not contiguous."""
    copied = []
    for name, value in model.named_parameters():
        if name.endswith(("W_in", "W_gate", "W_out", "W_U")) and not value.T.is_contiguous():
            copied.append(name)
        if name.endswith(("W_Q", "W_K", "W_V")) and not value.transpose(1, 2).flatten(0, 1).is_contiguous():
            copied.append(name)
        if name.endswith(("W_Q", "W_K", "W_V")) and value.transpose(1, 2).flatten(0, 1).data_ptr() != value.data_ptr():
            copied.append(name)
        if name.endswith("W_O") and value.permute(2, 0, 1).flatten(1).data_ptr() != value.data_ptr():
            copied.append(name)
    return copied


@pytest.mark.parametrize("n_kv_heads", [4, 2])
def test_no_weight_is_copied_per_forward_after_any_step(n_kv_heads):
    config = random_config(n_kv_heads=n_kv_heads)

    def fresh():
        return hooked_transformer(random_weights(config), config)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        steps = {
            "as loaded": fresh(),
            "converted while loading": hooked_transformer(random_weights(config), config, torch.bfloat16),
            "dtype changed": fresh().to(torch.float64),
            "moved": fresh().to("cpu"),
            "folded": fold_norms(fresh()),
            "copied first": hooked_transformer(owned(random_weights(config)), config),
        }
    for step, model in steps.items():
        assert copied_per_forward(model) == [], step
    strides = {name: value.stride() for name, value in fresh().named_parameters()}
    moved = torch.nn.Module.to(fresh(), "meta")  # a device that every machine has
    assert {name: value.stride() for name, value in moved.named_parameters()} == strides
    spoilt = fresh()
    spoilt.unembed.W_U.data = spoilt.unembed.W_U.data.contiguous()
    assert copied_per_forward(spoilt) == ["unembed.W_U"]  # the check can fail


@pytest.mark.parametrize("name", CONFIGS)
def test_folded_norms_give_the_same_logits_and_no_centring(name):
    config, weights = CONFIGS[name], random_weights(CONFIGS[name])
    weights.setdefault("lm_head.weight", weights["model.embed_tokens.weight"].clone())
    raw = HookedLensModel(hooked_transformer(owned(weights), config))
    folded = HookedLensModel(fold_norms(hooked_transformer(owned(weights), config)))
    expected, found = raw.model(TOKENS), folded.model(TOKENS)
    assert float((found - expected).abs().max()) < 1e-5 * max(1.0, float(expected.abs().max()))
    assert torch.equal(raw.w_e, folded.w_e)
    assert torch.equal(raw.w_o(0), folded.w_o(0))
    assert folded.model.cfg.normalization_type == "RMSPre"
    assert torch.equal(folded.norm_gain("ln1", 1), torch.ones(config.hidden_size))
    by_hand = weights["lm_head.weight"].T * weights["model.norm.weight"][:, None]
    assert torch.equal(folded.w_u, by_hand)
    resid = folded.embed(TOKENS)
    start = torch.zeros(2, dtype=torch.long)
    run = folded.cache(TOKENS, ["blocks.0.attn.hook_k", "blocks.0.attn.hook_v", "blocks.0.hook_resid_post"])
    block = folded.block(0, resid, CachedPrefix(run, 0, start))
    assert float((block - run["blocks.0.hook_resid_post"]).abs().max()) < 1e-4


@pytest.mark.parametrize("table", [512, 8192])
def test_long_sequences_are_right_within_and_beyond_the_first_rotary_table(monkeypatch, table):
    monkeypatch.setattr(conversion, "TABLE_POSITIONS", table)
    config = random_config(n_layers=1, n_ctx=4096, rope=LLAMA3)
    tokens = torch.randint(3, 64, (1, 2100), generator=torch.Generator().manual_seed(2))
    llama = hugging_face(config, torch.float32, "sdpa")
    model = HookedLensModel(hooked_from_llama(llama))
    expected = llama(tokens).logits
    assert float((model.model(tokens) - expected).abs().max()) < 1e-4 * float(expected.abs().max())
    run = model.cache(tokens, ["blocks.0.attn.hook_k", "blocks.0.attn.hook_v", "blocks.0.hook_resid_post"])
    resid = model.embed(tokens)[:, 2098:]
    block = model.block(0, resid, CachedPrefix(run, 2098, torch.zeros(1, dtype=torch.long)))
    assert float((block - run["blocks.0.hook_resid_post"][:, 2098:]).abs().max()) < 1e-4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_act": "gelu"}, "hidden_act: expected 'silu', found 'gelu'"),
        ({"attention_bias": True}, "attention_bias: expected False, found True"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"pretraining_tp": 2}, "pretraining_tp: expected 1, found 2"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantized"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}}, "found 'yarn'"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "found 'dynamic'"),
    ],
)
def test_what_cannot_be_exact_is_refused(change, message):
    config = random_config()
    for key, value in change.items():
        setattr(config, key, value)
    with pytest.raises(UnsupportedModel, match=message):
        hooked_config(config, torch.float32)


def test_settings_of_transformers_4_are_understood():
    config = random_config()
    old = LlamaConfig.from_dict({**config.to_dict(), "rope_parameters": None, "rope_theta": 5000.0})
    assert hooked_config(old, torch.float32).rotary_base == 5000.0
    scaled = {**config.to_dict(), "rope_parameters": None, "rope_scaling": {"type": "linear", "factor": 2.0}}
    assert hooked_config(LlamaConfig.from_dict(scaled), torch.float32).rotary_scaling_factor == 2.0


def test_tensor_shapes_are_hugging_faces():
    for config in CONFIGS.values():
        llama = LlamaForCausalLM(config)
        expected = {name: tuple(value.shape) for name, value in llama.named_parameters()}
        assert tensor_shapes(config) == expected
