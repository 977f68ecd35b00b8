"""The words of a whole set of recordings: a folder with a file a recording, or one file that names its recordings.

Montreal Forced Aligner writes a folder of TextGrids named like the audio; Kaldi, NeMo and NIST's tools write one CTM,
whose first column names the recording, as a table's column ``recording`` or ``file`` does. Words are known here by the
recording's name without folder and ending: ``12`` for ``audio/12.wav``.
"""

from pathlib import Path, PurePosixPath

from spiritlens.arguments import shown
from spiritlens.speech.word_files import FORMATS, labels_of_file
from spiritlens.speech.word_files.sources import WordsSource


def words_by_recording(source: str | Path) -> dict[str, WordsSource]:
    """Each recording's words, by its name without folder and ending; nothing is read of a folder's files yet.

    Returns sources for `read_words`. Raises FileNotFoundError where there is neither file nor folder, ValueError for a
    file that names no recordings, and a folder without files of words or with two of one name.
    """
    if not isinstance(source, (str, Path)):
        raise ValueError(f"words={shown(source)}: expected a folder of files of words, or a file of all recordings")
    path = Path(source)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file or folder of words.")
    found: dict[str, list[tuple[str, float | None, float | None]]] = {}
    for label in labels_of_file(path).labels:
        if not label.recording:
            raise ValueError(f"{path}: {label.place} names no recording; give a CTM, or a column recording.")
        found.setdefault(recording_name(label.recording), []).append((label.text, label.start, label.end))
    return dict(found)


def recording_name(name: str) -> str:
    """A recording's name without folder and ending: what files of one recording share."""
    return PurePosixPath(name.replace("\\", "/")).stem


def _of_folder(folder: Path) -> dict[str, WordsSource]:
    endings = {ending for one in FORMATS for ending in one.endings}
    found: dict[str, WordsSource] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in endings or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise ValueError(f"{folder} has two files of the words of {path.stem!r}; keep one: {path.name}")
        found[path.stem] = path
    if not found:
        raise ValueError(f"{folder} holds no files of words ({', '.join(sorted(endings))}).")
    return found
