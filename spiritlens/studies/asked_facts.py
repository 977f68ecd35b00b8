"""Asking facts: which of them a model knows in writing and in speech.

1. **Speak.** Each fact's prompt is written (T2T) and spoken by a voice (S2T).
2. **Ask.** A fact is *known* in a modality when its answer has the highest logit of all text ids
   (`spiritlens.runs.answers`).
3. **Leave out.** A fact that cannot be said or asked (its subject is not found in the words spoken, its answer has no
   tokens, it is too long for the model) is left out with its reason; the others go on.
4. **Stop.** With ``enough``, asking ends when so many facts are known in both modalities.

Answers are kept as they come, one line each, in a file: a model is never asked twice for one prompt.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from spiritlens.arguments import whole
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts import GROUPS, Fact, check_phrasing, commonest_answers, given_facts
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import known_prompts
from spiritlens.speech.voices.names import EngineError

KINDS = ("T2T", "S2T")
REASONS_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Told:
    """One fact in both modalities, and whether the model knows it in each."""

    fact: Fact
    text: Prompt
    spoken: Prompt
    known: Mapping[str, bool]

    @property
    def known_in_both(self) -> bool:
        """The answer is the arg-max over text ids in writing and in speech."""
        return all(self.known[kind] for kind in KINDS)

    @property
    def prompts(self) -> tuple[Prompt, Prompt]:
        """The T2T and the S2T prompt."""
        return self.text, self.spoken


@dataclass(frozen=True)
class LeftOut:
    """A fact that could not be said or asked, and why."""

    fact: Fact
    reason: str

    def __str__(self) -> str:
        return f"{self.fact.id} ({self.reason})"


@dataclass(frozen=True, eq=False)
class Asked:
    """All facts that there were, those that were asked, in the order of asking, and those left out."""

    facts: tuple[Fact, ...]
    told: tuple[Told, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def n_known(self) -> int:
        """Facts known in both modalities."""
        return sum(each.known_in_both for each in self.told)


def ask(
    lens: Lens,
    facts: Iterable[Fact],
    *,
    voice: str,
    phrasing: str,
    enough: int | None = None,
    answers: Path | None = None,
) -> Asked:
    """Build both prompts of each fact and ask the model, in the order given.

    ``enough`` stops when so many are known in both modalities; ``answers`` is the file in which answers are kept.
    """
    facts = given_facts(facts)
    check_phrasing(phrasing, facts)
    kept = KeptAnswers(given_lens(lens), answers)
    told: list[Told] = []
    left_out: list[LeftOut] = []
    for fact in tqdm(facts, desc="speaking and asking", unit="fact"):
        if enough is not None and sum(each.known_in_both for each in told) >= enough:
            break
        try:
            prompts = fact_prompts(lens, fact, voice, phrasing)
            _check_new(prompts, told)
            known = {kind: kept.known(prompt) for kind, prompt in zip(KINDS, prompts, strict=True)}
        except (ValueError, EngineError) as error:
            left_out.append(LeftOut(fact, " ".join(str(error).split())))
        else:
            told.append(Told(fact, *prompts, known))
    if not told:
        raise ValueError(f"none of the {len(facts)} facts can be said and asked; the first: {left_out[0]}")
    return Asked(facts, tuple(told), tuple(left_out))


class KeptAnswers:
    """What a model answered, by prompt: asked once, and kept in a file, a line each, as it comes.

    Under hooks of the user's own the model is another one: then nothing is kept or believed.
    """

    def __init__(self, lens: Lens, file: Path | None) -> None:
        self._lens, self._file = lens, None if lens.backend.has_user_hooks() else file
        self._model = f"{lens.id} {lens.vocabulary.hash}"
        self._found = dict(_read_answers(self._file, self._model)) if self._file else {}

    def known(self, prompt: Prompt) -> bool:
        """Whether the model gives the prompt's answer."""
        if prompt.id not in self._found:
            (self._found[prompt.id],) = known_prompts(self._lens, (prompt,))
            self._keep(prompt)
        return self._found[prompt.id]

    def _keep(self, prompt: Prompt) -> None:
        if self._file is None:
            return
        about = {"fact": prompt.fact_id, "kind": prompt.kind, "prompt": prompt.id, "model": self._model}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({**about, "known": self._found[prompt.id]}, ensure_ascii=False) + "\n")


def _read_answers(file: Path, model: str) -> Iterable[tuple[str, bool]]:
    """Prompt and answer of each whole line of this model; a line that a stop cut in two is asked again."""
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8", errors="replace")
    if text and not text.endswith("\n"):
        with file.open("a", encoding="utf-8") as lines:
            lines.write("\n")
    for line in text.splitlines():
        try:
            row = json.loads(line)
            prompt, known, of_model = row["prompt"], row["known"], row["model"]
        except (ValueError, TypeError, KeyError):
            continue
        if of_model == model and isinstance(known, bool) and isinstance(prompt, str):
            yield prompt, known


def fact_prompts(lens: Lens, fact: Fact, voice: str, phrasing: str) -> tuple[Prompt, Prompt]:
    """The T2T and the S2T prompt of a fact."""
    asked = (fact.text(phrasing), fact.subject, fact.answer, fact.foil)
    origin = Origin(fact.id, fact.relation, phrasing, group=fact.group)
    return lens.text(*asked, origin=origin), lens.speak(*asked, voice=voice, origin=origin)


def _check_new(prompts: Sequence[Prompt], told: Sequence[Told]) -> None:
    for each in told:
        if set(each.prompts) & set(prompts):
            raise ValueError(f"its prompt is that of {each.fact.id}; facts that are traced differ in their words")


def accuracy_rows(asked: Asked) -> list[dict[str, Any]]:
    """Per group: facts asked, the share known in each modality, and what guessing the commonest answers gives."""
    guess = commonest_answers(asked.facts)
    rows = []
    groups = dict.fromkeys((*GROUPS, *(each.fact.group for each in asked.told if each.fact.group), "all"))
    for group in groups:
        of_group = [each for each in asked.told if group in (each.fact.group, "all")]
        if of_group:
            row: dict[str, Any] = {"group": group, "facts": len(of_group)}
            row |= {kind: float(np.mean([each.known[kind] for each in of_group])) for kind in KINDS}
            row["known in both"] = float(np.mean([each.known_in_both for each in of_group]))
            row["guessing"] = float(np.mean([guess[each.fact.relation] == each.fact.answer for each in of_group]))
            rows.append(row)
    return rows


def choose_known(asked: Asked, n_facts: int, seed: int) -> tuple[Told, ...]:
    """A seeded sample, in random order, of the facts that are known in both modalities."""
    n_facts, seed = whole("n_facts", n_facts, at_least=1), whole("seed", seed, at_least=0)
    known = [each for each in asked.told if each.known_in_both]
    if not known:
        raise ValueError(
            f"none of the {len(asked.told)} facts is known in both modalities; give others, or another model"
        )
    order = np.random.default_rng([seed, len(known)]).permutation(len(known))
    return tuple(known[place] for place in order[:n_facts])


def selection_sentences(asked: Asked, chosen: Sequence[Told]) -> tuple[str, ...]:
    """How many facts were asked and traced, and why the others were not."""
    told, left_out = asked.told, asked.left_out
    counts = {
        "known in both modalities": asked.n_known,
        "only in writing": sum(each.known["T2T"] and not each.known["S2T"] for each in told),
        "only in speech": sum(each.known["S2T"] and not each.known["T2T"] for each in told),
        "in neither": sum(not any(each.known.values()) for each in told),
    }
    listing = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    traced = f"{len(chosen)} of those known in both were drawn and traced."
    if len(told) + len(left_out) < len(asked.facts):
        asking = f"Of {len(asked.facts)} facts, {len(told)} were asked in random order until enough were known"
        first = f"{asking}; the model knows {listing}"
    else:
        first = f"Of {len(told)} facts, the model knows {listing}"
    if not left_out:
        return (f"{first}; {traced}",)
    shown = "; ".join(str(each) for each in left_out[:REASONS_SHOWN])
    more = f"; and {len(left_out) - REASONS_SHOWN} more" if len(left_out) > REASONS_SHOWN else ""
    return f"{first}; {traced}", f"{len(left_out)} could not be said or asked and were left out: {shown}{more}."
