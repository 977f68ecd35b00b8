"""A user's own corruption goes wherever ours go, is told apart by its settings, and is checked at the door."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

import spiritlens as sl
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.tracing.first_look import first_look
from spiritlens.report.methods.sentences import methods_sentences
from spiritlens.runs.corruptions.corruption import CorruptionRequest, corrupted_embeddings
from tests.analysis.tracing_lens import text_prompt, tiny_lens

QUIET: dict[str, Any] = {"progress": "none"}


@dataclass(frozen=True)
class Rotated(sl.Corruption):
    """Each embedding of the span turned round by some entries; nothing is drawn."""

    by: int = 1

    def embeddings(self, request: CorruptionRequest) -> Tensor:
        found = request.plain.repeat(request.samples, 1, 1)
        found[:, request.positions] = found[:, request.positions].roll(self.by, dims=-1)
        return found


class Shuffled:
    """The span's embeddings in another order; no relative of ours, with the four methods."""

    def embeddings(self, request):
        found = request.plain.repeat(request.samples, 1, 1)
        stream = torch.Generator().manual_seed(request.seed)
        for sample in found:
            order = torch.randperm(len(request.positions), generator=stream)
            sample[list(request.positions)] = sample[torch.tensor(request.positions)[order]]
        return found

    def describe(self):
        return "the embeddings in another order"

    def settings(self):
        return {}

    def resolved(self, lens):
        return self


@dataclass(frozen=True)
class Wrong(Rotated):
    """Makes of the rotated embeddings something else."""

    what: Callable[[Tensor], Any] = field(default=lambda found: found)

    def embeddings(self, request: CorruptionRequest) -> Any:
        return self.what(super().embeddings(request))

    def settings(self) -> dict[str, object]:
        return {"by": self.by}


@pytest.fixture(scope="module")
def lens():
    return tiny_lens(n_layers=2)


@pytest.fixture(scope="module")
def prompt():
    return text_prompt()


def test_defaults_are_the_fields_and_their_words() -> None:
    assert Rotated(3).settings() == {"by": 3}
    assert Rotated(3).describe() == "Rotated (by 3)"
    assert isinstance(sl.Noise(), sl.Corruption)


def test_it_traces_and_its_words_are_on_the_page(lens, prompt) -> None:
    traced = sl.causal_trace(
        lens, [prompt], sl.Grid(("resid_pre",), at="role"), corruption=Rotated(5), samples=2, **QUIET
    )
    assert traced.attrs["corruption"] == "Rotated (by 5) of the subject"
    assert json.loads(traced.attrs["config_json"])["corruption"] == {"by": 5}
    assert traced.attrs["noise_law"] == ""
    assert any(
        "Corruption: Rotated (by 5) of the subject, 2 samples" in line for line in methods_sentences({"": traced})
    )
    run = sl.run(lens, prompt, sl.corrupt("subject", by=Rotated(5)), samples=1)
    assert float(traced["corrupted"][0, 0, 0]) == pytest.approx(run.metric("probability"), abs=1e-9)
    assert first_look(lens, [prompt], Grid(("resid_pre",), at="role"), corruption=Rotated(), n_exact=1).estimates


@pytest.mark.parametrize("corruption", [Rotated(5), Shuffled()])
@pytest.mark.parametrize("verb", [sl.activation_patch, sl.attribution_patch])
def test_it_is_a_contrast(lens, prompt, verb, corruption) -> None:
    found = verb(lens, [prompt], corruption, sl.Grid(("resid_pre",), at="role"), samples=2, **QUIET)
    assert found.attrs["corruption"] == corruption.describe()
    assert json.loads(found.attrs["config_json"])["contrast"] == corruption.settings()
    assert float(abs(found["clean"] - found["corrupted"]).max()) > 1e-6


def test_it_is_a_contrast_of_paths(lens, prompt) -> None:
    paths = sl.paths.Paths([sl.paths.Sender("embed")], [sl.paths.Receiver("mlp_in", 0)])
    found = sl.path_patch(lens, [prompt], Rotated(5), paths, metrics=("logit",), **QUIET)
    assert found.attrs["corruption"] == "Rotated (by 5)"
    assert float(abs(found["patched"] - found["base"]).max()) > 1e-6


def test_a_folder_knows_it_again_and_not_another(lens, prompt, tmp_path) -> None:
    def traced(corruption: Any) -> Any:
        return sl.causal_trace(
            lens,
            [prompt],
            sl.Grid(("resid_pre",), at="role"),
            corruption=corruption,
            samples=1,
            folder=tmp_path,
            **QUIET,
        )

    first = traced(Rotated(2))
    assert traced(Rotated(2)).identical(first)
    with pytest.raises(ValueError, match=r"corruption\.by: 2 there, 3 here"):
        traced(Rotated(3))
    with pytest.raises(ValueError, match="the embeddings in another order of the subject"):
        traced(Shuffled())


def test_noise_keeps_its_scale_and_law_as_attributes(lens, prompt) -> None:
    """A user's noise too, where its settings name them as ours do."""

    class Laplace(Rotated):
        def settings(self) -> dict[str, object]:
            return {"noise": [0.5, 1], "law": "laplace"}

    for noise, stored in ((sl.Noise(0.25, law="uniform"), (0.25, 0.25, "uniform")), (Laplace(), (0.5, 1, "laplace"))):
        attributes = sl.causal_trace(
            lens, [prompt], sl.Grid(("resid_pre",), at="role"), corruption=noise, samples=1, **QUIET
        ).attrs
        found = tuple(attributes[name] for name in ("noise_scale_text", "noise_scale_speech", "noise_law"))
        assert found == stored


WRONG = {
    r"are 3 \(int\): expected a tensor": lambda found: 3,
    r"have the shape \(1, \d+, \d+\): expected \[sample position d_model\] = \(2, ": lambda found: found[:1],
    "have the dtype torch.float16, the model's torch.float64": lambda found: found.half(),
    "are not all finite numbers": lambda found: found / 0,
    "made other embeddings when it was asked again with the same seed": lambda found: found + torch.rand(1),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_it_makes_is_checked_before_anything_runs(lens, prompt, message, monkeypatch) -> None:
    monkeypatch.setattr(type(lens.backend), "forward", None)
    for call in (
        lambda wrong: sl.causal_trace(lens, [prompt], corruption=wrong, **QUIET),
        lambda wrong: sl.activation_patch(lens, [prompt], wrong, **QUIET),
    ):
        with pytest.raises(ValueError, match=message):
            call(Wrong(what=WRONG[message]))


def test_what_it_makes_is_checked_in_a_single_run(lens, prompt) -> None:
    for message, what in WRONG.items():
        with pytest.raises(ValueError, match=message):
            sl.run(lens, prompt, sl.corrupt("subject", by=Wrong(what=what)), samples=2)


def test_no_corruption() -> None:
    class Settled(Rotated):
        def settings(self) -> dict[str, object]:
            return {"tensor": torch.zeros(2)}

    class Silent(Rotated):
        def describe(self) -> str:
            return " "

    class Half:
        embeddings = describe = Shuffled.describe

    for value, message in (
        (Rotated, "expected a corruption"),
        (Half(), r"by=.*Half.*: it lacks settings, resolved; derive it from sl.Corruption, which has them"),
        ("noise", "expected a corruption"),
        (Settled(), "the settings of by=.* are no values of JSON"),
        (Silent(), r"by\.describe\(\) is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            sl.corrupt("subject", by=value)  # type: ignore[arg-type]


def test_positions_may_be_named(lens, prompt) -> None:
    named = corrupted_embeddings(lens, prompt, Rotated(), positions="subject last", samples=1)
    assert torch.equal(
        named, corrupted_embeddings(lens, prompt, Rotated(), positions=prompt.subject.positions[-1:], samples=1)
    )
