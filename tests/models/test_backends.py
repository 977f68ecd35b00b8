"""A lens gets at its model by the row of its library, and by nothing else."""

import importlib.util
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import spiritlens as sl
from spiritlens.models import backends
from spiritlens.models.protocol import LensModel

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
