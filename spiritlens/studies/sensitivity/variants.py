"""The variants of the table: what a study chooses, made in another way, one thing at a time.

==================  ====================================================================================================
changes             variants
==================  ====================================================================================================
facts               in each modality the facts known in it; all facts; known by ``top 5``; by ``generated 10``
hearing             only facts whose spoken prompt a recogniser heard without a word error
noise               other draws; half and double the scale; equal doses in writing and speech
window              single layers; twice as many layers (of MLP and attention outputs)
metric              log probability; logit
sites               tokens restored one by one, averaged within roles
voice               another voice
subject's span      the spoken subject's span 1 to 4 units earlier or later; 1 to 4 units longer or shorter at each end
==================  ====================================================================================================

*Other draws* changes nothing but noise, so its row says how far a map moves without a cause: a change is worth telling
where it is larger. Facts of other selections may be other facts; all other variants are of the baseline's facts,
whether the model still knows them or not.
"""

from collections.abc import Callable
from dataclasses import replace

from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.grid.windows import given_window
from spiritlens.components import WINDOWED
from spiritlens.prompts.knowing import Knowing
from spiritlens.prompts.moved_subject import dilate_subject, shift_subject
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import Noise, NoiseScale, default_scale
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.pairs import AskedForm, pair_prompts
from spiritlens.studies.selection import choose
from spiritlens.studies.sensitivity.variant import Ground, Setup, Variant
from spiritlens.studies.settings import Selection

STEPS = (1, 2, 3, 4)
"""Units by which the span is moved."""


def _selected(selection: Selection) -> Callable[[Ground], Setup]:
    def setup(ground: Ground) -> Setup:
        settings = ground.settings
        return ground.with_facts(choose(ground.asked, settings.n_facts, settings.seed, selection))

    return setup


def _known_by(knowing: Knowing) -> Callable[[Ground], Setup]:
    def setup(ground: Ground) -> Setup:
        asked, settings = ground.asked_by(knowing), ground.settings
        return ground.with_facts(choose(asked, settings.n_facts, settings.seed, "both"))

    return setup


def _heard_right(ground: Ground) -> Setup:
    """The facts whose spoken prompt has a word error of 0."""
    if ground.heard is None:
        raise ValueError("no recogniser listened: give recogniser=…")
    right = [fact for fact in ground.chosen if ground.heard[fact.pair.spoken.id].word_error == 0]
    wrong = [f"{fact.pair.fact.id}: not heard without an error" for fact in ground.chosen if fact not in right]
    if not right:
        raise ValueError(f"none of the {len(wrong)} spoken prompts was heard without an error")
    return replace(ground.with_facts(tuple(right)), left_out=tuple(wrong))


def _drawn_anew(ground: Ground) -> Setup:
    draws = ground.setup.draws
    return replace(ground.setup, draws=Draws(draws.samples, draws.seed + 1))


def _scaled(multiple: float) -> Callable[[Ground], Setup]:
    def setup(ground: Ground) -> Setup:
        scale = default_scale(ground.lens)
        noise = Noise(NoiseScale(scale.text * multiple, scale.speech * multiple))
        return replace(ground.setup, corruption=noise)

    return setup


def _matched(ground: Ground) -> Setup:
    return replace(ground.setup, corruption=ground.matched())


def _window(change: Callable[[int], int]) -> Callable[[Ground], Setup]:
    """Another window, for the components that have one."""

    def setup(ground: Ground) -> Setup:
        grid, n_layers = ground.setup.grid, ground.lens.backend.n_layers
        windowed = tuple(name for name in grid.components or () if name in WINDOWED)
        if not windowed:
            raise ValueError(f"none of the components {grid.components} is restored over a window")
        now = given_window(grid.window, n_layers)
        width = min(change(now), n_layers)
        if width == now:
            raise ValueError(f"the window is {now} of {n_layers} layers already")
        return replace(ground.setup, grid=replace(grid, components=windowed, window=width))

    return setup


def _metric(name: str) -> Callable[[Ground], Setup]:
    return lambda ground: replace(ground.setup, metric=name)


def _by_token(ground: Ground) -> Setup:
    return replace(ground.setup, grid=replace(ground.setup.grid, at="token"))


def _other_voice(ground: Ground) -> Setup:
    """The same facts, said by another voice."""
    facts = {each.pair.spoken.id: each.pair.fact for each in ground.chosen}
    settings = ground.settings

    def said(prompt: Prompt) -> Prompt:
        fact = facts[prompt.id]
        if fact.sounds and all(sound.voice != settings.other_voice for sound in fact.sounds):
            raise ValueError(f"it brings its own sound, and none of the voice {settings.other_voice!r}")
        try:
            _, spoken = pair_prompts(ground.lens, fact, AskedForm(settings.other_voice, settings.phrasing)).prompts
        except EngineError as error:
            raise ValueError(str(error)) from error
        return spoken

    return ground.with_spoken(said)


def _moved(move: Callable[[Prompt, int], Prompt], by: int) -> Callable[[Ground], Setup]:
    return lambda ground: ground.with_spoken(lambda prompt: move(prompt, by))


def _spans() -> tuple[Variant, ...]:
    """The subject's span shifted, then dilated, from the most to one side to the most to the other."""
    steps = (*(-by for by in reversed(STEPS)), *STEPS)
    moves: tuple[tuple[str, Callable[[Prompt, int], Prompt]], ...]
    moves = (("shifted", shift_subject), ("dilated", dilate_subject))
    return tuple(
        Variant(f"{word} by {by:+d}".replace("-", "−"), "subject's span", _moved(move, by))
        for word, move in moves
        for by in steps
    )


VARIANTS: tuple[Variant, ...] = (
    Variant("known in each", "facts", _selected("each")),
    Variant("all facts", "facts", _selected("all")),
    Variant("known: top 5", "facts", _known_by(Knowing("top k", k=5))),
    Variant("known: generated 10", "facts", _known_by(Knowing("generated", tokens=10))),
    Variant("heard without error", "hearing", _heard_right),
    Variant("other draws", "noise", _drawn_anew),
    Variant("half the scale", "noise", _scaled(0.5)),
    Variant("double the scale", "noise", _scaled(2.0)),
    Variant("doses matched", "noise", _matched),
    Variant("single layers", "window", _window(lambda width: 1)),
    Variant("twice the layers", "window", _window(lambda width: 2 * width)),
    Variant("log probability", "metric", _metric("log_probability")),
    Variant("logit", "metric", _metric("logit")),
    Variant("token by token", "sites", _by_token),
    Variant("other voice", "voice", _other_voice),
    *_spans(),
)
"""The variants, in the order of the table."""
