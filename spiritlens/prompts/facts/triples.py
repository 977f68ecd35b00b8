"""A folder of triples as a table: the beginning is the prompt, the right end the answer, the wrong one the foil.

Slamkit's cross-modal sets (`speech.spoken_sets.triples`) thereby give the difference of logits directly: the written
end follows the spoken beginning, or the written one. Such facts have no subject, and their answers are whole sentences.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spiritlens.prompts.facts.left_out import Refusal
from spiritlens.speech.spoken_sets.triples import spoken_triples


def triple_rows(folder: Path) -> Iterator[Mapping[str, Any] | Refusal]:
    """A row for each triple with the columns ``name part mutual correct incorrect sound words``.

    ``part`` is the folder within the set, or the set's own name. A triple that is not whole is a row that cannot be
    read. Raises ValueError where none is whole.
    """
    found = spoken_triples(folder)
    for triple in found:
        beginning = triple.beginning.recording
        yield {
            "name": triple.name,
            "part": triple.part or folder.resolve().name,
            "mutual": triple.beginning.text,
            "correct": triple.right.text,
            "incorrect": triple.wrong.text,
            "sound": beginning.audio if beginning else None,
            "words": beginning.words[0] if beginning and len(beginning.words) == 1 else None,
        }
    for name, why in found.left_out.items():
        yield Refusal("the row cannot be read", f"the triple {name}: {why}")
