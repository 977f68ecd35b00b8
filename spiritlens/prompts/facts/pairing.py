"""Facts of one set, sounds of another: paired by id, whatever the order, and whichever rows one of them lacks.

`mistralai/triviaqa_speech`, for example, lacks the sound of some of TriviaQA's questions: the third sound is not the
third question's. An id may have several sounds (voices, phrasings). What has no partner is reported with its reason.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spiritlens.arguments import shown, told_keywords
from spiritlens.prompts.facts.fact import Fact, given_facts
from spiritlens.prompts.facts.left_out import LeftOut, LeftOutRow, Refusal
from spiritlens.prompts.facts.loaded import Facts
from spiritlens.prompts.facts.sound_sets import sounds_of_set
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.speech.word_files.sets import recording_name, words_by_recording


@told_keywords
def with_sounds(
    facts: Iterable[Fact],
    source: Any,
    *,
    columns: Mapping[str, Any] | None = None,
    names: str | None = None,
    words: str | Path | None = None,
    split: str | None = None,
    config: str | None = None,
) -> Facts:
    """The facts with the sounds of a set, paired by id.

    `source` is a folder of sound (with ``metadata.csv`` or without), `Recording` values, or any source of `load_facts`
    whose rows hold sound. The id is the column ``fact_id``, ``id``, ``question_id`` or ``uid``, or the one that
    ``columns={"id": …}`` names; other keys of `columns` are those of a sound: ``audio words starts ends voice phrasing
    spoken``. In a folder without a table it is a part of the file's name, which `names` describes
    (``"{voice}/{id}"``). `words` is a folder of files of words that are named like the sound, or one CTM or table of
    all; a row's own words come first.

    Returns the facts that have sounds, with what was left out (``left_out``). Raises ValueError where no sound belongs
    to a fact (it shows an id of each), for a column that is missing, and for what is no set of sounds.
    """
    given = given_facts(facts)
    timed = {} if words is None else words_by_recording(words)
    left_out: list[LeftOutRow] = []
    by_id: dict[str, list[FactSound]] = {fact.id: [] for fact in given}
    n_sounds, first_id = 0, ""
    for name, sound in sounds_of_set(source, columns, names, split, config):
        n_sounds, first_id = n_sounds + 1, first_id or name
        refusal = _refusal(name, sound, by_id)
        if refusal is not None:
            left_out.append(LeftOutRow(name or sound.called, refusal.reason, refusal.detail))
        else:
            own = sound.words is not None
            by_id[name].append(sound if own else replace(sound, words=timed.get(recording_name(sound.called))))
    if not any(by_id.values()):
        raise ValueError(
            f"none of the {n_sounds} sounds goes with one of the {len(given)} facts: the first sound's id is "
            f"{shown(first_id)}, the first fact's {shown(given[0].id)}; name the ids by columns={{'id': …}} or names="
        )
    paired = [replace(fact, sounds=(*fact.sounds, *by_id[fact.id])) for fact in given]
    left_out += [LeftOutRow(fact.id, "no sound", "no sound has its id") for fact in paired if not fact.sounds]
    layout = getattr(facts, "layout", "")
    return Facts((fact for fact in paired if fact.sounds), _called(facts, source), layout, LeftOut(tuple(left_out)))


def _refusal(name: str, sound: FactSound, by_id: Mapping[str, list[FactSound]]) -> Refusal | None:
    """Why a sound goes with no fact."""
    if not name:
        return Refusal("a sound of no fact", f"{sound.called} has no id")
    if name not in by_id:
        return Refusal("a sound of no fact", f"no fact has the id {name!r}")
    if sound.audio is None:
        return Refusal("no sound", f"{sound.called} has no audio")
    same = [other for other in by_id[name] if (other.voice, other.phrasing) == (sound.voice, sound.phrasing)]
    if same:
        voice = f"in the voice {sound.voice!r}" if sound.voice else "and no voice is named"
        return Refusal("a sound given twice", f"{same[0].called} and {sound.called} are both there {voice}")
    return None


def _called(facts: Any, source: Any) -> str:
    sounds = Path(source).name if isinstance(source, (str, Path)) else "a set of sounds"
    return f"{getattr(facts, 'source', '') or 'facts'} with {sounds}"
