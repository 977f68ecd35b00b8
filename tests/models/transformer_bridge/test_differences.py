"""The table "What differs" of docs/transformer_lens_4.md, row by row, on each kind of model that is installed.

Rows with tests elsewhere: ``resid_mid`` and hooks that stay (`test_bridged`), float64 (`test_precise`), compatibility
mode (`test_accepting`), folded gains (`test_conversion`).
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

import spiritlens as sl
from spiritlens.models import backends
from spiritlens.models.checkpoints.llama import architecture
from spiritlens.models.random_weights import random_config, random_lens_model, random_weights
from spiritlens.models.untrained import untrained_twin

NAMES = [row.maker.name for row in backends.BACKENDS if row.maker]
TOKENS = torch.tensor([[1, 5, 9, 12]])
THREE = version("transformer-lens").startswith("3.")
PAGE = Path(__file__).parents[3] / "docs" / "transformer_lens_4.md"
ROWS = (
    *("names of hook points", "a name that there is not", "`hook_resid_mid` that returns a tensor"),
    "your hook on `hook_resid_mid` beside one of `lens.backend.hooked`",
    "your hook on a norm's `hook_scale` beside one of `lens.backend.hooked`",
    *("`hook_attn_scores` of later positions", "q, k, v, z at a hook point"),
    *("`W_K`, `W_V` of grouped-query attention", "biases that Llama has not (`b_Q`, `b_O` …)"),
    *("bias of the unembedding", "`cfg.rotary_base`, `rotary_dim`, `attn_scale`", "float64", "keys in its cache"),
    *("hooks after `run_with_cache`", "gradient at `hook_normalized`"),
    *("Hugging Face's model that it was made of", '`norms="folded"`', "compatibility mode", "`lens.id`"),
    "`untrained_twin(lens, seed)`",
)


def test_every_row_of_the_table_has_a_test() -> None:
    _, table = PAGE.read_text(encoding="utf-8").split("## What differs")
    table, _ = table.split("## What each takes")
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines if not line.startswith(("| |", "| ---"))] == list(
        ROWS
    )


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(kind: str) -> Any:
    """Grouped-query attention, rotary base 500,000."""
    config = random_config(n_kv_heads=2, rope={"rope_type": "default", "rope_theta": 5e5})
    return random_lens_model(config, dtype=torch.float32, backend=kind).model


def test_names_of_hook_points(model: Any, kind: str) -> None:
    name, seen = "blocks.1.hook_resid_pre", []
    model.run_with_hooks(TOKENS, fwd_hooks=[(name, lambda value, hook: seen.append(hook.name))])
    assert seen == [name if kind == "hooked_transformer" else "blocks.1.hook_in"]
    _, cache = model.run_with_cache(TOKENS, names_filter=name)
    assert set(cache) == {name, seen[0]}


def test_a_name_that_there_is_not(model: Any, kind: str) -> None:
    hooks = [("blocks.9.hook_mlp_out", lambda value, hook: 0 * value)]
    if kind == "bridge" and THREE:
        assert torch.equal(model.run_with_hooks(TOKENS, fwd_hooks=hooks), model(TOKENS))
    else:
        with pytest.raises(KeyError):
            model.run_with_hooks(TOKENS, fwd_hooks=hooks)
    with pytest.raises(ValueError, match="no hook point"):
        backends.backend_of(model).opened(model).cache(TOKENS, ["blocks.9.hook_mlp_out"])


def test_a_hook_of_yours_on_resid_mid_beside_the_toolkit_s(kind: str) -> None:
    circuit = sl.planted(backend=kind)
    lens, prompt = circuit.lens, circuit.prompts[0]
    other, name, seen = circuit.counterfactual(prompt), "blocks.1.hook_resid_mid", list[torch.Tensor]()
    plain, foreign = (lens.backend.cache(one.tokens, [name])[name][0] for one in (prompt, other))
    lens.model.add_hook(name, lambda value, hook: seen.extend(value.clone()))
    with lens.backend.hooked([(name, lambda value: value + 1)]):
        lens.backend.forward(prompt.tokens)
    assert torch.allclose(seen[-1], plain if kind == "hooked_transformer" else plain + 1)
    sl.run(lens, prompt, sl.replace_with("resid_mid", 1, "last token", plain[-1] + 2))
    assert torch.allclose(seen[-1], torch.cat([plain[:-1], plain[-1:] + 2]))
    seen.clear()
    grid = sl.Grid(("resid_mid",), at="span", spans=("last token",))
    sl.activation_patch(lens, [prompt], [other], grid, ("logit_difference",), progress="none")
    patched = torch.cat([foreign[:-1], plain[-1:]])
    assert any(torch.allclose(row, patched) for row in seen)
    assert not torch.allclose(foreign, patched)


@pytest.mark.parametrize("point", ["ln2.hook_scale", "hook_resid_pre", "hook_attn_out", "hook_mlp_out", "attn.hook_z"])
def test_two_hooks_at_one_point_fire_as_they_were_placed_but_for_a_scale(model: Any, kind: str, point: str) -> None:
    name, inside, fired = f"blocks.1.{point}", backends.backend_of(model).opened(model), list[str]()

    def ours(value: torch.Tensor) -> torch.Tensor:
        fired.append("ours")
        return 2 * value

    opened = {
        "yours": lambda: model.hooks(fwd_hooks=[(name, lambda value, hook: fired.append("yours"))]),
        "ours": lambda: inside.hooked([(name, ours)]),
    }
    for first, second in (("yours", "ours"), ("ours", "yours")):
        fired.clear()
        with opened[first](), opened[second]():
            inside.forward(TOKENS)
        scale_of_a_bridge = kind == "bridge" and point.endswith("hook_scale")
        assert list(dict.fromkeys(fired)) == (["yours", "ours"] if scale_of_a_bridge else [first, second])


def test_scores_of_later_positions(model: Any, kind: str) -> None:
    later = model.run_with_cache(TOKENS)[1]["blocks.1.attn.hook_attn_scores"][0, 0, 0, 1]
    assert float(later) == (-torch.inf if kind == "hooked_transformer" else torch.finfo(torch.float32).min)


def test_heads_at_a_hook_point(model: Any, kind: str) -> None:
    shapes: list[tuple[int, ...]] = []
    point = model.hook_dict["blocks.1.attn.hook_z"]
    handle = point.register_forward_hook(lambda module, given, output: shapes.append(tuple(output.shape)))
    model.run_with_hooks(
        TOKENS, fwd_hooks=[("blocks.1.attn.hook_z", lambda value, hook: shapes.append(tuple(value.shape)))]
    )
    handle.remove()
    by_head, flat = (1, 4, 4, 8), (1, 4, 32)
    assert set(shapes) == ({by_head} if kind == "hooked_transformer" else {by_head, flat})
    inside = backends.backend_of(model).opened(model)
    with inside.hooked([("blocks.1.attn.hook_z", lambda value: shapes.append(tuple(value.shape)) or value)]):
        inside.forward(TOKENS)
    assert shapes[-1] == by_head


def test_weights_and_biases_of_grouped_queries(model: Any, kind: str) -> None:
    attention = model.blocks[1].attn
    assert len(attention.W_K) == len(attention.W_V) == (4 if kind == "hooked_transformer" else 2)
    assert backends.backend_of(model).opened(model).attention_weights(1).k.weight.shape == (16, 32)
    if kind == "hooked_transformer":
        assert attention.b_Q.count_nonzero() == attention.b_O.count_nonzero() == 0
        assert model.unembed.b_U.count_nonzero() == 0
    else:
        assert attention.b_Q is attention.b_O is None
        with pytest.raises(TypeError if THREE else AttributeError):
            _ = model.b_Q
        assert model.unembed.original_component.bias.count_nonzero() == 0
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_rotary_settings(model: Any, kind: str) -> None:
    found = (model.cfg.rotary_base, model.cfg.rotary_dim, model.cfg.attn_scale)
    assert found == ((500000, 8, 8**0.5) if kind == "hooked_transformer" else (10000, None, -1.0))
    weights = backends.backend_of(model).opened(model).attention_weights(0)
    assert weights.attn_scale == pytest.approx(8**0.5)
    assert float(weights.rotary_sin[3, 3]) == pytest.approx(float(torch.tensor(3 * 5e5 ** (-6 / 8)).sin()), abs=1e-7)


def test_keys_in_a_cache() -> None:
    """Hugging Face's cache holds them rotated; the toolkit's runs hold them as they were before."""
    inside = random_lens_model(random_config(n_kv_heads=2), dtype=torch.float32, backend="bridge")
    cached = inside.model.original_model(TOKENS, use_cache=True).past_key_values.layers[1].keys.transpose(1, 2)
    activations = inside.model.run_with_cache(TOKENS)[1]
    before = activations["blocks.1.attn.hook_k"]
    turned = activations["blocks.1.attn.hook_rot_k"]
    turned = turned if turned.shape == cached.shape else turned.transpose(1, 2)
    assert torch.allclose(cached, turned, atol=1e-5)
    assert not torch.allclose(cached, before, atol=1e-3)
    assert torch.allclose(inside.cache(TOKENS, ["blocks.1.attn.hook_k"])["blocks.1.attn.hook_k"], before, atol=1e-6)


def test_hugging_face_s_model(kind: str) -> None:
    config = random_config()
    llama = architecture("llama").model(config).eval()
    llama.load_state_dict(random_weights(config))
    made = backends.maker(kind).shared(llama, "mine")
    held = {parameter.data_ptr() for parameter in made.parameters()}
    if kind == "hooked_transformer":
        assert type(llama.model.embed_tokens) is torch.nn.Embedding
        assert llama.model.embed_tokens.weight.requires_grad
        assert llama.model.embed_tokens.weight.data_ptr() in held
    else:
        assert isinstance(llama, LlamaForCausalLM)
        assert made.original_model is llama
        assert type(llama.model.embed_tokens) is not torch.nn.Embedding
        assert not any(parameter.requires_grad for parameter in llama.parameters())
        with pytest.raises(ValueError, match=r"wrapped by a TransformerBridge already: give the bridge"):
            sl.load(llama, backend="bridge")


def test_folded_gains_are_read_as_ones(kind: str) -> None:
    config, making = random_config(), backends.maker(kind)
    model = making.folded(making.converted(random_weights(config), config))
    inside = backends.backend_of(model).opened(model)
    assert torch.equal(inside.norm_gain("ln1", 1), torch.ones(32))
    assert torch.equal(inside.norm_gain("ln_final"), torch.ones(32))
    assert hasattr(model.blocks[1].ln1, "w") == (kind == "bridge")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_to_about_the_same(dtype: torch.dtype) -> None:
    first, *others = (
        random_lens_model(random_config(n_kv_heads=2), dtype=dtype, backend=name).forward(TOKENS) for name in NAMES
    )
    for other in others:
        assert float((first - other).abs().max()) < 0.02 * float(first.abs().max())


def test_a_run_that_was_begun_on_one_kind_is_not_resumed_on_the_other(tmp_path: Path) -> None:
    grid, asked = sl.Grid(("mlp_out",), at="span", spans=("last token",)), {"samples": 1, "progress": "none"}
    first, *others = (sl.planted(backend=name) for name in NAMES)
    sl.causal_trace(first.lens, [first.prompts[0]], grid, folder=tmp_path, **asked)
    sl.causal_trace(first.lens, [first.prompts[0]], grid, folder=tmp_path, **asked)
    for other in others:
        with pytest.raises(ValueError, match="model"):
            sl.causal_trace(other.lens, [other.prompts[0]], grid, folder=tmp_path, **asked)


def test_ids_and_untrained_twins_of_one_checkpoint() -> None:
    lenses = [sl.load(device="cpu", backend=name) for name in NAMES]
    twins = [untrained_twin(lens, 3) for lens in lenses]
    assert len({lens.id for lens in lenses}) == len({twin.id for twin in twins}) == len(NAMES)
    again = untrained_twin(lenses[0], 3)
    assert again.id == twins[0].id
    drawn = [twin.backend.attention_weights(0).q.weight for twin in twins]
    assert all(not torch.equal(drawn[0], other) for other in drawn[1:])
