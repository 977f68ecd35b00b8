"""An existing bridge as a lens, and bridges that are refused with the way out."""

import pytest
import torch
from tokenizer_folders import write_byte_level_tokenizer
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

import spiritlens as sl
from spiritlens.models.checkpoints.llama import architecture
from spiritlens.models.random_weights import random_config, random_weights


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("byte_level")
    write_byte_level_tokenizer(folder, [])
    return AutoTokenizer.from_pretrained(folder)


def bare(rows: int, dtype: torch.dtype = torch.float32):
    """A bridge as a user makes it, of TransformerLens alone."""
    config = random_config(n_kv_heads=2, d_vocab=rows)
    llama = architecture("llama").model(config).to(dtype)
    llama.load_state_dict(random_weights(config, 1, dtype))
    return build_bridge_from_module(llama.eval(), "LlamaForCausalLM", hf_config=config, tokenizer=None)


def test_a_bridge_of_a_user_s_is_shared_and_traced(tokenizer):
    model = bare(len(tokenizer))
    before = [parameter.requires_grad for parameter in model.parameters()]
    lens = sl.Lens.of(model, tokenizer)
    assert lens.model is model
    assert before == [parameter.requires_grad for parameter in model.parameters()]
    prompt = lens.text("the capital of france is", "france", "paris", "rome")
    assert prompt.ids == tuple(model.to_tokens("the capital of france is")[0].tolist())
    assert torch.allclose(sl.run(lens, prompt).logits[0], model(prompt.tokens)[0], atol=1e-4)
    effects = sl.causal_trace(lens, [prompt], ("resid_pre",), samples=2, progress="none")
    assert 0 < float(effects["restored"].sel(metric="probability").values.ravel()[0]) < 1


def test_what_differs_from_a_llama_or_is_not_exact_is_refused(tokenizer):
    rows = len(tokenizer)
    gpt = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=rows))
    other = build_bridge_from_module(gpt.eval(), "GPT2LMHeadModel", hf_config=gpt.config, tokenizer=None)
    processed = bare(rows)
    processed.enable_compatibility_mode(disable_warnings=True)
    for model, message in (
        (other, "type 'gpt2': a lens needs blocks of the Llama kind"),
        (bare(rows, torch.float64), r"softmax in float32: give its checkpoint to spiritlens.load\(folder, dtype="),
        (processed, r"compatibility mode.*without enable_compatibility_mode\(\)"),
    ):
        with pytest.raises(ValueError, match=message):
            sl.Lens.of(model, tokenizer)
