"""Every method goes prompt by prompt: with a folder it goes on where it stopped, and Ctrl-C keeps what is finished."""

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.analysis.grid import each_prompt
from spiritlens.analysis.tracing import causal_tracing
from spiritlens.effects.joining import join_effects
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.effects.schema import Status
from spiritlens.forked import forked, one_thread
from spiritlens.models.planted.planted import Planted
from spiritlens.prompts.prompt import Prompt


@dataclass(frozen=True)
class Call:
    """A method asked about some prompts of a circuit; `other` are arguments that make it another study, and `word` is
    what the refusal names of them."""

    ask: Callable[..., xr.Dataset]
    other: Mapping[str, Any]
    word: str


def traced(circuit: Planted, prompts: list[Prompt], **more: Any) -> xr.Dataset:
    return sl.causal_trace(circuit.lens, prompts, **{"grid": sl.Grid(("resid_pre",), at="role"), "samples": 1, **more})


def counterfactual(method: Callable[..., xr.Dataset], **settings: Any) -> Callable[..., xr.Dataset]:
    """A method that compares each prompt with the same about another subject."""

    def ask(circuit: Planted, prompts: list[Prompt], **more: Any) -> xr.Dataset:
        others = [circuit.counterfactual(prompt) for prompt in prompts]
        return method(circuit.lens, prompts, others, **{**settings, **more})

    return ask


def read(method: Callable[..., xr.Dataset], **settings: Any) -> Callable[..., xr.Dataset]:
    """A method that asks about prompts alone."""
    return lambda circuit, prompts, **more: method(circuit.lens, prompts, **{**settings, **more})


def silenced(circuit: Planted, prompts: list[Prompt], **more: Any) -> xr.Dataset:
    """Heads at the mean of prompts about other subjects."""
    ablation = sl.heads.Ablation("mean", reference=[circuit.prompts[5], circuit.prompts[18]])
    return sl.heads.head_knockout(circuit.lens, prompts, **{"ablation": ablation, "groups": {"one": [(6, 1)]}, **more})


PATHS = sl.paths.Paths(
    [sl.paths.Sender("mlp_out", 2)], [sl.paths.Receiver("v_input", 6, 1), sl.paths.Receiver("logits")]
)


def patched(circuit: Planted, prompts: list[Prompt], **more: Any) -> xr.Dataset:
    others = [circuit.counterfactual(prompt) for prompt in prompts]
    return sl.activation_patch(circuit.lens, prompts, others, sl.Grid(("resid_post", "z"), at="role"), **more)


def moved(circuit: Planted, prompts: list[Prompt], **more: Any) -> xr.Dataset:
    return sl.back_patch(circuit.lens, prompts, sl.Noise(), **{"donors": sl.Donors(layers=(1, 3)), **more})


def attributed(circuit: Planted, prompts: list[Prompt], **more: Any) -> xr.Dataset:
    return sl.attribution_patch(circuit.lens, prompts, sl.Noise(), sl.Grid(("z",), at="role"), **more)


CALLS: dict[str, Call] = {
    "causal_trace": Call(traced, {"samples": 2}, "samples"),
    "causal_trace, screened": Call(
        lambda circuit, prompts, **more: traced(circuit, prompts, **{"screen": 0.3, **more}), {"screen": 0.4}, "screen"
    ),
    "causal_trace, screened together": Call(
        lambda circuit, prompts, **more: traced(circuit, prompts, screen=sl.Screen(0.3, keep="common"), **more),
        {"corruption": sl.corruptions.KnockOut("zero")},
        "corruption",
    ),
    "path_patch": Call(counterfactual(sl.path_patch, paths=PATHS), {"paths": replace(PATHS, frozen="heads")}, "frozen"),
    "path_patch, other nodes": Call(
        counterfactual(sl.path_patch, paths=PATHS),
        {"paths": replace(PATHS, receivers=[sl.paths.Receiver("logits")])},
        "rece",
    ),
    "edge_attribution": Call(
        counterfactual(sl.attribute_edges, paths=PATHS), {"paths": replace(PATHS, base="clean")}, "base_run"
    ),
    "edge_attribution, steps": Call(
        counterfactual(sl.attribute_edges, paths=PATHS, steps=60), {"samples": sl.Draws(1, seed=3)}, "seed"
    ),
    "head_knockout": Call(silenced, {"metrics": ("logit",)}, "metrics"),
    "head_knockout, zero": Call(
        read(sl.heads.head_knockout, ablation="zero"),
        {"ablation": sl.heads.Ablation("zero", spans=("subject",))},
        "spans",
    ),
    "attention_knockout": Call(read(sl.heads.attention_knockout), {"window": 1}, "window"),
    "attention_mass": Call(read(sl.heads.attention_mass), {"by": "modality"}, "by"),
    "direct_logit_attribution": Call(
        read(sl.heads.direct_logit_attribution, by="token"), {"against": "mean"}, "against"
    ),
    "logit_lens": Call(read(sl.lenses.logit_lens), {"top": 3}, "top"),
    "activation_patch": Call(patched, {"donors": sl.Donors(control="noise")}, "control"),
    "activation_patch, donors": Call(
        lambda circuit, prompts, **more: patched(circuit, prompts, **{"donors": prompts, **more}),
        {"donors": None},
        "donors",
    ),
    "back_patch": Call(moved, {"donors": sl.Donors(layers=(1, 2))}, "source_layers"),
    "attribution_patch": Call(attributed, {"steps": 2}, "steps"),
}
"""Each method of the loop, in each way that decides otherwise what a prompt's numbers depend on. `ask` takes the
circuit, its prompts, and the arguments of the method that a test changes (``folder``, ``progress``, those of
`other`)."""


@pytest.fixture(scope="module")
def circuit() -> Planted:
    return sl.planted()


@pytest.fixture(scope="module")
def prompts(circuit: Planted) -> list[Prompt]:
    """A written prompt and a spoken one, of other length."""
    return [circuit.prompts[0], circuit.prompts[13]]


class Measured:
    """The loop's work, stopped by Ctrl-C at the second prompt while it is `stopped`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places: list[int] = []
        self.stopped = True
        measure = each_prompt._measured

        def measured(work: Any, place: int, *rest: Any) -> xr.Dataset:
            if self.stopped and self.places:
                raise KeyboardInterrupt
            self.places.append(place)
            return measure(work, place, *rest)

        monkeypatch.setattr(each_prompt, "_measured", measured)


def identical(one: xr.Dataset, other: xr.Dataset) -> None:
    """Equal in all but when they were made."""
    one, other = (found.assign_attrs(created="") for found in (one, other))
    xr.testing.assert_identical(one, other)


@pytest.mark.parametrize("name", CALLS)
def test_it_goes_on_where_it_stopped_and_keeps_what_is_finished(
    circuit: Planted, prompts: list[Prompt], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CALLS[name]
    whole = call.ask(circuit, prompts, progress="none")
    measured = Measured(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        call.ask(circuit, prompts, progress="none", folder=tmp_path)
    assert measured.places == [0]
    measured.places.clear()
    with pytest.warns(UserWarning, match="1 finished of 2"):
        kept = call.ask(circuit, prompts, progress="none")
    identical(kept, join_effects([RunDirectory(tmp_path).read_part("1-of-1.000001")]))

    with pytest.raises(ValueError, match=f"other settings.*{call.word}"):
        call.ask(circuit, prompts, **{"progress": "none", "folder": tmp_path, **call.other})
    measured.places.clear()
    measured.stopped = False
    identical(call.ask(circuit, prompts, progress="none", folder=tmp_path), whole)
    assert measured.places == [1], "the first prompt was not measured again"


def test_the_bar_moves_by_what_there_is_to_do(
    circuit: Planted, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By restored runs: cells × samples, of which a screen leaves a share; the second continuation counts nothing."""
    bars: list[Any] = []

    class Bar:
        def __init__(self, total: float, **settings: Any) -> None:
            self.total, self.moved = total, 0.0
            bars.append(self)

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *error: object) -> None: ...

        def update(self, step: float) -> None:
            self.moved += step

    monkeypatch.setattr(each_prompt, "tqdm", Bar)
    metrics = ("log_probability_difference",)
    effects = traced(circuit, prompts, metrics=metrics, samples=2)
    traced(circuit, prompts, metrics=metrics, samples=2, screen=0.25)
    cells = (effects["status"] != Status.ABSENT).sum(("component", "layer", "role")).values
    whole, screened = bars
    assert whole.total == whole.moved == 2 * cells.sum()
    assert screened.total == screened.moved == 2 * sum(-(-count // 4) for count in cells)


def test_a_bar_or_none(circuit: Planted, prompts: list[Prompt], capsys: pytest.CaptureFixture[str]) -> None:
    traced(circuit, prompts[:1], progress="none")
    assert capsys.readouterr().err == ""
    traced(circuit, prompts[:1])
    assert "tracing: 100%" in capsys.readouterr().err


def side_by_side(circuit: Planted) -> Planted:
    """The circuit, its prompts measured two at a time."""
    return replace(circuit, lens=replace(circuit.lens, processes=2))


@pytest.mark.parametrize("name", CALLS)
def test_side_by_side_is_what_it_is_one_by_one(
    circuit: Planted, prompts: list[Prompt], name: str, tmp_path: Path
) -> None:
    """In memory and in a folder; each process has one thread."""
    ask, both = CALLS[name].ask, side_by_side(circuit)
    with one_thread():
        wanted = ask(circuit, prompts, progress="none")
        identical(ask(both, prompts, progress="none"), wanted)
        identical(ask(both, prompts, progress="none", folder=tmp_path), wanted)


def test_the_longest_are_measured_first_and_results_are_in_order(
    circuit: Planted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Sequence[int]] = []

    def noted(function: Callable[[int], Any], places: Sequence[int], processes: int) -> Any:
        asked.append(places)
        return forked(function, places, processes)

    monkeypatch.setattr(each_prompt, "forked", noted)
    prompts = [circuit.prompts[place] for place in (0, 13, 1, 14)]
    found = traced(side_by_side(circuit), prompts, progress="none", grid=sl.Grid(("resid_pre",), at="token"))
    lengths = [len(prompts[place]) for place in asked[0]]
    assert lengths == sorted(lengths, reverse=True) != [len(prompt) for prompt in prompts]
    assert found["prompt_id"].values.tolist() == [prompt.id for prompt in prompts]


def test_a_prompt_that_fails_side_by_side_is_left_out(
    circuit: Planted, prompts: list[Prompt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace_prompt = causal_tracing.trace_prompt

    def failing(lens: sl.Lens, prompt: Prompt, *rest: Any, **more: Any) -> xr.Dataset:
        if prompt == prompts[0]:
            raise ValueError("its words are odd")
        return trace_prompt(lens, prompt, *rest, **more)

    monkeypatch.setattr(causal_tracing, "trace_prompt", failing)
    with pytest.warns(UserWarning, match="1 prompts could not be measured.*ValueError: its words are odd"):
        found = traced(side_by_side(circuit), prompts, progress="none", folder=tmp_path)
    assert found["prompt_id"].values.tolist() == [prompts[1].id]
    with pytest.raises(ValueError, match="its words are odd"):
        traced(side_by_side(circuit), prompts, progress="none")


def test_an_interrupt_side_by_side_keeps_what_is_finished(
    circuit: Planted, prompts: list[Prompt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the second prompt is measured; nothing goes on afterwards."""
    trace_prompt, here = causal_tracing.trace_prompt, os.getpid()

    def waiting(lens: sl.Lens, prompt: Prompt, *rest: Any, **more: Any) -> xr.Dataset:
        if prompt == prompts[0]:
            time.sleep(600)
        return trace_prompt(lens, prompt, *rest, **more)

    each = each_prompt._each

    def interrupted(*given: Any) -> Any:
        for done in each(*given):
            yield done
            raise KeyboardInterrupt

    monkeypatch.setattr(causal_tracing, "trace_prompt", waiting)
    monkeypatch.setattr(each_prompt, "_each", interrupted)
    with pytest.warns(UserWarning, match="1 finished of 2"):
        kept = traced(side_by_side(circuit), prompts, progress="none")
    assert kept["prompt_id"].values.tolist() == [prompts[1].id]
    with pytest.raises(KeyboardInterrupt):
        traced(side_by_side(circuit), prompts, progress="none", folder=tmp_path)
    identical(join_effects([RunDirectory(tmp_path).read_part("1-of-1.000001")]), kept)
    assert (os.getpid(), multiprocessing.active_children()) == (here, [])
