"""Speaking facts that bring no sound: one wav per fact, phrasing and voice, and a table of them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spiritlens.arguments import listed
from spiritlens.prompts.facts.fact import Fact


@dataclass(frozen=True)
class SpokenFacts:
    """What `speak` made: its table, the ids spoken (fact and phrasing), and why others were left out, by their id."""

    table: Path
    spoken: tuple[str, ...]
    left_out: Mapping[str, str]

    def __str__(self) -> str:
        """The counts, and the reason of each that was left out."""
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in self.left_out.items())
        return f"{len(self.spoken)} texts spoken, {len(self.left_out)} left out{reasons}"


def speak(
    facts: Sequence[Fact],
    voices: Sequence[str],
    out: str | Path,
    phrasings: Sequence[str] = ("first",),
    progress: Literal["bar", "none"] = "bar",
) -> SpokenFacts:
    """Speak the facts' prompts in each voice and phrasing into the folder `out`.

    One wav and one file of word times per utterance; the table (``metadata.csv``) has the columns ``file_name voice
    engine words id fact_id text subject answer foil relation group phrasing`` and is read back by `datasets` (see
    `speech.recordings`). A text that one of the voices cannot say is left out in all of them, with the reason. Returns
    what was spoken and what was left out. Raises ValueError where no text can be spoken, EngineError where a voice is
    not on this machine.
    """
    from spiritlens.speech.recordings import speak_texts
    from spiritlens.speech.voices.cached import CachedVoice
    from spiritlens.speech.voices.names import voice, why_unspeakable

    facts, names = listed("facts", facts, of=Fact), listed("voices", voices, of=str)
    phrasings = listed("phrasings", phrasings, of=str)
    rows = [_spoken_row(fact, phrasing) for phrasing in phrasings for fact in facts]
    speakers = {name: CachedVoice(voice(name)) for name in names}
    left_out: dict[str, str] = {}
    for row, (name, speaker) in itertools.product(rows, speakers.items()):
        if row["id"] not in left_out and (why := why_unspeakable(row["text"], speaker)):
            left_out[row["id"]] = f"{name}: {why}"
    spoken = [row for row in rows if row["id"] not in left_out]
    if not spoken:
        first, reason = next(iter(left_out.items()))
        raise ValueError(f"none of the {len(rows)} texts can be spoken; the first, {first}: {reason}")
    table = speak_texts(spoken, out, names, progress)
    return SpokenFacts(table, tuple(row["id"] for row in spoken), left_out)


def _spoken_row(fact: Fact, phrasing: str) -> dict[str, str]:
    return {
        "id": f"{fact.id}_{phrasing}".replace(" ", "-"),
        "fact_id": fact.id,
        "text": fact.text(phrasing),
        "subject": fact.subject,
        "answer": fact.answer,
        "foil": fact.foil,
        "relation": fact.relation,
        "group": fact.group,
        "phrasing": phrasing,
    }
