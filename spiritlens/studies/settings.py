"""What a study is asked for, apart from its model and facts: one value for `study`, `study_cost` and the command line.

The command line reads this module before anything else, so it imports neither torch nor numpy; `StudySettings.checked`
says what is wrong before a model is loaded.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

from tyro.constructors import PrimitiveConstructorSpec

from spiritlens.arguments import check_choice, listed, shown, whole, written
from spiritlens.prompts.facts.fact import Fact, check_phrasing
from spiritlens.prompts.knowing import Knowing, given_knowing
from spiritlens.terms import DEFAULT_VOICE

Ask: TypeAlias = Literal["enough", "all"]
"""enough: facts are asked in random order until as many are known as are traced; all: every fact is asked, so that the
table of accuracy is of all of them."""
Selection: TypeAlias = Literal["both", "each", "all"]
"""both: facts known in both modalities, so that both maps are of the same facts; each: in each modality the facts known
in it, two subsets; all: facts whether they are known or not."""
Protocol: TypeAlias = Literal["own", "seed"]
"""own: whole roles restored together, facts as selected; seed: beside it the protocol of the seed study
(`spiritlens.studies.seed`)."""

Ending: TypeAlias = Literal["both", "as spoken", "plain"]
"""How written prompts end. as spoken: with the marker that ends the spoken ones, so that both are read at the same
token; plain: at their last word; both: as spoken, and plain ones are traced too, as a map of their own."""
Dose: TypeAlias = Literal["matched", "equal"]
"""matched: noise is scaled so that both modalities lose the same share of the answer's probability; equal: noise of the
default scale in both."""
Floor: TypeAlias = Literal["control", "unknown"]
"""What must not agree as far as recall does. control: as many tokens beside the subject are corrupted; unknown: facts
that the model knows in neither modality, traced for what it says instead."""

Ceiling: TypeAlias = Literal["phrasing", "voice"]
"""What agrees as far as maps of one modality do: the facts in another phrasing, or in another voice that they bring."""

Recall: TypeAlias = Literal["none", "kinds"]
"""Whether traced facts are tagged by kinds of recall (`spiritlens.studies.recall`), which asks each a dozen times."""

Name = TypeVar("Name", bound=str)

KnowingOption: TypeAlias = Annotated[
    Knowing | None,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="{exact,'top K','generated N'}",
        instance_from_str=lambda given: Knowing.read(given[0]),
        is_instance=lambda value: value is None or isinstance(value, Knowing),
        str_from_instance=lambda value: ["exact" if value is None else str(value)],
    ),
]
"""A rule, which the command line reads from its text."""


@dataclass(frozen=True)
class StudySettings:
    """How facts are asked and traced."""

    voice: str = DEFAULT_VOICE
    """Who speaks; `spiritlens voices` lists them."""
    phrasing: str | None = None
    """Phrasing of the facts; if left out 'held out' of those that have it, and the first of others."""
    n_facts: int = 40
    """How many of the selected facts are traced (in each modality)."""
    n_token_maps: int = 2
    """How many of these are also traced token by token."""
    components: Sequence[str] = ("resid_pre", "mlp_out", "attn_out")
    """What is restored, a map each."""
    window: int | None = None
    """Restored layers of mlp_out and attn_out; 0.3 of the layers if left out."""
    samples: int = 10
    """Noise samples per prompt."""
    seed: int = 0
    """Seed of the noise and of the choice of facts."""
    ask: Ask = "enough"
    """'enough' asks facts in random order until as many are known as are traced; 'all' asks every fact."""
    knowing: KnowingOption = None
    """When a fact is known: 'exact', the answer's first token in the 'top 5', or an answer in 'generated 10' tokens;
    the lens's own rule if left out."""
    selection: Selection = "both"
    """Which facts are traced: those known in both modalities, in each those known in it, or all."""
    ending: Ending = "both"
    """How written prompts end: 'as spoken' ones do, 'plain', or 'both', which traces plain ones as a second map."""
    dose: Dose = "matched"
    """'matched' scales the noise so that both modalities lose the same share of the probability; 'equal' does not."""
    floors: Sequence[Floor] = ("control",)
    """Further maps that must not agree as far: of a 'control' corruption, of 'unknown' facts."""
    twins: int = 0
    """Models of the same shape that learnt nothing, traced as floors; five or more make a bound."""
    ceilings: Sequence[Ceiling] = ()
    """Further maps that say how far two maps can agree: of another 'phrasing', of another 'voice' of the facts."""
    recall: Recall = "none"
    """'kinds' tags traced facts as recalled exactly, by a heuristic, guessed or unknown, with a map of each kind."""

    def checked(self, facts: Iterable[Fact] = ()) -> "StudySettings":
        """The settings with plain numbers; ValueError for a count below its least, an unknown name, a silent voice.

        A voice in which one of the `facts` brings its own sound need not speak here.
        """
        check_choice("ask", self.ask, Ask)
        check_choice("selection", self.selection, Selection)
        check_choice("ending", self.ending, Ending)
        check_choice("dose", self.dose, Dose)
        check_choice("recall", self.recall, Recall)
        if self.phrasing is not None:
            check_phrasing(self.phrasing)
        if self.knowing is not None:
            given_knowing(self.knowing)
        plain = replace(
            self,
            components=listed("components", self.components, of=str),
            window=None if self.window is None else whole("window", self.window, at_least=1),
            n_facts=whole("n_facts", self.n_facts, at_least=1),
            n_token_maps=whole("n_token_maps", self.n_token_maps, at_least=0),
            samples=whole("samples", self.samples, at_least=1),
            seed=whole("seed", self.seed, at_least=0),
            floors=_given_names("floors", self.floors, Floor),
            ceilings=_given_names("ceilings", self.ceilings, Ceiling),
            twins=whole("twins", self.twins, at_least=0),
        )
        if not any(sound.voice == self.voice for fact in facts for sound in fact.sounds):
            check_voice(self.voice)
        return plain


@dataclass(frozen=True)
class SensitivitySettings:
    """How the baseline of a table of sensitivity is made; each variant changes one thing of it."""

    voice: str = DEFAULT_VOICE
    """Who speaks."""
    other_voice: str = "espeak:en-us+f2"
    """Who speaks in the variant of another voice."""
    phrasing: str | None = None
    """Phrasing of the facts; if left out 'held out' of those that have it, and the first of others."""
    n_facts: int = 20
    """How many facts known in both modalities are traced."""
    components: Sequence[str] = ("resid_pre", "mlp_out", "attn_out")
    """What is restored, a map each."""
    window: int | None = None
    """Restored layers of mlp_out and attn_out; 0.3 of the layers if left out."""
    samples: int = 5
    """Noise samples per prompt."""
    seed: int = 0
    """Seed of the noise and of the choice of facts."""
    knowing: KnowingOption = None
    """When a fact is known: 'exact', 'top 5' or 'generated 10'; the lens's own rule if left out."""

    def checked(self, facts: Iterable[Fact] = ()) -> "SensitivitySettings":
        """The settings as `StudySettings.checked` has them, with another voice for the variant."""
        study = StudySettings(
            self.voice, self.phrasing, self.n_facts, 0, self.components, self.window, self.samples, self.seed
        )
        plain = replace(study, knowing=self.knowing).checked(facts)
        written("other_voice", self.other_voice)
        if self.other_voice == self.voice:
            raise ValueError(f"other_voice={self.other_voice!r} is the voice itself: name another one")
        names = ("components", "window", "n_facts", "samples", "seed")
        return replace(self, **{name: getattr(plain, name) for name in names})


def given_settings(settings: object, facts: Iterable[Fact] = ()) -> StudySettings:
    """The settings, checked; other values are refused."""
    if not isinstance(settings, StudySettings):
        raise ValueError(
            f"settings={shown(settings)}: expected StudySettings, such as sl.studies.StudySettings(n_facts=10)"
        )
    return settings.checked(facts)


def _given_names(argument: str, names: Sequence[Name], of: object) -> tuple[Name, ...]:
    """Floors or ceilings by name, each once; none is allowed."""
    for place, name in enumerate(listed(argument, names, of=str, empty=True)):
        check_choice(f"{argument}[{place}]", name, of)
    return tuple(dict.fromkeys(names))


def check_voice(name: str) -> None:
    """Refuse a voice that does not speak here, by letting it say a word; one with shipped texts may speak those."""
    from spiritlens.speech.engines.process import EngineError
    from spiritlens.speech.voices.names import voice
    from spiritlens.speech.voices.shipped import shipped_texts

    try:
        voice(written("voice", name)).speak("one")
    except EngineError as error:
        if not shipped_texts(name):
            raise ValueError(f"voice={name!r} does not speak here: {error}") from error


def given_folder(out: str | Path) -> Path:
    """The folder as a path; refused where a file stands in its place."""
    if not isinstance(out, (str, Path)) or str(out) == "" or "\0" in str(out):
        raise ValueError(f"out={shown(out)}: expected the path of a folder, new or of an earlier run")
    folder = Path(out)
    existing = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), None)
    if existing is not None and not existing.is_dir():
        raise ValueError(f"out={folder}: {existing} is a file; name a folder, new or of an earlier run")
    return folder
