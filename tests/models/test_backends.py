"""A lens gets at its model by the row of its library, and by nothing else."""

import importlib.util
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from live_memory import LiveMemory
from random_llamas import of_architecture, tied

import spiritlens as sl
from spiritlens.models import backends
from spiritlens.models.protocol import CachedPrefix, LensModel
from spiritlens.models.random_weights import random_config, random_weights

KINDS = {"hooked_transformer": "HookedTransformer", "bridge": "TransformerBridge"}
NAMES = [row.maker.name for row in backends.BACKENDS if row.maker]


class Boxed:
    """A model of another class, for which another row stands."""

    def __init__(self, inside: torch.nn.Module) -> None:
        self.inside = inside


@pytest.fixture(params=NAMES)
def lens(request: pytest.FixtureRequest) -> sl.Lens:
    return sl.planted(backend=request.param).lens


def test_the_row_of_a_model_opens_it(lens: sl.Lens) -> None:
    row = backends.backend_of(lens.model)
    assert type(lens.model) is row.model
    assert row.model.__name__ == KINDS[row.maker.name]
    assert type(lens.backend) is row.opened
    assert lens.id == row.fingerprint(lens.model)


def test_the_first_row_is_the_default() -> None:
    assert type(sl.planted().lens.model) is backends.BACKENDS[0].model
    assert type(sl.load(device="cpu").model) is backends.BACKENDS[0].model
    assert NAMES[-1] == "bridge", "both versions have it"


@pytest.mark.parametrize("name", NAMES)
def test_load_makes_the_kind_that_is_asked_for(name: str) -> None:
    lens = sl.load(device="cpu", backend=name)
    assert type(lens.model).__name__ == KINDS[name]
    assert sl.selfcheck(lens).agrees


def test_a_kind_that_the_installed_version_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "BACKENDS", backends.BACKENDS[-1:])
    assert backends.maker(None).name == "bridge"
    with pytest.raises(ValueError, match=r"no HookedTransformer; use backend='bridge', or install transformer-lens<4"):
        sl.load(backend="hooked_transformer")
    with pytest.raises(ValueError, match="backend"):
        sl.planted(backend="hooked")  # type: ignore[arg-type]


def test_a_benchmark_of_a_kind_that_is_not_there_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"run it with transformer-lens<4"):
        runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "hooked.py"))


LARGE = {"n_layers": 2, "d_model": 256, "n_heads": 4, "d_mlp": 1024, "d_vocab": 4096, "n_ctx": 64}
LARGE_CONFIGS = {
    "as many key-value heads": random_config(**LARGE),
    "grouped queries": random_config(**LARGE, n_kv_heads=2),
    "grouped queries with biases": of_architecture(random_config(**LARGE, n_kv_heads=2), "qwen2"),
    "tied embeddings": tied(random_config(**LARGE, n_kv_heads=2)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", LARGE_CONFIGS)
def test_no_second_copy_of_the_weights_is_made_or_kept(kind: str, name: str) -> None:
    """By the memory that each parameter lies in, and by the bytes that loading and running make and hold."""
    config = LARGE_CONFIGS[kind]
    weights = random_weights(config)
    held = {value.untyped_storage().data_ptr() for value in weights.values()}
    size = sum(value.nbytes for value in weights.values())
    with LiveMemory() as copying:
        copies = [value.clone() for value in weights.values()]
    assert copying.now == size == sum(value.nbytes for value in copies), "negative control"
    with LiveMemory() as loading:
        model = backends.maker(name).converted(weights, config)
    elsewhere = [
        value
        for value in (*model.parameters(), *model.buffers())
        if value.untyped_storage().data_ptr() not in held and value.count_nonzero()
    ]
    assert all(not isinstance(value, torch.nn.Parameter) for value in elsewhere), "tables and masks are buffers"
    assert loading.now < size / 50
    inside, tokens = backends.backend_of(model).opened(model), torch.arange(3, 11)[None]
    names = [f"blocks.1.{part}" for part in ("hook_resid_pre", "attn.hook_k", "attn.hook_v")]
    with LiveMemory() as running, torch.no_grad():
        model(tokens)
        inside.forward(tokens)
        run = inside.cache(tokens, names)
        inside.block(1, run[names[0]][:, 5:], CachedPrefix(run, 5, torch.tensor([0])))
        inside.attention_weights(1), inside.mlp_weights(1), inside.read_out_weights()
    assert running.now < size / 50
    assert running.peak < size / 4


def test_another_row_is_asked_for_its_own_models(lens: sl.Lens, monkeypatch: pytest.MonkeyPatch) -> None:
    """A further backend is a class and a row: the lens opens, names and continues its models through it."""
    asked = []
    row = backends.backend_of(lens.model)

    def opened(model: Boxed) -> LensModel:
        asked.append(model)
        return row.opened(model.inside)

    own = replace(
        row,
        model=Boxed,
        opened=opened,
        fingerprint=lambda model: "mine",
        user_hooks=lambda model: (),
        attach_tokenizer=lambda model, tokenizer: None,
    )
    monkeypatch.setattr(backends, "BACKENDS", (own, *backends.BACKENDS))
    mine = sl.Lens(Boxed(lens.model), lens.vocabulary)  # type: ignore[arg-type]
    assert mine.id == "mine"
    assert asked == [mine.model]
    prompt = sl.planted().prompts[0]
    assert torch.equal(sl.run(mine, prompt).logits, sl.run(lens, prompt).logits)


def test_other_models_are_refused_by_their_kind(lens: sl.Lens) -> None:
    with pytest.raises(ValueError, match=r"Linear\): expected a .*TransformerBridge"):
        backends.backend_of(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"expected a .*TransformerBridge"):
        sl.Lens.of(torch.nn.Linear(2, 2), lens.vocabulary.tokenizer)
