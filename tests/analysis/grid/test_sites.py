"""Sites of a grid: spans by name, absent where a prompt lacks them, with the times of their tokens."""

import math

import pytest

from spiritlens.analysis.grid.sites import grid_sites
from tests.analysis.tracing_lens import spoken_prompt, text_prompt


def test_a_span_that_the_prompt_lacks_is_absent() -> None:
    sites = grid_sites(text_prompt(), "span", ("subject", "speech"))
    assert [span and span.positions for span in sites.spans] == [(4, 5), None]
    assert sites.coordinates["n_tokens"] == [2, 0]
    assert sites.coordinates["span_role"] == ["subject", ""]
    assert all(math.isnan(start) for start in sites.coordinates["start"])


def test_a_span_lasts_from_its_first_to_its_last_token() -> None:
    """Tokens without a time, as markers, are passed over."""
    prompt = spoken_prompt()
    sites = grid_sites(prompt, "span", ("all but the beginning", "subject", "last token"))
    assert sites.coordinates["start"][:2] == [prompt.starts[2], prompt.starts[4]]
    assert sites.coordinates["end"][:2] == [prompt.ends[12], prompt.ends[7]]
    assert math.isnan(sites.coordinates["start"][2])


def test_a_grid_is_cut_in_one_of_four_ways() -> None:
    with pytest.raises(ValueError, match="at='tokens': expected one of token, word, span, role"):
        grid_sites(text_prompt(), "tokens")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at='span' needs spans"):
        grid_sites(text_prompt(), "span", ())
