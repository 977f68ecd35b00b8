"""A second aligner beside the one that a prompt was built with: which units of the subject it would change.

A prompt's subject is the units that one aligner's word times give it. Another source of word times (Whisper's, a forced
aligner of another make) gives other units near the edges. Which of its words stand for the subject is found by word
errors (`spiritlens.speech.recognition.word_errors`), so that it may write them otherwise or mishear one; the subject's
interval runs from the start of the first to the end of the last, and a unit belongs to it by its centre.

*Changed* are the units that one of the two gives to the subject and the other does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from spiritlens.arguments import listed, shown, told_keywords
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spoken_parts import SpokenPart, spoken_part
from spiritlens.speech.recognition.word_errors import WordErrors
from spiritlens.speech.words import WordInterval


@dataclass(frozen=True)
class AlignmentChange:
    """Positions of the subject's units by the prompt's own aligner, and by the second one."""

    own: tuple[int, ...]
    second: tuple[int, ...]

    @property
    def n_changed(self) -> int:
        """Units that one of them gives to the subject and the other does not."""
        return len(set(self.own) ^ set(self.second))

    @property
    def share(self) -> float:
        """The changed units as a share of the subject's own; above 1 where the second lies far from it."""
        return self.n_changed / len(self.own)


@told_keywords
def alignment_change(prompt: Prompt, words: Sequence[WordInterval]) -> AlignmentChange:
    """How the units of a spoken subject would change with the word times of a second aligner.

    `words` are those it found in the prompt's sound, in order, in seconds of that sound; they need not be spelt as the
    prompt's. Returns the positions by either. Raises ValueError for a prompt without sound or spoken subject, and
    where no word stands for the subject, or one stands for a word beside it as well.
    """
    if not isinstance(prompt, Prompt):
        raise ValueError(f"prompt={shown(prompt, 40)} ({type(prompt).__name__}): expected a Prompt")
    words = listed("words", words, of=WordInterval)
    try:
        part = spoken_part(prompt)
        return changed_units(prompt, part, words)
    except ValueError as error:
        raise ValueError(f"prompt {prompt.id} cannot be aligned a second time: {error}") from None


def changed_units(prompt: Prompt, part: SpokenPart, words: Sequence[WordInterval]) -> AlignmentChange:
    """The same for a part at hand."""
    if not part.subject:
        raise ValueError("its subject is not spoken")
    own = tuple(place for place in part.units if place in set(prompt.subject.positions))
    said = tuple(prompt.words[number] for number in part.words)
    errors, subject = WordErrors(said, tuple(word.word for word in words)), within(part)
    found = errors.heard_for(subject)
    if not found:
        raise ValueError(f"none of the second aligner's words stands for the subject '{prompt.subject.name}'")
    around = {*errors.heard_for(range(subject.start)), *errors.heard_for(range(subject.stop, len(said)))}
    if shared := sorted(around & set(found)):
        raise ValueError(
            f"the second aligner's word '{words[shared[0]].word}' stands for the subject '{prompt.subject.name}' and a "
            "word beside it"
        )
    start = min(words[number].start for number in found)
    end = max(words[number].end for number in found)
    centres = {place: (prompt.starts[place] + prompt.ends[place]) / 2 for place in part.units}
    return AlignmentChange(own, tuple(place for place, centre in centres.items() if start <= centre < end))


def within(part: SpokenPart) -> range:
    """The subject's words, counted from the first word of the part."""
    return range(part.subject.start - part.words.start, part.subject.stop - part.words.start)
