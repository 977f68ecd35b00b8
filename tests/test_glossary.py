"""The glossary's promises about components: each method takes those of its row and refuses others."""

import re
from pathlib import Path

import pytest

import spiritlens as sl

GLOSSARY = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
FOIL = {"metrics": ("logit_difference",), "progress": "none"}
CALLS = {
    "causal_trace": lambda lens, prompt, name: sl.causal_trace(
        lens, [prompt], sl.Grid((name,), at="role"), samples=1, progress="none"
    ),
    "first_look": lambda lens, prompt, name: sl.first_look(
        lens, [prompt], sl.Grid((name,), at="role"), samples=1, n_exact=1
    ),
    "activation_patch": lambda lens, prompt, name: sl.activation_patch(
        lens, [prompt], sl.Noise(), (name,), at="role", **FOIL
    ),
    "back_patch": lambda lens, prompt, name: sl.back_patch(
        lens, [prompt], sl.Noise(), name, source_layers=(3,), at="role", **FOIL
    ),
    "attribution_patch": lambda lens, prompt, name: sl.attribution_patch(
        lens, [prompt], sl.Noise(), (name,), at="role", **FOIL
    ),
    "restore": lambda lens, prompt, name: sl.run(
        lens,
        prompt,
        sl.corrupt(prompt.subject),
        sl.restore(name, layer=3, at=prompt.subject),
        samples=1,
    ),
}


def promised() -> dict[str, tuple[str, ...]]:
    """Components by method, from the rows of the table."""
    rows = re.findall(r"^\| (`sl\.[^|]*) \| (`[^|]*) \|$", GLOSSARY, flags=re.MULTILINE)
    return {
        method: tuple(re.findall(r"\w+", components))
        for methods, components in rows
        for method in re.findall(r"`sl\.(\w+)`", methods)
    }


@pytest.fixture(scope="module")
def machine():
    return sl.planted()


def test_every_method_that_takes_components_has_a_row():
    assert set(promised()) == {*CALLS, "swap", "freeze", "ablate"}


@pytest.mark.parametrize("method", CALLS)
def test_a_method_takes_the_components_of_its_row_and_no_others(machine, method):
    every = dict.fromkeys(name for names in promised().values() for name in names)
    for name in every:
        if name in promised()[method]:
            assert CALLS[method](machine.lens, machine.prompts[0], name) is not None
        else:
            with pytest.raises(ValueError, match="component"):
                CALLS[method](machine.lens, machine.prompts[0], name)
