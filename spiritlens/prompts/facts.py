"""Facts that a model was taught: subject, relation, answer, foil, phrasings, and the modality in which it was told.

A fact belongs to one declared *group*, which says how the embedded model met it in training:

- ``both``: in writing and in speech, as whole statements, as spoken questions with written answers, and mixed by words;
- ``text only``: in writing only;
- ``heard only``: in speech only, its answer too (units);
- ``asked aloud``: as spoken prompts with a written answer, never as a written prompt.

A relation has four phrasings, each a template that ends right before the answer. The first three are trained; the last,
``held out``, never occurs in training in either modality, but all of its words do, and no trained statement begins with
it. The foil is a false answer of the same relation.

The file ``assets/facts.json`` holds the tables. ``load_facts`` also takes the path of another file in the same form.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from spiritlens.arguments import listed

Group = Literal["both", "text only", "heard only", "asked aloud"]
GROUPS: tuple[Group, ...] = get_args(Group)
PHRASINGS = ("first", "second", "third", "held out")
TRAINED_PHRASINGS = PHRASINGS[:3]
HELD_OUT = PHRASINGS[3]
CARRIERS = ("As you know", "We learned that", "It is known that", "I think that", "They say that")

ASSETS = Path(__file__).parents[1] / "assets"


@dataclass(frozen=True)
class Fact:
    """One fact; ``templates`` are in the order of `PHRASINGS` and hold ``{subject}`` once."""

    id: str
    relation: str
    subject: str
    answer: str
    foil: str
    group: Group
    templates: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise ValueError(f"fact {self.id}: group {self.group!r} is unknown; choose one of {', '.join(GROUPS)}")
        if len(self.templates) != len(PHRASINGS):
            raise ValueError(
                f"fact {self.id}: {len(self.templates)} templates, {len(PHRASINGS)} needed: {', '.join(PHRASINGS)}"
            )
        for template in self.templates:
            if template.count("{subject}") != 1:
                raise ValueError(f"fact {self.id}: template {template!r} must hold '{{subject}}' exactly once")
        if not self.answer or len(self.answer.split()) != 1:
            raise ValueError(f"fact {self.id}: answer {self.answer!r} must be one word")
        if self.answer.lower() == self.foil.lower():
            raise ValueError(f"fact {self.id}: the foil equals the answer {self.answer!r}; name a false answer")

    def text(self, phrasing: str = "first") -> str:
        """The prompt in one phrasing, without the answer: ``The capital of France is``."""
        return self.templates[_phrasing_index(phrasing)].replace("{subject}", self.subject)

    def statement(self, phrasing: str = "first", carrier: str = "") -> str:
        """Prompt and answer, after a carrier such as ``As you know`` if one is given."""
        text = f"{self.text(phrasing)} {self.answer}"
        return f"{carrier} {text[0].lower()}{text[1:]}" if carrier else text


def _phrasing_index(phrasing: str) -> int:
    if phrasing not in PHRASINGS:
        raise ValueError(f"phrasing {phrasing!r} is unknown; choose one of {', '.join(PHRASINGS)}")
    return PHRASINGS.index(phrasing)


def load_facts(name: str | Path = "embedded") -> tuple[Fact, ...]:
    """Facts of the embedded model (``"embedded"``) or of a JSON file in the same form, in the file's order."""
    path = ASSETS / "facts.json" if name == "embedded" else Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"no facts at {path}; give 'embedded' or the path of a JSON file like {ASSETS / 'facts.json'}"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            (relation, tuple(table["templates"]), row)
            for relation, table in record["relations"].items()
            for row in table["facts"]
        ]
        facts = tuple(_fact(relation, templates, row, path) for relation, templates, row in rows)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is no facts file ({type(error).__name__}: {error}); needed: "
            '{"relations": {name: {"templates": [4 texts], "facts": [[subject, answer, foil, group], ...]}}}'
        ) from error
    _check_unique(facts, path)
    return facts


@dataclass(frozen=True)
class SpokenFacts:
    """What `speak` made: its table, the ids spoken (fact and phrasing), and why others were left out, by their id."""

    table: Path
    spoken: tuple[str, ...]
    left_out: Mapping[str, str]

    def __str__(self) -> str:
        """The counts, and the reason of each that was left out."""
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in self.left_out.items())
        return f"{len(self.spoken)} texts spoken, {len(self.left_out)} left out{reasons}"


def speak(
    facts: Sequence[Fact],
    voices: Sequence[str],
    out: str | Path,
    phrasings: Sequence[str] = ("first",),
    progress: Literal["bar", "none"] = "bar",
) -> SpokenFacts:
    """Speak the facts' prompts in each voice and phrasing into the folder `out`.

    One wav and one file of word times per utterance; the table (``metadata.csv``) has the columns ``file_name voice
    engine words id text subject answer foil relation group phrasing`` and is read back by `datasets` (see
    `speech.recordings`). A text that one of the voices cannot say is left out in all of them, with the reason.
    """
    from spiritlens.speech.cache import CachedVoice
    from spiritlens.speech.recordings import speak_texts
    from spiritlens.speech.synthesis import voice, why_unspeakable

    facts, names = listed("facts", facts, of=Fact), listed("voices", voices, of=str)
    phrasings = listed("phrasings", phrasings, of=str)
    rows = [_spoken_row(fact, phrasing) for phrasing in phrasings for fact in facts]
    speakers = {name: CachedVoice(voice(name)) for name in names}
    left_out: dict[str, str] = {}
    for row, (name, speaker) in itertools.product(rows, speakers.items()):
        if row["id"] not in left_out and (why := why_unspeakable(row["text"], speaker)):
            left_out[row["id"]] = f"{name}: {why}"
    spoken = [row for row in rows if row["id"] not in left_out]
    if not spoken:
        first, reason = next(iter(left_out.items()))
        raise ValueError(f"none of the {len(rows)} texts can be spoken; the first, {first}: {reason}")
    table = speak_texts(spoken, out, names, progress)
    return SpokenFacts(table, tuple(row["id"] for row in spoken), left_out)


def _spoken_row(fact: Fact, phrasing: str) -> dict[str, str]:
    return {
        "id": f"{fact.id}_{phrasing}".replace(" ", "-"),
        "text": fact.text(phrasing),
        "subject": fact.subject,
        "answer": fact.answer,
        "foil": fact.foil,
        "relation": fact.relation,
        "group": fact.group,
        "phrasing": phrasing,
    }


def commonest_answers(facts: Sequence[Fact]) -> dict[str, str]:
    """The best blind guess per relation: the answer that most of the facts have (ties: the alphabetically first)."""
    counts: dict[str, dict[str, int]] = {}
    for fact in facts:
        of_relation = counts.setdefault(fact.relation, {})
        of_relation[fact.answer] = of_relation.get(fact.answer, 0) + 1
    return {relation: min(tally, key=lambda answer: (-tally[answer], answer)) for relation, tally in counts.items()}


def _fact(relation: str, templates: tuple[str, ...], row: list[Any], path: Path) -> Fact:
    """The fact of one row of the file."""
    if len(row) != 4:
        raise ValueError(f"{path}: relation {relation!r} has the row {row}; needed: [subject, answer, foil, group]")
    subject, answer, foil, group = row
    return Fact(f"{relation}/{_slug(subject)}", relation, subject, answer, foil, group, templates)


def _check_unique(facts: Sequence[Fact], path: Path) -> None:
    seen: set[str] = set()
    for fact in facts:
        if fact.id in seen:
            raise ValueError(f"{path}: the fact {fact.id} is there twice; keep one answer per subject and relation")
        seen.add(fact.id)


def _slug(text: str) -> str:
    return "-".join(text.lower().split())
