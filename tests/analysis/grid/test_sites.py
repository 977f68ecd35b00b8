"""Named spans: every name that the docstring promises, wider and narrower ones too."""

import pytest

from spiritlens.prompts.span_names import named_span
from tests.analysis.tracing_lens import spoken_prompt, text_prompt

WORDS = (2, 3, 6, 7)


@pytest.mark.parametrize(
    ("name", "positions"),
    [
        ("subject", (4, 5)),
        ("subject first", (4,)),
        ("subject middle", None),
        ("relation", WORDS),
        ("text", (2, 3, 4, 5, 6, 7)),
        ("speech", None),
        ("last token", (7,)),
        ("final marker", None),
        ("word3", (6,)),
        ("position 5", (5,)),
        ("positions 5 6 -1", (5, 6, 7)),
        ("position 9", None),
        ("subject +1", (3, 4, 5, 6)),
        ("subject -1", None),
        ("subject first +1", (3, 4, 5)),
        ("subject middle +1", None),
        ("relation +1", (2, 3, 4, 5, 6, 7)),
        ("relation -1", (3, 6)),
        ("text -1", (3, 4, 5, 6)),
        ("speech -1", None),
        ("final marker +1", None),
        ("position 5 +1", (4, 5, 6)),
        ("word3 +1", (5, 6, 7)),
    ],
)
def test_names_in_a_written_prompt(name: str, positions: tuple[int, ...] | None) -> None:
    found = named_span(text_prompt(), name)
    assert (None if found is None else found.positions) == positions


def test_names_in_a_spoken_prompt() -> None:
    prompt = spoken_prompt()
    for name, positions in {
        "speech": range(2, 13),
        "speech -1": range(3, 12),
        "final marker +1": (13,),  # markers belong to no modality, so the span does not grow
        "subject -1": (5, 6),
    }.items():
        span = named_span(prompt, name)
        assert span is not None
        assert span.positions == tuple(positions), name


def test_unknown_names_are_refused() -> None:
    for name in ("nowhere", "nowhere +1"):
        with pytest.raises(ValueError, match="no span 'nowhere'"):
            named_span(text_prompt(), name)
