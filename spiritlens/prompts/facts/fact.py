"""A fact: subject, relation, answer, and one or more phrasings, each a template that ends right before the answer.

A phrasing is a cloze (``The capital of {subject} is``) or a question (``What is the capital of {subject}?``); the
subject may stand anywhere in it, once. The answer may have several words, and *aliases*: other names of the same thing.
A missing foil, a false answer, is drawn from the relation's other answers by `foils.drawn_foils`.

``group`` says how a model met the fact in training, where that is known; ``tags`` hold anything else that is known of
the fact, as texts by name; ``sounds`` the sound that it brings.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from spiritlens.arguments import listed, shown, written
from spiritlens.prompts.facts.sounds import FactSound


@dataclass(frozen=True)
class Fact:
    """One fact; ``templates`` by the name of their phrasing, each with ``{subject}`` once. ``foil`` "" is none.

    ``subject`` "" is none, as in a set of questions that does not say what each is about; its templates then hold no
    ``{subject}``. Such a fact can be asked, but no method can corrupt its subject.

    ``aliases`` are other names of the answer, ``tags`` free texts by name, ``sounds`` recordings of its prompts.
    """

    id: str
    relation: str
    subject: str
    answer: str
    foil: str
    templates: Mapping[str, str] = field(hash=False)
    group: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    sounds: tuple[FactSound, ...] = field(default=(), hash=False)

    def __post_init__(self) -> None:
        for name in ("id", "relation", "subject", "answer"):
            if name != "subject" or self.subject != "":
                written(f"{name} of fact {shown(self.id)}", getattr(self, name))
        if self.foil != "":
            written(f"foil of fact {self.id}", self.foil)
        written(f"group of fact {self.id}", self.group, blank="allowed")
        self._take_templates()
        self._take_aliases_tags_and_sounds()
        if same_text(self.foil) in map(same_text, self.accepted):
            raise ValueError(f"fact {self.id}: the foil equals the answer {self.foil!r}; name a false answer")

    def _take_templates(self) -> None:
        if not isinstance(self.templates, Mapping) or not self.templates:
            raise ValueError(
                f"fact {self.id}: templates={shown(self.templates)}: expected a mapping of phrasings to templates, "
                "such as {'first': 'The capital of {subject} is'}"
            )
        object.__setattr__(self, "templates", dict(self.templates))
        for phrasing, template in self.templates.items():
            written(f"name of a phrasing of fact {self.id}", phrasing)
            needed = 1 if self.subject else 0
            count = written(f"template {phrasing!r} of fact {self.id}", template).count("{subject}")
            if count != needed:
                rule = "exactly once" if self.subject else "nowhere: the fact has no subject"
                raise ValueError(f"fact {self.id}: template {template!r} must hold '{{subject}}' {rule}")

    def _take_aliases_tags_and_sounds(self) -> None:
        aliases = listed(f"aliases of fact {self.id}", self.aliases, of=str, empty=True)
        for alias in aliases:
            written(f"alias of fact {self.id}", alias)
        if not isinstance(self.tags, Mapping):
            raise ValueError(f"fact {self.id}: tags={shown(self.tags)}: expected a mapping of names to texts")
        for name, tag in self.tags.items():
            written(f"name of a tag of fact {self.id}", name)
            written(f"tag {name!r} of fact {self.id}", tag, blank="allowed")
        object.__setattr__(self, "aliases", aliases)
        object.__setattr__(self, "tags", dict(self.tags))
        sounds = listed(f"sounds of fact {self.id}", self.sounds, of=FactSound, empty=True)
        object.__setattr__(self, "sounds", sounds)

    @property
    def accepted(self) -> tuple[str, ...]:
        """What counts as the answer: the answer itself, then its aliases."""
        return (self.answer, *self.aliases)

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


def given_facts(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts as a tuple, read once; none, a single one, other values and two of one id are refused.

    Returns them in their order. Raises ValueError for each of these, with its place.
    """
    chosen = listed("facts", facts, of=Fact)
    check_unique(chosen, "facts")
    return chosen


def check_unique(facts: Sequence[Fact], where: str) -> None:
    """Refuse two facts of one id, upper and lower case and composed letters aside."""
    seen: set[str] = set()
    for fact in facts:
        if same_text(fact.id) in seen:
            raise ValueError(f"{where}: the fact {fact.id} is there twice; keep one answer per subject and relation")
        seen.add(same_text(fact.id))


def same_text(text: str) -> str:
    """What two spellings of one text share: blanks at the ends, case, composed and decomposed letters aside."""
    return unicodedata.normalize("NFC", text.strip().casefold())
