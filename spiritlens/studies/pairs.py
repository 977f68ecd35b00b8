"""Pairs of prompts: a fact written and spoken, and whether the model knows it in each.

1. **Pair.** Each fact's prompt is written (T2T) and spoken by a voice (S2T).
2. **Ask.** A fact is *known* in a modality when its answer has the highest logit of all text ids
   (`spiritlens.runs.answers`).
3. **Leave out.** A fact that cannot be spoken or asked (its subject is not found in the words spoken, its answer has no
   tokens, it is too long for the model) is left out with its reason; the others go on.
4. **Stop.** With ``enough``, asking ends when so many facts are known in both modalities.

Answers are kept in a file as they come (`spiritlens.studies.kept_answers`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from spiritlens.arguments import told_keywords, whole
from spiritlens.files.atomic import write_whole
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact, check_phrasing, given_facts
from spiritlens.prompts.facts.guesses import commonest_answers
from spiritlens.prompts.facts.shipped import GROUPS
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.kept_answers import KeptAnswers

__all__ = ["Asked", "LeftOut", "PairedPrompts", "ask", "choose_known", "pair_prompts"]

KINDS = ("T2T", "S2T")
REASONS_SHOWN = 3
LONGEST_NAME = 50
"""Characters of a fact's id in the name of its wav: a file's name may have 255 bytes."""


@dataclass(frozen=True, eq=False)
class PairedPrompts:
    """One fact in both modalities, and whether the model knows it in each."""

    fact: Fact
    written: Prompt
    spoken: Prompt
    known: Mapping[str, bool]

    @property
    def known_in_both(self) -> bool:
        """The answer is the arg-max over text ids in writing and in speech."""
        return all(self.known[kind] for kind in KINDS)

    @property
    def prompts(self) -> tuple[Prompt, Prompt]:
        """The T2T and the S2T prompt."""
        return self.written, self.spoken


@dataclass(frozen=True)
class LeftOut:
    """A fact that could not be spoken or asked, and why."""

    fact: Fact
    reason: str

    def __str__(self) -> str:
        return f"{self.fact.id} ({self.reason})"


@dataclass(frozen=True, eq=False)
class Asked:
    """All facts that there were, those that were asked, in the order of asking, and those left out."""

    facts: tuple[Fact, ...]
    pairs: tuple[PairedPrompts, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def n_known(self) -> int:
        """Facts known in both modalities."""
        return sum(each.known_in_both for each in self.pairs)


@told_keywords
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
    Returns those asked and those left out, with the reason. Raises ValueError where none can be spoken and asked.
    """
    facts = given_facts(facts)
    check_phrasing(phrasing, facts)
    kept = KeptAnswers(given_lens(lens), answers)
    pairs: list[PairedPrompts] = []
    left_out: list[LeftOut] = []
    for fact in tqdm(facts, desc="speaking and asking", unit="fact"):
        if enough is not None and sum(each.known_in_both for each in pairs) >= enough:
            break
        try:
            prompts = pair_prompts(lens, fact, voice, phrasing)
            _check_new(prompts, pairs)
            known = {kind: kept.known(prompt) for kind, prompt in zip(KINDS, prompts, strict=True)}
        except (ValueError, EngineError) as error:
            left_out.append(LeftOut(fact, " ".join(str(error).split())))
        else:
            pairs.append(PairedPrompts(fact, *prompts, known))
    if not pairs:
        raise ValueError(f"none of the {len(facts)} facts can be spoken and asked; the first: {left_out[0]}")
    return Asked(facts, tuple(pairs), tuple(left_out))


def pair_prompts(lens: Lens, fact: Fact, voice: str, phrasing: str) -> tuple[Prompt, Prompt]:
    """The T2T and the S2T prompt of a fact.

    Returns both. Raises ValueError for a subject or answer that the words or tokens lack, EngineError for a silent
    voice.
    """
    asked = (fact.text(phrasing), fact.subject, fact.answer, fact.foil)
    origin = Origin(fact.id, fact.relation, phrasing, group=fact.group, aliases=fact.aliases)
    return lens.text(*asked, origin=origin), lens.speak(*asked, voice=voice, origin=origin)


def _check_new(prompts: Sequence[Prompt], pairs: Sequence[PairedPrompts]) -> None:
    for each in pairs:
        if set(each.prompts) & set(prompts):
            raise ValueError(f"its prompt is that of {each.fact.id}; facts that are traced differ in their words")


def accuracy_rows(asked: Asked) -> list[dict[str, Any]]:
    """Per group: facts asked, the share known in each modality, and what guessing the commonest answers gives."""
    guess = commonest_answers(asked.facts)
    rows = []
    groups = dict.fromkeys((*GROUPS, *(each.fact.group for each in asked.pairs if each.fact.group), "all"))
    for group in groups:
        of_group = [each for each in asked.pairs if group in (each.fact.group, "all")]
        if of_group:
            row: dict[str, Any] = {"group": group, "facts": len(of_group)}
            row |= {kind: float(np.mean([each.known[kind] for each in of_group])) for kind in KINDS}
            row["known in both"] = float(np.mean([each.known_in_both for each in of_group]))
            row["guessing"] = float(np.mean([guess[each.fact.relation] == each.fact.answer for each in of_group]))
            rows.append(row)
    return rows


def choose_known(asked: Asked, n_facts: int, seed: int) -> tuple[PairedPrompts, ...]:
    """A seeded sample, in random order, of the facts that are known in both modalities.

    Returns at most `n_facts` pairs. Raises ValueError where none is known in both modalities.
    """
    n_facts, seed = whole("n_facts", n_facts, at_least=1), whole("seed", seed, at_least=0)
    known = [each for each in asked.pairs if each.known_in_both]
    if not known:
        raise ValueError(
            f"none of the {len(asked.pairs)} facts is known in both modalities; give others, or another model"
        )
    order = np.random.default_rng([seed, len(known)]).permutation(len(known))
    return tuple(known[place] for place in order[:n_facts])


def selection_sentences(asked: Asked, chosen: Sequence[PairedPrompts]) -> tuple[str, ...]:
    """How many facts were asked and traced, and why the others were not."""
    pairs, left_out = asked.pairs, asked.left_out
    counts = {
        "known in both modalities": asked.n_known,
        "only in writing": sum(each.known["T2T"] and not each.known["S2T"] for each in pairs),
        "only in speech": sum(each.known["S2T"] and not each.known["T2T"] for each in pairs),
        "in neither": sum(not any(each.known.values()) for each in pairs),
    }
    listing = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    traced = f"{len(chosen)} of those known in both were drawn and traced."
    if len(pairs) + len(left_out) < len(asked.facts):
        asking = f"Of {len(asked.facts)} facts, {len(pairs)} were asked in random order until enough were known"
        first = f"{asking}; the model knows {listing}"
    else:
        first = f"Of {len(pairs)} facts, the model knows {listing}"
    if not left_out:
        return (f"{first}; {traced}",)
    shown = "; ".join(str(each) for each in left_out[:REASONS_SHOWN])
    more = f"; and {len(left_out) - REASONS_SHOWN} more" if len(left_out) > REASONS_SHOWN else ""
    return f"{first}; {traced}", f"{len(left_out)} could not be spoken or asked and were left out: {shown}{more}."


def write_wavs(prompts: Iterable[Prompt], folder: Path) -> None:
    """One wav file per spoken prompt, named after its fact and its id."""
    folder.mkdir(parents=True, exist_ok=True)
    for prompt in prompts:
        if prompt.waveform is not None:
            name = re.sub(r"[^\w-]+", "_", f"{prompt.fact_id[:LONGEST_NAME]} {prompt.id}".strip())
            write_whole(folder / f"{name}.wav", prompt.waveform.wav_bytes())
