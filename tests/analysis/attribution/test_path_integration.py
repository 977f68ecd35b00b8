"""Nodes against closed forms and slow twins; paths that start where a norm is singular; what is missed is told."""

import warnings

import numpy as np
import pytest
import torch

from spiritlens.analysis.attribution.attribution_patching import attribution_patch
from spiritlens.analysis.attribution.edge_attribution import attribute_edges
from spiritlens.analysis.attribution.path_integration import TOLERATED, nearest_singularity, nodes, path_nodes
from spiritlens.analysis.grid.grid import Grid
from spiritlens.analysis.paths.nodes import Sender
from spiritlens.analysis.paths.paths import Paths
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.noise import Noise
from tests.analysis.tracing_lens import text_prompt, tiny_lens

QUIET = {"progress": "none"}


@pytest.fixture(scope="module")
def lens():
    return tiny_lens(2)


@pytest.mark.parametrize("steps", [2, 3, 7, 10, 33, 200])
def test_weights_sum_to_one_for_any_number_of_steps(steps):
    for singularity in (None, complex(0, 0.01), complex(0.4, 0.3), complex(1, 1e-9), complex(-0.5, 0)):
        places, weights = nodes(steps, singularity)
        assert abs(weights.sum() - 1) < 1e-14
        assert (weights > 0).all()
        assert ((places > 0) & (places < 1)).all()


@pytest.mark.parametrize("width", [1e-3, 0.0143, 0.2])
def test_the_change_of_a_normed_number_is_found(width):
    """f(t) = t / sqrt(t² + τ²), what an RMS norm makes of a number that starts at zero; midpoints find little of it."""
    whole = 1 / np.sqrt(1 + width**2)

    def slope(t):
        return width**2 / (t**2 + width**2) ** 1.5

    places, weights = nodes(20, complex(0, width))
    assert (weights * slope(places)).sum() == pytest.approx(whole, rel=1e-4)
    midpoints = (np.arange(20) + 0.5) / 20
    assert slope(midpoints).mean() < 0.9 * whole or width == 0.2


def test_the_singularity_is_where_the_norm_is_zero(lens):
    model, prompt = lens.backend, text_prompt()
    source = model.embed(prompt.tokens)
    base = source.clone()
    base[:, prompt.subject.positions[0]] = 0
    found = nearest_singularity(model, base, source)
    squares = source[0, prompt.subject.positions[0]].pow(2).mean()
    assert found == pytest.approx(complex(0, (1e-5 / float(squares)) ** 0.5), abs=1e-9)
    assert nearest_singularity(model, source, source) is None
    assert nearest_singularity(model, source, base) == pytest.approx(complex(1, found.imag), abs=1e-6)


def test_one_step_is_the_base_and_nodes_are_exact_in_float64(lens):
    source = lens.backend.embed(text_prompt().tokens)
    base = source + torch.randn(source.shape, dtype=source.dtype, generator=torch.Generator().manual_seed(1))
    assert path_nodes(lens.backend, base, source, 1).embeddings is base
    found = path_nodes(lens.backend, base, source, 7)
    places, _ = nodes(7, nearest_singularity(lens.backend, base, source))
    for place, embeddings in zip(places, found.embeddings, strict=True):
        assert (embeddings - (base[0] + place * (source - base)[0])).abs().max() < 1e-14


@pytest.mark.parametrize("direction", ["denoising", "noising"])
@pytest.mark.parametrize("kind", ["zero", "mean", "resample"])
def test_a_knock_out_is_attributed_whole(lens, kind, direction):
    prompt = text_prompt()
    settings = {"grid": Grid(("resid_pre",), direction=direction), **QUIET}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = attribution_patch(lens, [prompt], KnockOut(kind), steps=64, **settings)
    total = abs((found["clean"] - found["corrupted"].mean("sample")).item())
    assert abs(found["completeness_residual"].item()) < TOLERATED * total
    exact = attribution_patch(lens, [prompt], KnockOut(kind), steps=400, **settings)
    assert abs(exact["completeness_residual"].item()) < 1e-9 * total


def test_more_than_a_hundredth_is_told_with_its_number(lens):
    prompt = text_prompt()
    with pytest.warns(UserWarning, match=r"off the total effect of .* by .*%\) in the prompt .*2 steps miss it"):
        nodes_found = attribution_patch(lens, [prompt], KnockOut("zero"), ("resid_pre",), steps=2, **QUIET)
    with pytest.warns(UserWarning, match="take more steps"):
        edges = attribute_edges(lens, [prompt], KnockOut("zero"), Paths(senders=[Sender("embed")]), steps=2, **QUIET)
    assert np.allclose(edges["completeness_residual"], nodes_found["completeness_residual"], atol=1e-10)
    total = abs((nodes_found["clean"] - nodes_found["corrupted"]).item())
    assert abs(nodes_found["completeness_residual"].item()) > TOLERATED * total


def test_one_step_is_spoken_of_only_at_a_singular_norm(lens):
    prompt = text_prompt()
    with pytest.warns(UserWarning, match="norm singular"):
        attribution_patch(lens, [prompt], KnockOut("zero"), ("resid_pre",), **QUIET)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attribution_patch(lens, [prompt], Noise(1.0), ("resid_pre",), **QUIET)
