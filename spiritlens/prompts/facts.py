"""Facts: subject, relation, answer, foil, and one or more phrasings, each a template that ends right before the answer.

``group`` says how a model met the fact in training, where that is known. Facts of your own have any names of phrasings
and groups, and answers of several words; a missing foil, a false answer, is drawn from the relation's other answers by
`drawn_foils`.

The shipped facts, which the embedded model was taught, belong to four groups:

- ``both``: in writing and in speech, as whole statements, as spoken questions with written answers, and mixed by words;
- ``text only``: in writing only;
- ``heard only``: spoken statements only, the answer in units too;
- ``asked aloud``: spoken prompts with a written answer only, never a written prompt.

Each of them has four phrasings. The first three are trained; the last, ``held out``, never occurs in training in either
modality, but all of its words do, and no trained statement begins with it. Their answers are single words.

The file ``assets/facts.json`` holds the tables. ``load_facts`` also takes the path of another file in the same form,
whose templates may be an object of names and templates.
"""

import hashlib
import itertools
import json
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from spiritlens.arguments import listed, once, shown, told_keywords, whole, written

Group = Literal["both", "text only", "heard only", "asked aloud"]
GROUPS: tuple[Group, ...] = get_args(Group)
PHRASINGS = ("first", "second", "third", "held out")
TRAINED_PHRASINGS = PHRASINGS[:3]
HELD_OUT = PHRASINGS[3]
CARRIERS = ("As you know", "We learned that", "It is known that", "I think that", "They say that")

ASSETS = Path(__file__).parents[1] / "assets"
FORM = (
    'needed: {"relations": {name: {"templates": [4 texts] or {phrasing: text}, "facts": [[subject, answer, foil, '
    "group], ...]}}}"
)


@dataclass(frozen=True)
class Fact:
    """One fact; ``templates`` by the name of their phrasing, each with ``{subject}`` once. ``foil`` "" is none."""

    id: str
    relation: str
    subject: str
    answer: str
    foil: str
    templates: Mapping[str, str] = field(hash=False)
    group: str = ""

    def __post_init__(self) -> None:
        for name in ("id", "relation", "subject", "answer"):
            written(f"{name} of fact {shown(self.id)}", getattr(self, name))
        if self.foil != "":
            written(f"foil of fact {self.id}", self.foil)
        written(f"group of fact {self.id}", self.group, blank="allowed")
        if not isinstance(self.templates, Mapping) or not self.templates:
            raise ValueError(
                f"fact {self.id}: templates={shown(self.templates)}: expected a mapping of phrasings to templates, "
                "such as {'first': 'The capital of {subject} is'}"
            )
        object.__setattr__(self, "templates", dict(self.templates))
        for phrasing, template in self.templates.items():
            written(f"name of a phrasing of fact {self.id}", phrasing)
            if written(f"template {phrasing!r} of fact {self.id}", template).count("{subject}") != 1:
                raise ValueError(f"fact {self.id}: template {template!r} must hold '{{subject}}' exactly once")
        if _same(self.answer) == _same(self.foil):
            raise ValueError(f"fact {self.id}: the foil equals the answer {self.answer!r}; name a false answer")

    def text(self, phrasing: str | None = None) -> str:
        """The prompt in one phrasing (None: the first), without the answer: ``The capital of France is``."""
        if phrasing is None:
            return next(iter(self.templates.values())).replace("{subject}", self.subject)
        check_phrasing(phrasing, [self])
        return self.templates[phrasing].replace("{subject}", self.subject)

    def statement(self, phrasing: str | None = None, carrier: str = "") -> str:
        """Prompt and answer, after a carrier such as ``As you know`` if one is given."""
        text = f"{self.text(phrasing)} {self.answer}"
        written("carrier", carrier, blank="allowed")
        return f"{carrier} {text[0].lower()}{text[1:]}" if carrier else text


def check_phrasing(phrasing: object, facts: Iterable[Fact] = ()) -> None:
    """Refuse a phrasing that one of the facts lacks."""
    name = written("phrasing", phrasing, blank="allowed")
    lacking = next((fact for fact in facts if name not in fact.templates), None)
    if lacking is not None:
        raise ValueError(
            f"phrasing {shown(name)} is unknown to fact {lacking.id}; choose one of {', '.join(lacking.templates)}"
        )


def drawn_foils(facts: Iterable[Fact], seed: int = 0) -> tuple[Fact, ...]:
    """The facts, each without a foil given one of its relation's other answers, drawn by the seed and the fact's id.

    What is drawn depends on neither the order of the facts nor those of other relations. A fact whose relation has no
    other answer stays without.

    Returns the facts in their order. Raises ValueError for what is no fact.
    """
    chosen, seed = given_facts(facts), whole("seed", seed, at_least=0)
    return tuple(fact if fact.foil else replace(fact, foil=_drawn_foil(fact, chosen, seed)) for fact in chosen)


def _drawn_foil(fact: Fact, facts: Sequence[Fact], seed: int) -> str:
    answers = sorted({other.answer for other in facts if other.relation == fact.relation}, reverse=True)
    others = {_same(answer): answer for answer in answers}  # of several spellings the first in the alphabet
    others.pop(_same(fact.answer), None)
    if not others:
        return ""
    number = int.from_bytes(hashlib.sha256(f"{seed}|{fact.id}|foil".encode()).digest()[:8], "little")
    return others[sorted(others)[number % len(others)]]


def given_facts(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts as a tuple, read once; none, a single one, other values and two of one id are refused.

    Returns them in their order. Raises ValueError for each of these, with its place.
    """
    chosen = listed("facts", facts, of=Fact)
    _check_unique(chosen, "facts")
    return chosen


@told_keywords
def load_facts(name: str | Path = "embedded") -> tuple[Fact, ...]:
    """Facts of the embedded model (``"embedded"``) or of a JSON file in the same form, in the file's order.

    Returns them as `Fact` values. Raises FileNotFoundError where there is no such file, ValueError where it has another
    form, with the row (the file is described in the page on facts files).
    """
    if not isinstance(name, (str, Path)):
        raise ValueError(f"name={shown(name)} ({type(name).__name__}): expected 'embedded' or the path of a JSON file")
    path = ASSETS / "facts.json" if name == "embedded" else Path(name)
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that no file can have
        raise FileNotFoundError(
            f"no facts at {shown(str(path), 200)}; give 'embedded' or the path of a JSON file like "
            f"{ASSETS / 'facts.json'}"
        )
    relations = _mapping(_json(path).get("relations"), path, "relations")
    facts: list[Fact] = []
    for relation, table in relations.items():
        entry = _mapping(table, path, f"relations[{relation!r}]")
        templates = _templates(entry.get("templates"), path, f"templates of relation {relation!r}")
        rows = _list(entry.get("facts"), path, f"facts of relation {relation!r}")
        facts += (_fact(relation, templates, row, path) for row in rows)
    if not facts:
        raise ValueError(f"{path} holds no facts; {FORM}")
    _check_unique(facts, str(path))
    if name == "embedded":
        _check_shipped(facts)
    return tuple(facts)


def _check_shipped(facts: Iterable[Fact]) -> None:
    """What the embedded model's training and its measurements rely on."""
    for fact in facts:
        if fact.group not in GROUPS or tuple(fact.templates) != PHRASINGS or len(fact.answer.split()) != 1:
            raise ValueError(
                f"the shipped fact {fact.id} has the group {fact.group!r}, the phrasings {', '.join(fact.templates)} "
                f"and the answer {fact.answer!r}; install spiritlens again"
            )


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
    `speech.recordings`). A text that one of the voices cannot say is left out in all of them, with the reason. Returns
    what was spoken and what was left out. Raises ValueError where no text can be spoken, EngineError where a voice is
    not on this machine.
    """
    from spiritlens.speech.recordings import speak_texts
    from spiritlens.speech.voices.cached import CachedVoice
    from spiritlens.speech.voices.names import voice, why_unspeakable

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


def commonest_answers(facts: Iterable[Fact]) -> dict[str, str]:
    """The best blind guess per relation: the answer that most of the facts have (ties: the alphabetically first).

    Returns relation → answer. Raises ValueError for values that are no facts.
    """
    counts: dict[str, dict[str, int]] = {}
    for fact in listed("facts", facts, of=Fact, empty=True):
        of_relation = counts.setdefault(fact.relation, {})
        of_relation[fact.answer] = of_relation.get(fact.answer, 0) + 1
    return {relation: min(tally, key=lambda answer: (-tally[answer], answer)) for relation, tally in counts.items()}


def _json(path: Path) -> dict[str, Any]:
    """The object of a JSON file; refused where it is no UTF-8, no JSON, no object, or names something twice."""
    try:
        record = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}): save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError
        raise ValueError(f"{path} is no facts file ({error}); {FORM}") from error
    except OSError as error:
        raise OSError(f"{path} cannot be read ({error.strerror or error}); give a readable file") from error
    return _mapping(record, path, "the file")


def _mapping(value: Any, path: Path, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{path} is no facts file: {what} is {shown(value)}, no JSON object; {FORM}")
    return value


def _list(value: Any, path: Path, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{path} is no facts file: {what} is {shown(value)}, no JSON list; {FORM}")
    return value


def _templates(value: Any, path: Path, what: str) -> dict[str, str]:
    """The templates by phrasing: of an object as they are, of a list of four by `PHRASINGS`."""
    if isinstance(value, dict):
        return value
    found = _list(value, path, what)
    if len(found) != len(PHRASINGS):
        raise ValueError(
            f"{path}: {what} has {len(found)} templates, {len(PHRASINGS)} needed: {', '.join(PHRASINGS)}; or name them "
            "in an object {phrasing: template}"
        )
    return dict(zip(PHRASINGS, found, strict=True))


def _fact(relation: str, templates: Mapping[str, str], row: Any, path: Path) -> Fact:
    """The fact of one row of the file."""
    if not isinstance(row, list) or len(row) != 4 or not all(isinstance(value, str) for value in row):
        raise ValueError(
            f"{path}: relation {relation!r} has the row {shown(row)}; needed: [subject, answer, foil, group], texts"
        )
    subject, answer, foil, group = row
    try:
        return Fact(f"{relation}/{_slug(subject)}", relation, subject, answer, foil, templates, group)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _check_unique(facts: Sequence[Fact], where: str) -> None:
    seen: set[str] = set()
    for fact in facts:
        if _same(fact.id) in seen:
            raise ValueError(f"{where}: the fact {fact.id} is there twice; keep one answer per subject and relation")
        seen.add(_same(fact.id))


def _same(text: str) -> str:
    """What two spellings of one text share: blanks at the ends, case, composed and decomposed letters aside."""
    return unicodedata.normalize("NFC", text.strip().casefold())


def _slug(text: str) -> str:
    return "-".join(text.lower().split())
