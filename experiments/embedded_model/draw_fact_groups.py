"""Draw the group and the foil of every fact and write them into `spiritlens/assets/facts.json`.

The tables of subjects and answers are written by hand; this script fills the other two columns, so that they depend on
the tables and on SEED only. A subject's facts are dealt from decks that hold six or seven *both*, two or three *text
only*, and at most one each of *heard only* and *asked aloud*, so that each subject has most of its facts in both
modalities. A foil is a false answer of the same relation; other true answers of a fact are listed in
`also_true.json` beside this script.

    python -m experiments.embedded_model.draw_fact_groups
"""

import json
import random
from pathlib import Path

SEED = (
    66  # the first seed of 400 that puts the README's fact in *both* and spreads the groups evenly over the relations
)
DECKS = (
    {"both": 6, "text only": 2, "heard only": 1, "asked aloud": 1},
    {"both": 6, "text only": 3, "asked aloud": 1},
    {"both": 6, "text only": 2, "heard only": 1, "asked aloud": 1},
    {"both": 7, "text only": 2, "heard only": 1},
    {"both": 6, "text only": 2, "heard only": 1, "asked aloud": 1},
)


def deal_groups(facts: list[tuple[str, str]], rng: random.Random) -> dict[tuple[str, str], str]:
    """Group of each (relation, subject), dealt subject by subject."""
    by_subject: dict[str, list[tuple[str, str]]] = {}
    for relation, subject in facts:
        by_subject.setdefault(subject, []).append((relation, subject))
    singles = [keys[0] for keys in by_subject.values() if len(keys) == 1]
    several = [keys for keys in by_subject.values() if len(keys) > 1]
    rng.shuffle(several)
    rng.shuffle(singles)
    hands = several + [singles[i : i + 10] for i in range(0, len(singles), 10)]
    groups = {}
    for number, keys in enumerate(hands):
        deck = [group for group, count in DECKS[number % len(DECKS)].items() for _ in range(count)]
        rng.shuffle(keys)
        rng.shuffle(deck)
        groups.update(zip(keys, deck, strict=False))
    return groups


def draw_foil(true: set[str], answers: list[str], rng: random.Random) -> str:
    """A false answer of the relation; each distinct answer is equally likely."""
    return rng.choice([candidate for candidate in sorted(set(answers)) if candidate not in true])


def write(record: dict[str, object], path: Path) -> None:
    """One fact per line, so that a change is readable in a diff."""
    head = {key: value for key, value in record.items() if key != "relations"}
    lines = ["{", *(f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()), '  "relations": {']
    relations = record["relations"]
    for number, (name, relation) in enumerate(relations.items()):
        rows = ",\n".join(f"        {json.dumps(row, ensure_ascii=False)}" for row in relation["facts"])
        comma = "," if number < len(relations) - 1 else ""
        templates = f'      "templates": {json.dumps(relation["templates"])},'
        lines += [f"    {json.dumps(name)}: {{", templates, '      "facts": [', rows, "      ]", f"    }}{comma}"]
    path.write_text("\n".join([*lines, "  }", "}", ""]), encoding="utf-8")


def main() -> None:
    path = Path(__file__).parents[2] / "spiritlens" / "assets" / "facts.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    also_true = json.loads(Path(__file__).with_name("also_true.json").read_text(encoding="utf-8"))
    rng = random.Random(SEED)
    facts = [(name, row[0]) for name, relation in record["relations"].items() for row in relation["facts"]]
    groups = deal_groups(facts, rng)
    for name, relation in record["relations"].items():
        answers = [row[1] for row in relation["facts"]]
        for row in relation["facts"]:
            true = {row[1], *also_true.get(name, {}).get(row[0], ())}
            row[2:] = [draw_foil(true, answers, rng), groups[name, row[0]]]
    record["seed"] = SEED
    write(record, path)


if __name__ == "__main__":
    main()
