"""Who is on the page: the facts that were traced, and the prompts in which they were asked, each once.

Several datasets may hold the same prompts (by role, by token); what they say of a prompt is said once, by the first of
them. A prompt is told by its id; facts as in `spiritlens.effects.statistics.fact_names`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from spiritlens.effects.statistics import fact_names
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.packing import Packing

FACT_COLUMNS = ("subject", "answer", "relation", "group")
PROMPT_COLUMNS = ("modality", "phrasing", "voice", "text", "prompt_id")


@dataclass(frozen=True, eq=False)
class FactsTable:
    """`facts`: a row each, by name; `prompts`: a row each with the place of its `fact`; `rows` [dataset][prompt] the
    place of each prompt of each dataset; `given` the prompts that were passed, by place."""

    facts: dict[str, dict[str, str]]
    prompts: list[dict[str, Any]]
    rows: dict[str, list[int]]
    given: dict[int, Prompt]

    def pack(self, packing: Packing) -> dict[str, Any]:
        """Columns of facts and prompts, for the header."""
        facts = {
            "name": packing.texts("facts", self.facts),
            **{column: packing.texts("facts", [row[column] for row in self.facts.values()]) for column in FACT_COLUMNS},
        }
        prompts = {
            "fact": packing.numbers("facts", [row["fact"] for row in self.prompts]),
            "known": packing.numbers("facts", [row["known"] for row in self.prompts]),
            **{column: packing.texts("facts", [row[column] for row in self.prompts]) for column in PROMPT_COLUMNS},
        }
        return {"facts": facts, "prompts": prompts}


def facts_table(datasets: Mapping[str, xr.Dataset], prompts: Sequence[Prompt]) -> FactsTable:
    """All facts and prompts of the datasets. ValueError for a prompt that belongs to none of them."""
    facts: dict[str, dict[str, str]] = {}
    entries: dict[tuple[str, int], int] = {}
    table: list[dict[str, Any]] = []
    rows: dict[str, list[int]] = {}
    for name, one in datasets.items():
        seen: dict[str, int] = {}
        rows[name] = []
        columns = {column: one[column].values.tolist() for column in (*FACT_COLUMNS, *PROMPT_COLUMNS, "known")}
        for place, fact in enumerate(fact_names(one).tolist()):
            facts.setdefault(fact, {column: str(columns[column][place]) for column in FACT_COLUMNS})
            identity = str(columns["prompt_id"][place]) or f"{name} {place}"
            key = identity, seen.get(identity, 0)  # the same prompt twice in a dataset is two rows
            seen[identity] = key[1] + 1
            if key not in entries:
                entries[key] = len(table)
                own = {column: str(columns[column][place]) for column in PROMPT_COLUMNS}
                table.append({"fact": fact, "known": int(columns["known"][place]), **own})
            rows[name].append(entries[key])
    order = {fact: place for place, fact in enumerate(facts)}
    table = [{**row, "fact": order[row["fact"]]} for row in table]
    return FactsTable(facts, table, rows, _given(prompts, entries))


def _given(prompts: Sequence[Prompt], entries: Mapping[tuple[str, int], int]) -> dict[int, Prompt]:
    found = {}
    for place, prompt in enumerate(prompts):
        if (prompt.id, 0) not in entries:
            raise ValueError(
                f"prompts[{place}] ({prompt.kind}, id {prompt.id}) is not among the prompts of the effects: pass those "
                "that were traced"
            )
        found[entries[prompt.id, 0]] = prompt
    return found
