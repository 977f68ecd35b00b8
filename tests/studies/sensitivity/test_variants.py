"""The table of variants: names, what each changes, and the values that say so."""

from dataclasses import replace

import pytest

import spiritlens as sl
from spiritlens.studies.pairs import Asked, PairedPrompts
from spiritlens.studies.sensitivity.measuring import slug
from spiritlens.studies.sensitivity.sensitivity import given_variants, ground_of
from spiritlens.studies.sensitivity.variant import Ground, Setup, Variant

VARIANTS = {variant.name: variant for variant in sl.studies.VARIANTS}
CHANGES = ("facts", "hearing", "noise", "window", "metric", "sites", "voice", "subject's span")


@pytest.fixture(scope="module")
def ground() -> Ground:
    machine = sl.planted()
    pairs = [
        PairedPrompts(
            sl.Fact(written.fact_id, "colour", written.subject.name, written.answer, "", {"plain": "{subject}"}),
            written,
            heard,
            {"T2T": True, "S2T": True},
        )
        for written, heard in zip(machine.prompts[:3], machine.prompts[12:15], strict=True)
    ]
    asked = Asked(tuple(pair.fact for pair in pairs), tuple(pairs))
    return ground_of(machine.lens, sl.studies.SensitivitySettings(n_facts=3, samples=2), asked)


def test_the_table_has_every_choice_and_each_step_of_the_span() -> None:
    assert tuple(dict.fromkeys(variant.changes for variant in sl.studies.VARIANTS)) == CHANGES
    spans = [variant.name for variant in sl.studies.VARIANTS if variant.changes == "subject's span"]
    assert spans == [
        f"{word} by {sign}{step}"
        for word in ("shifted", "dilated")
        for sign, steps in (("−", (4, 3, 2, 1)), ("+", (1, 2, 3, 4)))
        for step in steps
    ]
    assert given_variants(sl.studies.VARIANTS) == sl.studies.VARIANTS
    assert len({slug(name) for name in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("other draws", "draws"),
        ("half the scale", "corruption"),
        ("double the scale", "corruption"),
        ("single layers", "grid"),
        ("twice the layers", "grid"),
        ("token by token", "grid"),
        ("logit", "metric"),
        ("log probability", "metric"),
    ],
)
def test_a_variant_changes_one_thing(ground: Ground, name: str, field: str) -> None:
    found, base = VARIANTS[name].setup(ground), ground.setup
    fields = ("prompts", "grid", "draws", "corruption", "metric", "left_out")
    assert [name for name in fields if getattr(found, name) != getattr(base, name)] == [field]


def test_scales_and_windows_are_multiples(ground: Ground) -> None:
    default = sl.Noise().resolved(ground.lens).scale
    for name, multiple in (("half the scale", 0.5), ("double the scale", 2.0)):
        scale = VARIANTS[name].setup(ground).corruption.scale
        assert (scale.text, scale.speech) == (multiple * default.text, multiple * default.speech)
    windows = [VARIANTS[name].setup(ground).grid for name in ("single layers", "twice the layers")]
    assert [grid.window for grid in windows] == [1, 4]  # of 8 layers, 0.3 are 2
    assert all(grid.components == ("mlp_out", "attn_out") for grid in windows)
    wide = replace(ground, setup=replace(ground.setup, grid=replace(ground.setup.grid, window=8)))
    with pytest.raises(ValueError, match="the window is 8 of 8 layers already"):
        VARIANTS["twice the layers"].setup(wide)


def test_equal_doses_are_equal(ground: Ground) -> None:
    noise = VARIANTS["doses matched"].setup(ground).corruption
    grid = sl.Grid(("resid_pre",), at="role")
    effects = sl.causal_trace(ground.lens, ground.setup.prompts, grid, noise, samples=2, progress="none")
    doses = sl.effects.normalised_total(effects).sel(metric="probability").groupby("modality").mean()
    assert float(doses.sel(modality="T2T")) == pytest.approx(float(doses.sel(modality="S2T")), abs=0.02)


def test_answers_by_another_rule_are_of_the_same_prompts(ground: Ground) -> None:
    again = ground.asked_by(sl.prompts.Knowing("top k", k=1))
    assert [pair.written for pair in again.pairs] == [pair.written for pair in ground.asked.pairs]
    assert all(pair.known_in_both for pair in again.pairs)


def test_prompts_that_cannot_be_changed_are_counted(ground: Ground) -> None:
    first = ground.of("S2T")[0]

    def change(prompt: "sl.Prompt") -> "sl.Prompt":
        if prompt.id != first.id:
            raise ValueError("not\nthis one")
        return replace(prompt, voice="another")

    found = ground.with_spoken(change)
    assert [prompt.voice for prompt in found.prompts if prompt.kind == "S2T"] == ["another"]
    assert found.left_out == tuple(f"{prompt.fact_id}: not this one" for prompt in ground.of("S2T")[1:])


def test_values_that_are_none_are_refused(ground: Ground) -> None:
    for change, words in (
        ({"metric": "rank"}, "metric='rank': expected one of probability"),
        ({"grid": None}, "grid=None"),
        ({"corruption": "noise"}, "corruption='noise': expected a corruption"),
        ({"prompts": ()}, "prompts is empty"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(ground.setup, **change)
    with pytest.raises(ValueError, match="would share the folder 'logit': rename one"):
        given_variants([VARIANTS["logit"], Variant("Logit!", "metric", lambda ground: ground.setup)])
    with pytest.raises(ValueError, match="would share the folder 'baseline'"):
        given_variants([Variant("Baseline", "metric", lambda ground: ground.setup)])
    assert isinstance(ground.setup, Setup)
