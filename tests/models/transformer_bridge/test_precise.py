"""A float64 bridge takes its softmax in float64; as TransformerLens makes it, in float32."""

import torch

from spiritlens.models.checkpoints.llama import architecture
from spiritlens.models.checkpoints.reference import hold_float64
from spiritlens.models.random_weights import random_config, random_lens_model, random_weights
from spiritlens.models.transformer_bridge.precise import is_precise, precise_softmax

TOKENS = torch.arange(3, 20)[None]


def bare():
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    config = random_config()
    llama = architecture("llama").model(config).double()
    llama.load_state_dict(random_weights(config, 0, torch.float64))
    llama = hold_float64(llama.eval().requires_grad_(False))
    expected = llama(TOKENS).logits
    return build_bridge_from_module(llama, "LlamaForCausalLM", hf_config=llama.config, tokenizer=None), expected


def test_the_softmax_is_taken_in_the_model_s_precision():
    model, expected = bare()
    assert not is_precise(model)
    assert 1e-10 < float((model(TOKENS) - expected).abs().max()) < 1e-4
    precise_softmax(model)
    assert is_precise(model)
    assert float((model(TOKENS) - expected).abs().max()) < 1e-12


def test_a_changed_score_changes_the_pattern_and_a_changed_pattern_stays():
    model = random_lens_model(random_config(), backend="bridge").model
    seen = {}

    def even(scores, hook):
        return torch.where(scores < -1e30, scores, 0 * scores)

    def keep(pattern, hook):
        seen["pattern"] = pattern

    with model.hooks(fwd_hooks=[("blocks.1.attn.hook_attn_scores", even), ("blocks.1.attn.hook_pattern", keep)]):
        model(TOKENS)
    length = TOKENS.shape[1]
    expected = torch.ones(length, length, dtype=torch.float64).tril() / torch.arange(1, length + 1)[:, None]
    assert float((seen["pattern"] - expected).abs().max()) < 1e-12
    plain = model(TOKENS)
    with model.hooks(fwd_hooks=[("blocks.1.attn.hook_pattern", lambda pattern, hook: 0 * pattern)]):
        assert float((model(TOKENS) - plain).abs().max()) > 1e-3
    assert model.blocks[1].attn.hook_attn_scores.kept is None, "nothing is held between passes"
