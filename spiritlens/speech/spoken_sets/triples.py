"""Folders of triples: a beginning (``X_mutual``), its right end (``X_correct``) and a wrong one (``X_incorrect``).

Each is a sound file and a ``.txt`` of what it says, as slamkit's cross-modal tStoryCloze and sStoryCloze have them
(`slamkit/metric/cross_modal_metric.py`). Spoken beginning and written ends are a fact's prompt, answer and foil:
`prompts.facts.triples` makes facts of them. A triple that lacks its spoken beginning or one of its three texts is left
out with its reason; the ends' sound may be missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from spiritlens.arguments import shown
from spiritlens.speech.recording_rows import AUDIO_ENDINGS
from spiritlens.speech.recordings import Recording
from spiritlens.speech.word_files.sources import words_beside

PARTS = ("mutual", "correct", "incorrect")


@dataclass(frozen=True, eq=False)
class SpokenText:
    """What one of the files says, and its sound (None where there is none)."""

    text: str
    recording: Recording | None


@dataclass(frozen=True, eq=False)
class SpokenTriple:
    """A beginning with its right and its wrong end; ``part`` is the folder within the set, or blank."""

    name: str
    beginning: SpokenText
    right: SpokenText
    wrong: SpokenText
    part: str = ""


@dataclass(frozen=True, eq=False)
class SpokenTriples:
    """The triples of a folder, by name, and those left out, with the reason."""

    triples: tuple[SpokenTriple, ...]
    left_out: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.triples)

    def __iter__(self) -> Iterator[SpokenTriple]:
        return iter(self.triples)


def has_triples(folder: Path) -> bool:
    """Whether a folder holds files of triples, itself or in a folder within it."""
    return any(True for path in folder.rglob("*_mutual.*") if path.suffix.lower() in (".txt", *AUDIO_ENDINGS))


def spoken_triples(folder: str | Path) -> SpokenTriples:
    """The triples of a folder and of the folders within it.

    Returns them by name, with those left out. Raises FileNotFoundError without the folder, ValueError where it holds
    none that is whole, with the first reason.
    """
    if not isinstance(folder, (str, Path)) or not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder if isinstance(folder, Path) else shown(folder)}: no such folder of triples.")
    folder = Path(folder)
    triples: list[SpokenTriple] = []
    left_out: dict[str, str] = {}
    for name, files in sorted(_files(folder).items(), key=lambda item: _natural(item[0])):
        try:
            triples.append(_triple(name, files, folder))
        except ValueError as error:
            left_out[name] = str(error)
    if not triples:
        why = "; the first, " + ": ".join(next(iter(left_out.items()))) if left_out else ""
        raise ValueError(f"{folder} holds no triples X_mutual, X_correct, X_incorrect (.wav and .txt){why}")
    return SpokenTriples(tuple(triples), left_out)


def _files(folder: Path) -> dict[str, dict[str, Path]]:
    """The files by triple, and in it by part and kind: ``mutual sound``, ``correct text`` …"""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.rglob("*")):
        stem, _, part = path.stem.rpartition("_")
        ending = path.suffix.lower()
        if part in PARTS and stem and (ending == ".txt" or ending in AUDIO_ENDINGS):
            name = (path.parent.relative_to(folder) / stem).as_posix()
            found.setdefault(name, {})[f"{part} {'text' if ending == '.txt' else 'sound'}"] = path
    return found


def _triple(name: str, files: Mapping[str, Path], folder: Path) -> SpokenTriple:
    for needed in ("mutual sound", *(f"{part} text" for part in PARTS)):
        if needed not in files:
            raise ValueError(f"its {needed} is missing (…_{needed.split()[0]}{'.txt' if 'text' in needed else '.wav'})")
    texts = {part: _text(files[f"{part} text"]) for part in PARTS}
    if texts["correct"].casefold() == texts["incorrect"].casefold():
        raise ValueError(f"its right and its wrong end are the same: {shown(texts['correct'])}")
    beginning, right, wrong = (
        SpokenText(texts[part], _recording(files.get(f"{part} sound"), folder, texts[part])) for part in PARTS
    )
    return SpokenTriple(name, beginning, right, wrong, name.rpartition("/")[0])


def _text(path: Path) -> str:
    try:
        text = " ".join(path.read_text(encoding="utf-8-sig").split())
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8; save it as UTF-8") from None
    if not text:
        raise ValueError(f"{path.name} is empty")
    return text


def _recording(path: Path | None, folder: Path, text: str) -> Recording | None:
    if path is None:
        return None
    return Recording(path.relative_to(folder).as_posix(), path, {"text": text}, words_beside(path))


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Numbers within names by size: 2 before 10."""
    parts = name.replace("/", "_").split("_")
    return tuple((not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts)
