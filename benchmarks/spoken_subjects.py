"""How many prompts of a file speak with their subject's units, and why the others do not.

    python benchmarks/spoken_subjects.py FILE.json [--text-only] [--sample N] [--voice NAME]

FILE.json is a list of records with ``prompt`` and ``subject``, such as the Known set of ROME (K. Meng et al.). The text
side (does the subject have spoken words of its own?) is measured for all; then all, or N drawn ones, are spoken by the
voice and encoded by the embedded encoder, and each subject's units must lie on its words. Exit status 1 below 97 %.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tyro

import spiritlens as sl
from spiritlens.prompts.building.phrases import spoken_members
from spiritlens.speech.engines.plain_text import plain_text
from spiritlens.terms import DEFAULT_VOICE

WANTED_SHARE = 0.97
Record = Mapping[str, str]


def main(file: tyro.conf.Positional[Path], text_only: bool = False, sample: int = 0, voice: str = DEFAULT_VOICE) -> int:
    """Say how many prompts of the file speak with their subject's units; `sample`: how many are spoken, 0 is all."""
    records = json.loads(file.read_text(encoding="utf-8"))
    shares = [report("spoken words", records, in_text)]
    if not text_only:
        lens = sl.load()
        drawn = random.Random(0).sample(records, sample) if sample else records
        shares.append(report("units", drawn, lambda record: in_speech(lens, record, voice)))
    return 0 if min(shares) >= WANTED_SHARE else 1


def report(what: str, records: Sequence[Record], check: Callable[[Record], None]) -> float:
    """Print the share of records that pass, and the reasons of the others; the share."""
    problems: list[str] = []
    for record in records:
        try:
            check(record)
        except (ValueError, OSError) as error:
            problems.append(f"  {record['subject']!r} in {record['prompt']!r}: {error}")
    share = 1 - len(problems) / len(records)
    print(f"subjects with {what}: {len(records) - len(problems)} of {len(records)} ({share:.2%})")
    for problem, count in Counter(problems).most_common():
        print(f"{problem}" + (f" (x{count})" if count > 1 else ""))
    return share


def in_text(record: Record) -> None:
    plain = plain_text(record["prompt"])
    found, halves = spoken_members(record["prompt"], plain.characters, record["subject"])
    if not found:
        raise ValueError("; ".join(halves) or "not found")


def in_speech(lens: sl.Lens, record: Record, voice: str) -> None:
    prompt = lens.speak(
        record["prompt"], subject=record["subject"], answer="Paris", voice=voice, occurrence=first_of_several(record)
    )
    words = {prompt.word_index[position] for position in prompt.subject.positions} - {-1}
    said = [word.lower() for word in plain_text(record["subject"]).words]
    found = [prompt.words[number].lower().removesuffix("'s") for number in sorted(words)]
    if found != [word.removesuffix("'s") for word in said]:
        raise ValueError(f"its units lie on {found}, not on {said}")


def first_of_several(record: Record) -> int | None:
    plain = plain_text(record["prompt"])
    return (
        0 if len(spoken_members(record["prompt"].lower(), plain.characters, record["subject"].lower())[0]) > 1 else None
    )


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
