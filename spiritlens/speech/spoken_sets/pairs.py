"""Folders of pairs: a recording that is right, and one that is wrong in one respect.

Two layouts, as slamkit's metrics read them (`slamkit/metric/modelling_metric.py`):

- *consecutive* (sWUGGY, sBLIMP, sStoryCloze): names begin with a number and ``_`` or ``+``; in the order of the numbers
  each two are a pair, the right one first. Here the numbers themselves say who belongs together: from an even first
  number on 0 and 1, 2 and 3; from an odd one 1 and 2, 3 and 4. So a missing file costs its pair alone and does not
  shift the others. Two files of one number are a pair where their names end in ``correct`` and ``incorrect``;
- *indexed* (SALMon): a folder for each part, names ``sample_INDEX_….wav`` in it, the right one first by name.

Files lie in the folder or in folders within it; each folder counts its own pairs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spiritlens.arguments import shown
from spiritlens.speech.recording_rows import sound_files
from spiritlens.speech.recordings import Recording

NUMBERED = re.compile(r"(\d+)(?=[_+.\s-]|$)")
INDEXED = re.compile(r"[^_]+_(\d+)(?=_|$)")
ENDS = (re.compile(r"(?<!in)correct$", re.IGNORECASE), re.compile(r"incorrect$", re.IGNORECASE))


@dataclass(frozen=True, eq=False)
class RecordingPair:
    """Two recordings of one pair: ``right`` is the one that a good model finds likelier; ``part`` their folder."""

    name: str
    right: Recording
    wrong: Recording
    part: str = ""


@dataclass(frozen=True, eq=False)
class RecordingPairs:
    """The pairs of a folder, in their order, and the files that belong to none, with the reason."""

    pairs: tuple[RecordingPair, ...]
    left_out: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[RecordingPair]:
        return iter(self.pairs)

    def __str__(self) -> str:
        """The counts, and the reason of each file that was left out."""
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in self.left_out.items())
        return f"{len(self.pairs)} pairs, {len(self.left_out)} files left out{reasons}"


def recording_pairs(folder: str | Path) -> RecordingPairs:
    """The pairs of a folder in either layout, which its names show.

    Returns them with the files left out. Raises FileNotFoundError without the folder, ValueError where it holds no
    pair, with the first reason.
    """
    if not isinstance(folder, (str, Path)) or not Path(folder).is_dir():
        raise FileNotFoundError(
            f"{shown(folder) if not isinstance(folder, Path) else folder}: no such folder of pairs."
        )
    folder = Path(folder)
    by_part: dict[str, list[Path]] = {}
    for path in sound_files(folder):
        by_part.setdefault(path.parent.relative_to(folder).as_posix(), []).append(path)
    pairs: list[RecordingPair] = []
    left_out: dict[str, str] = {}
    for part, paths in by_part.items():
        _add_pairs("" if part == "." else part, paths, folder, pairs, left_out)
    if not pairs:
        why = "; the first file, " + ": ".join(next(iter(left_out.items()))) if left_out else ": it holds no sound"
        raise ValueError(f"{folder} holds no pairs of recordings{why}")
    return RecordingPairs(tuple(pairs), left_out)


def _add_pairs(
    part: str, paths: Sequence[Path], folder: Path, pairs: list[RecordingPair], left_out: dict[str, str]
) -> None:
    numbers = [_numbers(paths, form) for form in (NUMBERED, INDEXED)]
    consecutive = len(numbers[0]) >= len(numbers[1])
    found = numbers[0] if consecutive else numbers[1]
    for path in paths:
        if path not in found:
            left_out[_name(path, folder)] = "its name gives no number of a pair (0_….wav, 0+….wav or sample_0_….wav)"
    by_number: dict[int, list[Path]] = {}
    for path, number in sorted(found.items(), key=lambda item: (item[1], item[0].name)):
        by_number.setdefault(number, []).append(path)
    groups = _consecutive(by_number) if consecutive else by_number
    for number, members in groups.items():
        ordered = _ordered(members, consecutive)
        if isinstance(ordered, str):
            left_out.update({_name(path, folder): ordered for path in members})
        else:
            right, wrong = (Recording(_name(path, folder), path, {"pair": number}) for path in ordered)
            pairs.append(RecordingPair(f"{part}/{number}" if part else str(number), right, wrong, part))


def _numbers(paths: Sequence[Path], form: re.Pattern[str]) -> dict[Path, int]:
    matches = ((path, form.match(path.stem)) for path in paths)
    return {path: int(match[1]) for path, match in matches if match}


def _consecutive(by_number: Mapping[int, list[Path]]) -> dict[int, list[Path]]:
    """The files by pair: two numbers each, or one where each number is there twice."""
    if by_number and all(len(members) == 2 for members in by_number.values()):
        return dict(by_number)
    odd = min(by_number, default=0) % 2
    pairs: dict[int, list[Path]] = {}
    for number, members in by_number.items():
        pairs.setdefault((number - odd) // 2, []).extend(members)
    return pairs


def _ordered(members: Sequence[Path], consecutive: bool) -> tuple[Path, Path] | str:
    """The right and the wrong one, or why they are no pair."""
    if len(members) != 2:
        return "the other of its pair is missing" if len(members) == 1 else f"its pair has {len(members)} files"
    named = [next((path for path in members if end.search(path.stem)), None) for end in ENDS]
    if named[0] is not None and named[1] is not None:
        return named[0], named[1]
    if consecutive and len(set(_numbers(members, NUMBERED).values())) == 1:
        return "two files of one number: which one is right is not said (…_correct, …_incorrect)"
    return members[0], members[1]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
