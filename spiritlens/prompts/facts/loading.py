"""Reading facts from anywhere: files, folders, data sets, frames and lists of rows.

1. **Open.** The source becomes a table, of which rows are read one by one (`tables`).
2. **Recognise.** The columns of its first rows say which layout it has (`layouts`); columns that are given by role
   come before the layout's own (`columns`).
3. **Read.** Each row becomes a fact, or falls out with its reason (`rows`), with the sound that it brings
   (`sound_rows`). Where one id comes twice, or one subject of a relation where there are no ids, the first row counts;
   rows that differ in their sound alone are one fact with all of it.

A row that falls out never ends the reading; a source of which no row becomes a fact is refused.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spiritlens.arguments import shown, told_keywords, written
from spiritlens.prompts.facts.columns import Columns, chosen_columns
from spiritlens.prompts.facts.fact import Fact, same_text
from spiritlens.prompts.facts.left_out import LeftOut, LeftOutRow, Reason, Refusal
from spiritlens.prompts.facts.loaded import Facts
from spiritlens.prompts.facts.rows import Templates, fact_of_row, given_templates
from spiritlens.prompts.facts.shipped import check_shipped
from spiritlens.prompts.facts.sound_rows import KEYS as SOUND_KEYS
from spiritlens.prompts.facts.sound_rows import SoundColumns, sound_columns
from spiritlens.prompts.facts.sounded import joined_sounds, sounded
from spiritlens.prompts.facts.tables import Table, open_table

LOOKED_AT = 100
"""Rows by whose columns a table's layout is recognised: of JSON lines the first may lack one."""


@told_keywords
def load_facts(
    source: Any = "embedded",
    columns: Mapping[str, Any] | None = None,
    *,
    templates: Mapping[str, Any] | None = None,
    split: str | None = None,
    config: str | None = None,
) -> Facts:
    """Facts of the embedded model (``"embedded"``), or of any other source, in its order.

    ``source`` is a file (JSON, JSON lines, CSV, TSV, parquet, Arrow), the folder of a data set, its ``owner/name`` on
    the hub (kept in the cache of `datasets`; ``split`` and ``config`` where it has several), a `Dataset` or
    `IterableDataset`, a frame of pandas, or rows. The layouts of `spiritlens.prompts.facts.layouts` are recognised.
    ``columns`` says which column holds what, by role (``id subject answer aliases foil relation group prompt``):
    ``{"answer": "label"}``, ``outer.inner`` inside of a struct; ``{"prompt": {"cloze": "text", "asked": "question"}}``
    for several phrasings, ``{"tags": ["popularity"]}`` for free tags, ``{"subject": None}`` for questions that do not
    say what they are about; of rows that bring sound also ``audio words starts ends voice phrasing spoken``
    (`spiritlens.prompts.facts.sound_rows`). ``templates`` by phrasing, or by relation and phrasing, are for a table
    that has none.

    Returns the facts as a tuple that names its layout and the rows left out, by reason. Raises FileNotFoundError where
    there is no such source, ValueError for columns that are missing (it names those found) and where no row is a fact.
    """
    if columns is not None and not isinstance(columns, Mapping):
        raise ValueError(f"columns={shown(columns)}: expected a mapping of roles, such as {{'answer': 'COLUMN'}}")
    by_relation = given_templates(templates)
    for name, value in (("split", split), ("config", config)):
        if value is not None:
            written(name, value)
    table = open_table(source, split, config)
    first = list(islice(table.rows, LOOKED_AT))
    known = [row for row in first if not isinstance(row, Refusal)]
    if not known:
        why = next((f": {row.detail}" for row in first if isinstance(row, Refusal)), "; a row is needed for each fact")
        raise ValueError(f"{table.name} holds no facts{why}")
    given = columns or {}
    roles = {key: column for key, column in given.items() if key not in SOUND_KEYS}
    chosen = chosen_columns(table.name, known, roles, needs_prompt=not by_relation)
    sound = sound_columns(known, table.features, given, table.folder)
    facts, left_out = _read(chain(first, table.rows), chosen, by_relation, sound)
    if not facts:
        raise ValueError(f"{table.name} holds no facts: {left_out.rows[0].detail} ({left_out.told()})")
    if isinstance(source, str) and source == "embedded":
        check_shipped(facts, left_out)
    return Facts(facts, _called(table, source), chosen.layout, left_out)


def _called(table: Table, source: Any) -> str:
    return Path(table.name).name if isinstance(source, (str, Path)) else table.name


def _read(
    rows: Iterator[Any], columns: Columns, templates: Templates, sound: SoundColumns | None
) -> tuple[list[Fact], LeftOut]:
    facts: dict[str, Fact] = {}
    left_out: list[LeftOutRow] = []
    for number, row in enumerate(rows, 1):
        place = f"row {number}"
        made = row if isinstance(row, Refusal) else fact_of_row(row, columns, templates, place)
        if isinstance(made, Fact) and sound is not None:
            made = sounded(made, sound, row, place)
        if isinstance(made, Fact) and (before := facts.get(same_text(made.id))) is not None:
            reason: Reason = "an id given twice" if "id" in columns.of else "a relation and subject given twice"
            twice = Refusal(reason, f"{made.id} is there twice; the first counts")
            made = joined_sounds(before, made) or twice
        if isinstance(made, Fact):
            facts[same_text(made.id)] = made
        else:
            left_out.append(LeftOutRow(place, made.reason, made.detail))
    return list(facts.values()), LeftOut(tuple(left_out))
