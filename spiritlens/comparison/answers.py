"""Is one fact recalled in both modalities? What the answers of a comparison must be before anything is told of recall.

1. **One fact has one answer.** A model that knows a fact says the same in writing and in speech. Where the answers of
   facts differ between the modalities, two different things that the model says are compared, as of a model that is
   traced for whatever it says (`sl.studies.own_answers`): untrained models too say something, each prompt's something
   moves when its subject is disturbed, and none of it is recall.
2. **Answers tell subjects apart.** Where nearly all subjects have one answer, saying it needs no subject.

Both are read from the coordinate ``answer`` of the prompts that count; where it is empty, nothing is known of it.
"""

from collections import Counter

import numpy as np
import xarray as xr

from spiritlens.effects.statistics import fact_names, subject_names

ONE_ANSWER = 0.9
"""Above this share of subjects with one answer, the answer is a habit."""


def no_recall(effects: xr.Dataset, kinds: tuple[str, str]) -> str:
    """Why the known facts' answers are no recall of the same facts; "" where they may be."""
    kept = np.flatnonzero((effects["known"].values == 1) & np.isin(effects["modality"].values, kinds))
    facts, subjects = fact_names(effects)[kept].tolist(), subject_names(effects)[kept].tolist()
    modalities = effects["modality"].values[kept].tolist()
    answers = [_same(str(answer)) for answer in effects["answer"].values[kept].tolist()]
    of_fact: dict[str, dict[str, set[str]]] = {}
    for fact, kind, answer in zip(facts, modalities, answers, strict=True):
        if answer:
            of_fact.setdefault(fact, {}).setdefault(kind, set()).add(answer)
    both = {fact: found for fact, found in of_fact.items() if len(found) == len(kinds)}
    apart = [fact for fact, found in both.items() if found[kinds[0]] != found[kinds[1]]]
    if apart:
        return (
            f"{len(apart)} of {len(both)} facts have other answers in {kinds[0]} than in {kinds[1]}, so that what is "
            "compared is not the recall of one fact in both"
        )
    of_subject: dict[str, set[str]] = {}
    for fact, subject, answer in zip(facts, subjects, answers, strict=True):
        if fact in both:
            of_subject.setdefault(subject, set()).add(answer)
    counted = Counter(answer for found in of_subject.values() for answer in found)
    answer, count = counted.most_common(1)[0] if counted else ("", 0)
    if len(of_subject) > 1 and count > ONE_ANSWER * len(of_subject):
        return f"{count} of {len(of_subject)} subjects have the answer {answer!r}: it can be said without any recall"
    return ""


def _same(answer: str) -> str:
    """An answer without what does not make it another."""
    return " ".join(answer.casefold().split())
