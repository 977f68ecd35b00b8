"""Facts of one set, sounds of another: paired by id, whatever the order, and whichever rows one of them lacks.

`mistralai/triviaqa_speech`, for example, lacks the sound of some of TriviaQA's questions: the third sound is not the
third question's. An id may have several sounds (voices, phrasings). What has no partner is reported with its reason.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from spiritlens.arguments import shown, told_keywords
from spiritlens.prompts.facts.fact import Fact, given_facts
from spiritlens.prompts.facts.sound_rows import KEYS, SoundColumns, sound_columns
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.speech.audio_columns import looked_at
from spiritlens.speech.recording_rows import table_rows, undecoded
from spiritlens.speech.recordings import Recording, recordings_of_folder
from spiritlens.speech.rows_on_disk import is_on_disk, rows_on_disk
from spiritlens.speech.word_files.sets import recording_name, words_by_recording

Unpaired = Literal["fact without sound", "sound without fact", "sound without id", "sound without audio", "sound twice"]
"""Why a fact or a sound is left out."""


@dataclass(frozen=True, eq=False)
class FactsWithSounds:
    """The facts that have a sound, in their order, and what was left out: (id or row, why), in the order found."""

    facts: tuple[Fact, ...]
    left_out: tuple[tuple[str, Unpaired], ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many were left out, by reason."""
        return dict(Counter(why for _, why in self.left_out))

    def __str__(self) -> str:
        """Facts and sounds that go together, and the counts of what is left out."""
        n_sounds = sum(len(fact.sounds) for fact in self.facts)
        counts = "".join(f"\n  {count} × {why}" for why, count in self.counts.items())
        return f"{len(self.facts)} facts with {n_sounds} sounds{counts}"


@told_keywords
def with_sounds(
    facts: Iterable[Fact],
    source: Any,
    *,
    columns: Mapping[str, Any] | None = None,
    words: str | Path | None = None,
) -> FactsWithSounds:
    """The facts with the sounds of a set, paired by id.

    `source` is a folder of sound (with ``metadata.csv`` or without), a data set of `datasets`, a pandas table, a list
    of rows, or `Recording` values. The id is the column ``id``, or the one that ``columns={"id": …}`` names; in a
    folder without a table it is the file's name without ending, and the voice the folder that it lies in. Other keys of
    `columns` are those of `sound_rows` (audio, words, voice …). `words` is a folder of files of words that are named
    like the sound, or one CTM or table of all; a row's own words come first.

    Returns the facts that have sounds, and the report. Raises ValueError where no fact has one (it says what ids there
    are), for a column that is missing, and for what is no set.
    """
    facts = given_facts(facts)
    chosen = _given_columns(columns)
    timed = {} if words is None else words_by_recording(words)
    left_out: list[tuple[str, Unpaired]] = []
    by_id: dict[str, list[FactSound]] = {}
    known = {fact.id for fact in facts}
    n_sounds, first_id = 0, ""
    for name, sound in _sounds(source, chosen):
        n_sounds += 1
        first_id = first_id or name
        before = by_id.get(name, [])
        if not name or name not in known or sound.audio is None:
            why: Unpaired = "sound without fact" if name and name not in known else "sound without audio"
            left_out.append((name or sound.called, why if name else "sound without id"))
        elif any((sound.voice, sound.phrasing) == (other.voice, other.phrasing) for other in before):
            left_out.append((f"{name} ({sound.called})", "sound twice"))
        else:
            if sound.words is None:
                sound = replace(sound, words=timed.get(recording_name(sound.called)))
            by_id.setdefault(name, []).append(sound)
    paired = tuple(replace(fact, sounds=(*fact.sounds, *by_id.get(fact.id, ()))) for fact in facts)
    left_out += [(fact.id, "fact without sound") for fact in paired if not fact.sounds]
    if not by_id:
        raise ValueError(
            f"none of the {n_sounds} sounds belongs to one of the {len(facts)} facts: the first sound's id is "
            f"{shown(first_id)}, the first fact's {shown(facts[0].id)}; name the column of ids: columns={{'id': …}}"
        )
    return FactsWithSounds(tuple(fact for fact in paired if fact.sounds), tuple(left_out))


def _given_columns(columns: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise ValueError(
            f"columns={shown(columns)}: expected a mapping such as {{'audio': 'clip', 'id': 'question_id'}}"
        )
    for key in columns:
        if key not in ("id", *KEYS):
            raise ValueError(f"columns: {shown(key)} is nothing of a sound; expected {', '.join(('id', *KEYS))}")
    return columns


def _sounds(source: Any, chosen: Mapping[str, Any]) -> Iterator[tuple[str, FactSound]]:
    """Each sound of a set with its id (blank where the row has none)."""
    if isinstance(source, (str, Path)):
        folder = Path(source)
        rows = table_rows(folder) if folder.is_dir() else None
        if rows is None:
            yield from _of_recordings(recordings_of_folder(folder))
        else:
            yield from _of_rows(rows, {"file_name": None}, {"audio": "file_name", **chosen}, folder)
        return
    if isinstance(source, (list, tuple)) and source and all(isinstance(one, Recording) for one in source):
        yield from _of_recordings(source)
        return
    yield from _of_rows(source, getattr(source, "features", None), chosen, None)


def _of_recordings(recordings: Iterable[Recording]) -> Iterator[tuple[str, FactSound]]:
    for recording in recordings:
        about = recording.columns
        folder = str(Path(recording.name).parent) if not about else ""
        voice = str(about.get("voice") or (folder if folder != "." else ""))
        phrasing = str(about.get("phrasing") or "")
        yield str(about.get("id") or recording_name(recording.name)), FactSound(voice, phrasing, recording)


def _of_rows(
    source: Any,
    features: Mapping[str, Any] | None,
    chosen: Mapping[str, Any],
    folder: Path | None,
) -> Iterator[tuple[str, FactSound]]:
    first, rows = looked_at(undecoded(source))
    names = list(dict.fromkeys((*(features or {}), *(name for row in first for name in row))))
    columns: SoundColumns | None = sound_columns(first, features, chosen, folder)
    if columns is None:
        raise ValueError(f"no column holds sound; the columns are {', '.join(names) or 'none'}: columns={{'audio': …}}")
    id_column = chosen.get("id", "id")
    if id_column not in names:
        raise ValueError(
            f"there is no column {shown(id_column)} of ids; the columns are {', '.join(names)}: columns={{'id': …}}"
        )
    if is_on_disk(source):
        rows = iter(rows_on_disk(source, columns.audio))
    for number, row in enumerate(rows):
        name = row.get(id_column)
        for sound in columns.sounds(row, f"row {number}"):
            yield "" if name is None else str(name).strip(), sound
