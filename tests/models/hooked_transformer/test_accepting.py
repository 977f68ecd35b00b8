"""An existing HookedTransformer as a lens, with raw weights and with those that TransformerLens processed."""

import copy

import pytest
import torch
from random_llamas import random_llama
from tokenizer_folders import write_byte_level_tokenizer
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformers import AutoTokenizer

import spiritlens as sl
from spiritlens.models.hooked_transformer.accepting import SETTINGS, accepted
from spiritlens.models.random_weights import random_config, random_lens_model
from spiritlens.prompts.vocabulary.families import TEXT_ONLY

HOOKED = "hooked_transformer"
SENTENCE = "the capital of france is"


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("byte_level")
    write_byte_level_tokenizer(folder, [])
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA"])
def model(request, tokenizer) -> HookedTransformer:
    shape = random_config(n_layers=3, d_model=24, n_kv_heads=request.param, d_mlp=40, d_vocab=len(tokenizer))
    return random_lens_model(shape, seed=4, dtype=torch.float64).model


def processed(model: HookedTransformer) -> HookedTransformer:
    """As `HookedTransformer.from_pretrained` hands it out: norms folded, unembedding centred, value biases folded."""
    copied = copy.deepcopy(model)
    steps = {"fold_ln": True, "center_writing_weights": True, "center_unembed": True, "fold_value_biases": True}
    copied.load_and_process_state_dict(dict(copied.state_dict()), **steps)
    return copied.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def lens(model, tokenizer) -> sl.Lens:
    return sl.Lens.of(model, tokenizer)


def asked(lens, subject="france"):
    return lens.text(f"the capital of {subject} is", subject, "paris", "rome")


def test_a_text_model_traces_patches_and_goes_on(lens, model):
    assert lens.model is model
    assert lens.family is TEXT_ONLY
    prompt = asked(lens)
    assert prompt.ids == tuple(lens.model.to_tokens(SENTENCE)[0].tolist())
    assert torch.allclose(sl.run(lens, prompt).logits[0], model(prompt.tokens)[0], atol=1e-10)
    effects = sl.causal_trace(lens, [prompt], ("resid_pre",), samples=2, progress="none")
    value = float(effects["restored"].sel(metric="probability").values.ravel()[0])
    assert 0 < value < 1
    patched = sl.activation_patch(lens, [prompt], [asked(lens, "zealand")], ("resid_post",), progress="none")
    assert patched.sizes["prompt"] == 1
    assert isinstance(lens.generate(SENTENCE, 3), str)
    with pytest.raises(ValueError, match="no speech"):
        lens.prompt(
            [sl.SpeechSegment(sl.speech.UnitStream.from_frames([1, 2], 25.0), [sl.speech.WordInterval("a", 0, 0.08)])]
        )


def test_processed_weights_give_the_same_effects(lens, model, tokenizer):
    """Folded and centred weights: logits move by one number a position, probabilities and their effects do not."""
    other = sl.Lens.of(processed(model), tokenizer)
    assert other.model.cfg.normalization_type == "RMSPre"
    prompt = asked(lens)
    shift = sl.run(other, prompt).logits - sl.run(lens, prompt).logits
    assert float(shift.abs().max()) > 1e-3, "the unembedding is centred"
    assert float((shift - shift[..., :1]).abs().max()) < 1e-6, "TransformerLens folds in float32"
    tracing = {"corruption": sl.Noise(0.5), "metrics": ("probability", "logit_difference"), "samples": 2}

    def measured(one):
        traced = sl.causal_trace(one, [prompt], ("resid_pre", "mlp_out"), progress="none", **tracing)
        linear = sl.attribution_patch(one, [prompt], [asked(one, "zealand")], progress="none")
        direct, read = sl.heads.direct_logit_attribution(one, [prompt]), sl.lenses.logit_lens(one, [prompt])
        return traced["restored"], linear["restored"], direct["heads"], read["top_probability"]

    found = [measured(one) for one in (lens, other)]
    for raw, folded in zip(*found, strict=True):
        assert float(abs(raw - folded).max()) < 1e-6


def test_the_suffix_engine_runs_on_it(lens):
    """Blocks are the plain ones that fused kernels serve; results equal whole passes."""
    prompt, vector = asked(lens), torch.ones(24, dtype=torch.float64)
    found = sl.run(lens, prompt, sl.add("resid_mid", 1, prompt.subject, vector))
    place = list(prompt.subject.positions)

    def hook(x, hook):
        x = x.clone()
        x[:, place] += vector
        return x

    slow = lens.model.run_with_hooks(prompt.tokens, fwd_hooks=[("blocks.1.hook_resid_mid", hook)])
    assert float((found.logits - slow).abs().max()) < 1e-10


GPT = {"normalization_type": "LN", "positional_embedding_type": "standard", "gated_mlp": False, "act_fn": "gelu"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            GPT,
            "normalization_type='LN': a lens needs blocks of the Llama kind, with norm.* 'RMS' or 'RMSPre'",
        ),
        ({"act_fn": "gelu"}, "act_fn='gelu': .* with act_fn 'silu'"),
        ({"gated_mlp": False}, "gated_mlp=False"),
        ({"positional_embedding_type": "standard"}, "positional_embedding_type='standard'"),
        ({"attention_dir": "bidirectional"}, "attention_dir='bidirectional'"),
        ({"parallel_attn_mlp": True}, "parallel_attn_mlp=True"),
        ({"original_architecture": "GemmaForCausalLM"}, "original_architecture='GemmaForCausalLM'"),
        ({"rotary_dim": 4}, "rotary_dim=4: .* with all 6 dimensions of a head turned"),
        ({"attn_scores_soft_cap": 50.0}, "attn_scores_soft_cap=50.0: .* with no attn_scores_soft_cap"),
    ],
)
def test_other_blocks_are_refused_by_the_setting_that_tells_them_apart(change, message):
    settings = {
        **{"n_layers": 1, "d_model": 24, "d_head": 6, "n_heads": 4, "d_mlp": 40, "n_ctx": 16, "d_vocab": 50},
        **{"act_fn": "silu", "normalization_type": "RMS", "gated_mlp": True, "rotary_dim": 6, "device": "cpu"},
        "positional_embedding_type": "rotary",
    }
    accepted(HookedTransformer(HookedTransformerConfig(**settings)))
    with pytest.raises(ValueError, match=message):
        accepted(HookedTransformer(HookedTransformerConfig(**{**settings, **change})))


def test_every_setting_is_one_of_transformer_lens():
    config = random_llama(backend="hooked_transformer").cfg
    assert [name for name in SETTINGS if not hasattr(config, name)] == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda model, tokenizer: ("llama", tokenizer), r"model='llama' \(str\): expected a HookedTransformer"),
        (lambda model, tokenizer: (model, None), r"tokenizer=None \(NoneType\): expected a fast tokenizer"),
        (
            lambda model, tokenizer: (random_llama(backend="hooked_transformer"), tokenizer),
            "ids reach .* but the embedding has 50 rows",
        ),
    ],
)
def test_what_is_no_model_or_tokenizer_is_refused(model, tokenizer, given, message):
    with pytest.raises(ValueError, match=message):
        sl.Lens.of(*given(model, tokenizer))


def test_a_speech_family_is_told_by_its_strings(tmp_path):
    tokenizer_size = write_byte_level_tokenizer(
        tmp_path, [*(f"<Un{unit}>" for unit in range(20)), "<speech>", "<text>"]
    )
    shape = random_config(n_layers=1, d_model=24, d_mlp=40, d_vocab=tokenizer_size)
    lens = sl.Lens.of(random_lens_model(shape).model, AutoTokenizer.from_pretrained(tmp_path), name="mine")
    assert (lens.family.name, lens.family.n_units, lens.name) == ("sims-llama", 20, "mine")


def test_rows_without_a_name_are_not_taken_for_text(tokenizer):
    model = random_lens_model(random_config(n_layers=1, d_model=24, d_mlp=40, d_vocab=len(tokenizer) + 300)).model
    with pytest.raises(ValueError, match="no known family's units"):
        sl.Lens.of(model, tokenizer)
    assert sl.Lens.of(model, tokenizer, family=TEXT_ONLY).family is TEXT_ONLY


@pytest.mark.parametrize("architecture", ["Qwen2ForCausalLM", "MistralForCausalLM"])
def test_architectures_of_the_same_blocks_are_accepted(model, architecture):
    named = copy.deepcopy(model)
    named.cfg.original_architecture = architecture
    assert accepted(named) is named
    named.cfg.use_local_attn = True  # a window that slides
    with pytest.raises(ValueError, match="use_local_attn=True"):
        accepted(named)
