"""Which facts a model knows: shares by group, in writing, in speech and in both."""

from typing import Any

import numpy as np

from spiritlens.prompts.facts.guesses import commonest_answers
from spiritlens.prompts.facts.shipped import GROUPS
from spiritlens.studies.pairs import KINDS, Asked


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
