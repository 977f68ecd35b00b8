"""Every method gives the same numbers whatever torch's settings of the moment, and leaves them as they were."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

import spiritlens as sl
from spiritlens.components import hook_name
from spiritlens.environment import plain_arithmetic, plain_torch, without_onednn
from spiritlens.models.backends import backend_of, maker
from spiritlens.models.planted.planted import planted
from spiritlens.models.random_weights import random_config, random_lens_model, random_weights

CIRCUIT = planted()
LENS, WRITTEN, SPOKEN = CIRCUIT.lens, CIRCUIT.prompts[0], CIRCUIT.prompts[13]
QUIET = {"progress": "none"}


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def learning() -> Iterator[None]:
    LENS.model.requires_grad_(True)
    try:
        yield
    finally:
        LENS.model.requires_grad_(False)


ENVIRONMENTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "default float64": lambda: default_dtype(torch.float64),
    "default bfloat16": lambda: default_dtype(torch.bfloat16),
    "default device meta": lambda: default_device("meta"),
    "inference mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "enable_grad": torch.enable_grad,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "deterministic": deterministic,
    "parameters that learn": learning,
}


def numbers(found: Any) -> list[np.ndarray]:
    if isinstance(found, xr.Dataset):
        return [value.values for value in found.data_vars.values() if value.dtype.kind == "f"]
    if isinstance(found, torch.Tensor):
        return [found.detach().numpy()]
    return [np.asarray(found)]


def corrupted_run() -> torch.Tensor:
    return sl.run(LENS, WRITTEN, sl.corrupt(WRITTEN.subject), sl.restore("resid_pre", 2, -1), samples=2).logits


METHODS: dict[str, Callable[[], Any]] = {
    "run": corrupted_run,
    "causal_trace": lambda: sl.causal_trace(LENS, [SPOKEN], sl.Grid(("mlp_out",), at="role"), samples=2, **QUIET),
    "screened trace": lambda: sl.causal_trace(LENS, [WRITTEN], ("mlp_out",), samples=2, screen=0.2, **QUIET),
    "student noise": lambda: sl.causal_trace(
        LENS, [WRITTEN], sl.Grid(("mlp_out",), at="role"), samples=2, corruption=sl.Noise(law="student"), **QUIET
    ),
    "activation_patch": lambda: sl.activation_patch(
        LENS, [WRITTEN], [CIRCUIT.counterfactual(WRITTEN)], sl.Grid(("mlp_out",), at="role"), **QUIET
    ),
    "attribution_patch": lambda: sl.attribution_patch(LENS, [SPOKEN], sl.Noise(), ("z",), steps=3, **QUIET),
    "path_patch": lambda: sl.path_patch(
        LENS,
        [WRITTEN],
        sl.Noise(),
        sl.paths.Paths(senders=[sl.paths.Sender("mlp_out", 2), sl.paths.Sender("z", 1, 0)]),
        **QUIET,
    ),
    "attribute_edges": lambda: sl.attribute_edges(
        LENS,
        [WRITTEN],
        sl.corruptions.KnockOut("mean"),
        sl.paths.Paths(senders=[sl.paths.Sender("mlp_out", 2)]),
        steps=2,
        **QUIET,
    ),
    "attention_knockout": lambda: sl.heads.attention_knockout(LENS, [WRITTEN], **QUIET),
    "logit_lens": lambda: sl.lenses.logit_lens(LENS, [WRITTEN]),
    "detectors": lambda: sl.heads.detectors(LENS, [WRITTEN]),
    "direct_logit_attribution": lambda: sl.heads.direct_logit_attribution(LENS, [WRITTEN]),
    "noise_scale": lambda: [
        sl.corruptions.noise_scale(LENS, [WRITTEN]).text,
        sl.corruptions.noise_scale(LENS, [SPOKEN]).speech,
    ],
    "gradients": lambda: LENS.backend.gradients(WRITTEN.tokens, [hook_name("z", 1)], lambda x: x[0, -1, 5])[
        hook_name("z", 1)
    ],
    "embed and read out": lambda: LENS.backend.logits(LENS.backend.embed(WRITTEN.tokens)),
    "random model": lambda: random_lens_model().w_e,
}


@pytest.fixture(scope="module")
def usual() -> dict[str, list[np.ndarray]]:
    return {name: numbers(method()) for name, method in METHODS.items()}


@pytest.mark.filterwarnings("ignore:the embeddings' attributions")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_numbers_are_the_same_and_the_settings_stay(environment, usual):
    with ENVIRONMENTS[environment]():
        before = settings()
        found = {name: numbers(method()) for name, method in METHODS.items()}
        assert settings() == before
    for name, values in found.items():
        assert len(values) == len(usual[name])
        assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(values, usual[name], strict=True)), name


def settings() -> tuple[object, ...]:
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
    )


@pytest.mark.filterwarnings("ignore:the embeddings' attributions")
def test_no_random_state_of_the_user_moves():
    states = random.getstate(), torch.get_rng_state()
    for method in METHODS.values():
        method()
    LENS.generate(WRITTEN, max_new_tokens=1)
    assert random.getstate() == states[0]
    assert torch.equal(torch.get_rng_state(), states[1])


@pytest.mark.parametrize("environment", [name for name in ENVIRONMENTS if name != "parameters that learn"])
def test_a_lens_that_is_made_there_is_the_same(environment):
    with ENVIRONMENTS[environment]():
        made = planted().lens
    assert made.id == LENS.id
    other = made.backend.gradients(WRITTEN.tokens, ["hook_embed"], lambda logits: logits[0, -1, 5])
    assert torch.equal(
        other["hook_embed"],
        LENS.backend.gradients(WRITTEN.tokens, ["hook_embed"], lambda logits: logits[0, -1, 5])["hook_embed"],
    )


def test_a_model_made_in_inference_mode_by_hand_is_named():
    config = random_config(n_layers=1)
    with torch.inference_mode():
        model = maker(None).converted(random_weights(config), config, torch.float32, name="by hand")
    with pytest.raises(ValueError, match=r"made inside torch\.inference_mode"):
        backend_of(model).opened(model).gradients(
            torch.tensor([[1, 5]]), ["hook_embed"], lambda logits: logits[0, -1, 5]
        )


def test_gradients_are_off_inside_unless_asked_for_and_restored_after_an_error():
    assert not plain_torch(torch.is_grad_enabled)()
    assert plain_arithmetic(torch.is_grad_enabled)()
    with torch.no_grad():
        assert not plain_arithmetic(torch.is_grad_enabled)()

    @plain_torch
    def leaves_it_on() -> None:
        torch.set_grad_enabled(True)
        raise KeyboardInterrupt

    for mode in (torch.no_grad(), nullcontext()):
        with mode:
            before = torch.is_grad_enabled()
            with pytest.raises(KeyboardInterrupt):
                leaves_it_on()
            assert torch.is_grad_enabled() is before


def test_onednn_is_as_it_was_found_also_after_an_error():
    samples, weights = torch.randn(1, 1, 700), torch.randn(4, 1, 10)
    convolved = torch.nn.functional.conv1d(samples, weights, stride=5)
    before = torch.backends.mkldnn.enabled
    with without_onednn():
        assert not torch.backends.mkldnn.enabled
        assert torch.allclose(torch.nn.functional.conv1d(samples, weights, stride=5), convolved, atol=1e-5)
    assert torch.backends.mkldnn.enabled is before
    with pytest.raises(KeyboardInterrupt), without_onednn():
        raise KeyboardInterrupt
    assert torch.backends.mkldnn.enabled is before


def test_of_two_threads_without_onednn_the_last_puts_it_back():
    first, second = ExitStack(), ExitStack()
    assert torch.backends.mkldnn.enabled
    first.enter_context(without_onednn())
    second.enter_context(without_onednn())
    first.close()
    assert not torch.backends.mkldnn.enabled, "the second is still in it"
    second.close()
    assert torch.backends.mkldnn.enabled
