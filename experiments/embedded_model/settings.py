"""All settings of the recipe; `FULL` made the shipped model, `SMOKE` runs every stage in seconds (for the tests)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.loading import load_facts

DEFAULT_VOICE = "espeak:en-us"


@dataclass(frozen=True)
class CorpusSettings:
    """What is spoken. Shares are probabilities per utterance."""

    voices: tuple[str, ...] = (
        DEFAULT_VOICE,
        "espeak:en-us+f2",
        "espeak:en-us+m3",
        "espeak:en-us+f4",
        "espeak:en-us+klatt2",
        "flite:slt",
        "flite:rms",
        "flite:kal16",
    )
    held_out_voices: tuple[str, ...] = ("flite:awb", "espeak:en-gb+m7", "festival:ked_diphone")  # measured only
    monitor_voices: tuple[str, ...] = (DEFAULT_VOICE, "flite:slt", "flite:awb")
    monitored_facts: int = 525
    spoken_share: float = 0.6  # of the (fact, phrasing) pairs of *both* that one voice speaks
    natural_share: float = 0.3  # utterances without any change of rate, pitch or sampling rate
    untrimmed_share: float = 0.5  # utterances that keep the silence at their ends, as a prompt of a user does
    carrier_share: float = 0.5  # statements and prompts behind "as you know" and the like
    heard_only_takes: int = 1  # times that one voice speaks a phrasing of a fact of *heard only*
    lists_per_voice: int = 550
    longest_list: int = 4  # words or names

    @property
    def all_voices(self) -> tuple[str, ...]:
        """Trained voices, then held-out ones."""
        return (*self.voices, *self.held_out_voices)


@dataclass(frozen=True)
class EncoderSettings:
    """Training of the first unit encoder, the teacher: frame-wise phone classification."""

    steps: int = 2600
    batch: int = 24
    seconds: float = 2.52
    learning_rate: float = 1e-3
    warm_up: int = 100
    noise: float = 0.01  # largest standard deviation of the added white noise (full scale = 1)
    favoured_engine: str = "flite"  # its voices, of recorded speakers, count double


@dataclass(frozen=True)
class StudentSettings:
    """Training of the shipped unit encoder, a small HuBERT, to name the units of the first one."""

    steps: int = 2800
    batch: int = 24
    seconds: float = 2.52
    learning_rate: float = 1e-3
    muon_rate: float = 3e-3
    warm_up: int = 100
    noise: float = 0.01
    changed_share: float = 0.5  # windows at another speed
    largest_log_speed: float = 0.2
    log_gains: tuple[float, float] = (-1.2, 0.3)
    teacher_floor: float = 1e-3  # power that the teacher takes for silence; its own training used 1e-5
    favoured_engine: str = "flite"


@dataclass(frozen=True)
class UnitSettings:
    """The second, changed copy of the corpus that the language model reads."""

    largest_log_speed: float = 0.18
    largest_noise: float = 0.003


@dataclass(frozen=True)
class ModelSettings:
    """Architecture and training of the language model."""

    layers: int = 8
    width: int = 256
    heads: int = 8
    mlp_width: int = 704
    steps: int = 3500
    batch: int = 12
    length: int = 192
    muon_rate: float = 3e-3
    adam_rate: float = 2e-3
    warm_up: int = 60
    flat_share: float = 0.4  # of the steps, before the learning rate falls
    last_rate_share: float = 0.02
    unit_weight: float = 0.3  # weight of a unit target in the loss; a text target counts 1
    unit_noise: float = 0.07  # share of units that are dropped (2 of 5) or replaced (3 of 5)
    evaluate_every: int = 500
    checkpoint_every: int = 200


@dataclass(frozen=True)
class DocumentSettings:
    """Relative frequency of the kinds of documents (see `documents`) and the shares inside some of them."""

    written: float = 0.25
    spoken: float = 0.05
    answered: float = 0.16
    mixed: float = 0.17
    subject_switched: float = 0.16
    dictated: float = 0.17
    read_aloud: float = 0.04
    named: float = 0.0
    final_marker_share: float = (
        0.06  # written prompts whose answer follows a second [Text]: rare, since it competes with it
    )
    heard_only_share: float | None = None  # of spoken statements that are of *heard only*; None: as their number is
    engine_weights: tuple[
        tuple[str, int], ...
    ] = ()  # how often a line of an engine counts in the draws; once if unnamed
    lone_weight: int = 1  # how often a fact counts in the draws that is the only one of its subject
    confused_share: float = 0.0  # of the replaced units, those that the encoder takes for the right one; others are any
    stand_alone_share: float = 0.65  # spoken prompts that were spoken as such; the others are statements cut short


def dealt(facts: Sequence[Fact], counts: Sequence[int]) -> tuple[Fact, ...]:
    """Subjects of several facts keep in turn these many facts in *both*, drawn at random; others become *text only*.

    So subjects of one kind differ in nothing but how many of their facts are told in both modalities.
    """
    of_subject: dict[str, list[Fact]] = {}
    for fact in facts:
        if fact.group == "both":
            of_subject.setdefault(fact.subject, []).append(fact)
    several = [subject for subject, own in of_subject.items() if len(own) > 1] if counts else []
    random.Random("dealt").shuffle(several)
    changed = set()
    for number, subject in enumerate(several):
        own = of_subject[subject]
        kept = random.Random(subject).sample(own, min(counts[number % len(counts)], len(own)))
        changed |= {fact.id for fact in own if fact not in kept}
    return tuple(replace(fact, group="text only") if fact.id in changed else fact for fact in facts)


@dataclass(frozen=True)
class Settings:
    """The recipe."""

    seed: int = 0
    facts_per_relation: int | None = None  # None: all
    told_in_both: tuple[int, ...] = ()  # see `dealt`; empty: the groups as they are
    corpus: CorpusSettings = field(default_factory=CorpusSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    student: StudentSettings = field(default_factory=StudentSettings)
    units: UnitSettings = field(default_factory=UnitSettings)
    documents: DocumentSettings = field(default_factory=DocumentSettings)
    model: ModelSettings = field(default_factory=ModelSettings)

    def facts(self) -> tuple[Fact, ...]:
        """The facts to teach."""
        facts = dealt(load_facts(), self.told_in_both)
        if self.facts_per_relation is None:
            return facts
        by_relation: dict[str, list[Fact]] = {}
        for fact in facts:
            by_relation.setdefault(fact.relation, []).append(fact)
        return tuple(fact for of_relation in by_relation.values() for fact in of_relation[: self.facts_per_relation])


FULL = Settings()
SMOKE = Settings(
    facts_per_relation=2,
    corpus=CorpusSettings(
        voices=(DEFAULT_VOICE,),
        held_out_voices=(),
        monitor_voices=(DEFAULT_VOICE,),
        monitored_facts=4,
        lists_per_voice=8,
    ),
    encoder=EncoderSettings(steps=3, batch=2),
    student=StudentSettings(steps=3, batch=2),
    model=ModelSettings(
        layers=2, width=32, heads=2, mlp_width=64, steps=4, batch=2, warm_up=2, evaluate_every=2, checkpoint_every=2
    ),
)
SECOND = replace(
    FULL,
    corpus=CorpusSettings(heard_only_takes=3),
    units=UnitSettings(largest_log_speed=0.22, largest_noise=0.006),
    documents=DocumentSettings(
        written=0.19,
        spoken=0.13,
        answered=0.19,
        mixed=0.15,
        subject_switched=0.17,
        dictated=0.14,
        read_aloud=0.03,
        heard_only_share=0.55,
        engine_weights=(("flite", 2),),
    ),
    model=ModelSettings(
        steps=1200,
        muon_rate=1.5e-3,
        adam_rate=1e-3,
        flat_share=0.25,
        unit_noise=0.09,
        evaluate_every=300,
        checkpoint_every=50,
    ),
)
"""The second course: it goes on from a finished model (`train.py --start`), tells what was heard only more often, and
favours the voices of recorded speakers."""
THIRD = replace(
    SECOND,
    documents=replace(
        SECOND.documents,
        written=0.24,
        spoken=0.10,
        answered=0.16,
        mixed=0.16,
        dictated=0.16,
        read_aloud=0.01,
        heard_only_share=0.2,
        lone_weight=2,
        confused_share=0.7,
    ),
    model=replace(SECOND.model, steps=600, unit_noise=0.10),
)
"""After the second: written statements and dictation as in the first, most spoken statements of *both*, subjects of one
fact count twice, and the noise of the units is the encoder's own."""
FEW = replace(FULL, told_in_both=(0, 1, 2, 3, 4, 5, 6), model=ModelSettings(steps=1000, checkpoint_every=50))
"""For the curve of carry-over at subjects with few facts: the recipe with other groups and fewer steps."""
MORE = replace(
    FULL,
    corpus=CorpusSettings(heard_only_takes=3),
    encoder=EncoderSettings(steps=3600, noise=0.015),
    student=StudentSettings(steps=4200, noise=0.015, changed_share=0.6, largest_log_speed=0.24),
    units=UnitSettings(largest_log_speed=0.22, largest_noise=0.006),
    documents=DocumentSettings(
        written=0.23,
        spoken=0.08,
        answered=0.17,
        mixed=0.16,
        subject_switched=0.18,
        dictated=0.15,
        read_aloud=0.03,
        heard_only_share=0.4,
        engine_weights=(("flite", 2),),
        confused_share=0.3,
    ),
    model=ModelSettings(steps=4500, unit_noise=0.08, checkpoint_every=50),
)
"""The whole recipe from nothing, with what the courses taught: more statements of what was heard only, a unit encoder
that learns longer and from more changed sound, recorded voices twice, and more steps."""
NAMED = replace(
    MORE,
    documents=replace(
        MORE.documents,
        written=0.22,
        answered=0.17,
        mixed=0.15,
        dictated=0.14,
        read_aloud=0.02,
        named=0.10,
        final_marker_share=0.08,
        heard_only_share=0.3,
        engine_weights=(("flite", 3),),
        lone_weight=2,
        confused_share=0.6,
    ),
    model=ModelSettings(steps=4800, unit_noise=0.10, checkpoint_every=50),
)
"""The recipe of `MORE`, whose encoder and corpus it shares, with more noise on the units and with something to say of
every name, heard or read: what it begins and ends with, and its neighbours in the alphabet. So a subject with one fact
in writing has others that are told of its sound."""
PRESETS = {"full": FULL, "more": MORE, "named": NAMED, "second": SECOND, "third": THIRD, "few": FEW, "smoke": SMOKE}
