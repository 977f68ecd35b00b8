"""Which of the asked facts are traced, and in which modality.

``both``: a seeded sample of the facts known in both modalities, each traced in both, so that two maps differ by the
modality and by nothing else. ``each``: in each modality a sample of the facts known in *that* modality (the two subsets
of the seed study); one order is drawn for both, so that a fact known in both tends to be in both. ``all``: a sample of
all facts that were asked, traced in both modalities whether they are known or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spiritlens.arguments import check_choice, whole
from spiritlens.prompts.prompt import Prompt
from spiritlens.studies.pairs import KINDS, Asked, PairedPrompts
from spiritlens.studies.settings import Selection

REASONS_SHOWN = 3


@dataclass(frozen=True, eq=False)
class ChosenFact:
    """A fact that is traced, and the modalities in which it is."""

    pair: PairedPrompts
    kinds: tuple[str, ...] = KINDS

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that are traced, T2T first."""
        return tuple(prompt for prompt in self.pair.prompts if prompt.kind in self.kinds)


def choose(asked: Asked, n_facts: int, seed: int, selection: Selection = "both") -> tuple[ChosenFact, ...]:
    """A seeded sample of the facts that a rule selects, in random order (those in speech alone after the others).

    Returns at most `n_facts` facts in each modality. Raises ValueError where there is none.
    """
    check_choice("selection", selection, Selection)
    if selection == "both":
        return tuple(ChosenFact(pair) for pair in choose_known(asked, n_facts, seed))
    n_facts, seed = whole("n_facts", n_facts, at_least=1), whole("seed", seed, at_least=0)
    order = np.random.default_rng([seed, len(asked.pairs)]).permutation(len(asked.pairs))
    pairs = [asked.pairs[place] for place in order]
    if selection == "all":
        return tuple(ChosenFact(pair) for pair in pairs[:n_facts])
    subsets = {kind: frozenset([pair for pair in pairs if pair.known[kind]][:n_facts]) for kind in KINDS}
    if not any(subsets.values()):
        raise ValueError(
            f"none of the {len(pairs)} facts is known in writing or in speech; give others, another model, or another "
            "rule of knowing"
        )
    found = [ChosenFact(pair, tuple(kind for kind in KINDS if pair in subsets[kind])) for pair in pairs]
    traced = [one for one in found if one.kinds]
    return tuple(sorted(traced, key=lambda one: KINDS.index(one.kinds[0])))  # writing comes first in every table


def choose_known(asked: Asked, n_facts: int, seed: int) -> tuple[PairedPrompts, ...]:
    """A seeded sample, in random order, of the facts that are known in both modalities.

    Returns at most `n_facts` pairs. Raises ValueError where none is known in both modalities.
    """
    n_facts, seed = whole("n_facts", n_facts, at_least=1), whole("seed", seed, at_least=0)
    known = [each for each in asked.pairs if each.known_in_both]
    if not known:
        raise ValueError(
            f"none of the {len(asked.pairs)} facts is known in both modalities; give others, or another model, or take "
            "what is known in each (selection='each')"
        )
    order = np.random.default_rng([seed, len(known)]).permutation(len(known))
    return tuple(known[place] for place in order[:n_facts])


def selection_sentences(asked: Asked, chosen: Sequence[ChosenFact], selection: Selection = "both") -> tuple[str, ...]:
    """How many facts were asked and traced, and why the others were not."""
    pairs, left_out = asked.pairs, asked.left_out
    counts = {
        "known in both modalities": asked.n_known,
        "only in writing": sum(each.known["T2T"] and not each.known["S2T"] for each in pairs),
        "only in speech": sum(each.known["S2T"] and not each.known["T2T"] for each in pairs),
        "in neither": sum(not any(each.known.values()) for each in pairs),
    }
    listing = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    traced = _traced_words(chosen, selection)
    if len(pairs) + len(left_out) < len(asked.facts):
        until = "there were enough" if selection == "all" else "enough were known"
        asking = f"Of {len(asked.facts)} facts, {len(pairs)} were asked in random order until {until}"
        first = f"{asking}; the model knows {listing}"
    else:
        first = f"Of {len(pairs)} facts, the model knows {listing}"
    if not left_out:
        return (f"{first}; {traced}",)
    shown = "; ".join(str(each) for each in left_out[:REASONS_SHOWN])
    more = f"; and {len(left_out) - REASONS_SHOWN} more" if len(left_out) > REASONS_SHOWN else ""
    return f"{first}; {traced}", f"{len(left_out)} could not be spoken or asked and were left out: {shown}{more}."


def _traced_words(chosen: Sequence[ChosenFact], selection: Selection) -> str:
    if selection == "both":
        return f"{len(chosen)} of those known in both were drawn and traced."
    if selection == "all":
        return f"{len(chosen)} of them were drawn and traced in both modalities, whether known or not."
    written, spoken = (sum(kind in one.kinds for one in chosen) for kind in KINDS)
    both = sum(len(one.kinds) == len(KINDS) for one in chosen)
    return (
        f"{written} of those known in writing and {spoken} of those known in speech were drawn and traced there, "
        f"{both} of them in both."
    )
