"""Facts of a folder of triples: the beginning is the prompt, the right end the answer, the wrong one the foil.

Slamkit's cross-modal sets (`speech.spoken_sets.triples`) thereby give the difference of logits directly: the written
end follows the spoken beginning, or the written one. Such facts have no subject, and their answers are whole sentences.
"""

from pathlib import Path

from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.speech.spoken_sets.triples import SpokenTriple, spoken_triples

PHRASING = "first"


def facts_of_triples(folder: str | Path) -> tuple[tuple[Fact, ...], dict[str, str]]:
    """A fact for each triple of a folder, and why others are left out, by name.

    The relation is the folder within the set, or the set's own name. Returns both. Raises FileNotFoundError without the
    folder, ValueError where no triple is whole.
    """
    found = spoken_triples(folder)
    facts, left_out = [], dict(found.left_out)
    for triple in found:
        try:
            facts.append(_fact(triple, triple.part or Path(folder).resolve().name))
        except ValueError as error:
            left_out[triple.name] = str(error)
    if not facts:
        raise ValueError(f"{folder} gives no facts; the first triple, {': '.join(next(iter(left_out.items())))}")
    return tuple(facts), left_out


def _fact(triple: SpokenTriple, relation: str) -> Fact:
    sound = FactSound("", PHRASING, triple.beginning.recording)
    return Fact(
        triple.name,
        relation,
        subject="",
        answer=triple.right.text,
        foil=triple.wrong.text,
        templates={PHRASING: triple.beginning.text},
        sounds=(sound,),
    )
