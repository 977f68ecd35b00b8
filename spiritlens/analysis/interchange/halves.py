"""Two halves of facts: parts are ranked on one and tested on the other, then the other way round.

Facts about one subject stay together, so that no half is tested on a subject that it was ranked on, and each relation
is spread over both halves as evenly as its subjects allow.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.subject_key import subject_key
from spiritlens.runs.corruptions.noise import derived_seed

LEAST_SUBJECTS = 4
"""Two in each half: a mean over other subjects needs another one."""


def fact_name(prompt: Prompt) -> str:
    """What tells facts apart: the `fact_id`, or where it is empty relation, subject and answer, letter case aside."""
    return prompt.fact_id or f"{prompt.relation}/{prompt.subject.name} → {prompt.answer}".casefold()


def check_same_facts(written: Sequence[Prompt], spoken: Sequence[Prompt]) -> None:
    """Both modalities ask the same facts; what is ranked in one is tested on facts of the other."""
    for name, prompts, kind in (("written", written, "T2T"), ("spoken", spoken, "S2T")):
        for place, prompt in enumerate(prompts):
            if prompt.kind != kind:
                raise ValueError(f"{name}[{place}] is a {prompt.kind} prompt: expected {kind} prompts only")
    facts = [{fact_name(prompt) for prompt in prompts} for prompts in (written, spoken)]
    lacking = sorted(facts[0] ^ facts[1])
    if lacking:
        which = "spoken" if lacking[0] in facts[0] else "written"
        raise ValueError(f"{which} lacks the fact {lacking[0]!r}: give every fact in both modalities")


def of_whole_facts(prompts: Sequence[Prompt], measured: Sequence[bool]) -> list[int]:
    """Places of the prompts whose facts were measured in all of their prompts, in both modalities.

    Raises ValueError where what is left is about fewer than four subjects.
    """
    lacking = {fact_name(prompt) for prompt, one in zip(prompts, measured, strict=True) if not one}
    kept = [place for place, prompt in enumerate(prompts) if fact_name(prompt) not in lacking]
    n_subjects = len({subject_key(prompts[place]) for place in kept})
    if n_subjects < LEAST_SUBJECTS:
        raise ValueError(
            f"{len(lacking)} facts could not be measured, and the others are about {n_subjects} subjects; at least "
            f"{LEAST_SUBJECTS} are needed: see the reasons in the warning, and in failures/ of the folder"
        )
    return kept


def halves(prompts: Sequence[Prompt], seed: int) -> Mapping[str, int]:
    """The half, 0 or 1, of each subject of these prompts (`subject_key`), drawn by the seed."""
    facts = {(subject_key(prompt), prompt.relation, fact_name(prompt)) for prompt in prompts}
    relations: dict[str, list[str]] = {}
    for subject, relation, _ in sorted(facts):
        relations.setdefault(subject, []).append(relation)
    if len(relations) < LEAST_SUBJECTS:
        raise ValueError(
            f"the facts are about {len(relations)} subjects; at least {LEAST_SUBJECTS} are needed, two in each half"
        )
    draw = np.random.default_rng(derived_seed(seed, "halves of facts"))
    names = [sorted(relations)[place] for place in draw.permutation(len(relations))]
    counts: dict[str, list[int]] = {relation: [0, 0] for _, relation, _ in facts}
    total, found = [0, 0], {}
    for name in sorted(names, key=lambda subject: (-len(relations[subject]), relations[subject])):
        lead = sum(counts[relation][0] - counts[relation][1] for relation in relations[name])
        lead = lead or total[0] - total[1]
        half = int(draw.integers(2)) if lead == 0 else int(lead > 0)
        found[name] = half
        total[half] += len(relations[name])
        for relation in relations[name]:
            counts[relation][half] += 1
    return found
