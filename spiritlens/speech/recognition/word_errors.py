"""Word error rate, of all that was said and of a part of it, and which heard words stand for which said ones.

The rate is (substitutions + deletions + insertions) / words said, over the least number of such steps that turn the
said words into the heard ones (Levenshtein's, by ``jiwer``), both in the form `spoken_form` gives. It may exceed 1.

Of a *part*, such as the subject, count the substitutions and deletions of its own words; and those insertions that
stand between two of its words, or beside one of its words that was itself heard as another ("Marseille" heard as
"more say": two errors in one word).
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from spiritlens.arguments import listed
from spiritlens.speech.recognition.spoken_form import spoken_form

StepKind = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True)
class Step:
    """One step from what was said to what was heard; `said` and `heard` count words in their spoken form.

    An insertion stands before the word `said`, and a deletion has no word heard (−1).
    """

    kind: StepKind
    said: int
    heard: int


@dataclass(frozen=True)
class WordErrors:
    """Said beside heard, each a list of words as they were given, which may be said as several words or as none."""

    said: Sequence[str]
    heard: Sequence[str]

    def __post_init__(self) -> None:
        for name in ("said", "heard"):
            object.__setattr__(self, name, listed(name, getattr(self, name), of=str, empty=True))

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The least steps from what was said to what was heard, in order."""
        found = _jiwer().process_words(" ".join(self._said[0]), " ".join(self._heard[0])).alignments[0]
        steps: list[Step] = []
        for chunk in found:
            said = range(chunk.ref_start_idx, chunk.ref_end_idx)
            heard = range(chunk.hyp_start_idx, chunk.hyp_end_idx)
            if chunk.type == "insert":
                steps += [Step("insert", chunk.ref_start_idx, word) for word in heard]
            elif chunk.type == "delete":
                steps += [Step("delete", word, -1) for word in said]
            else:
                steps += [Step(chunk.type, *pair) for pair in zip(said, heard, strict=True)]
        return tuple(steps)

    def rate(self, part: range | None = None) -> float:
        """Errors per word said, of all or of the given words `part`; NaN where nothing of it is a word."""
        words = self._of_part(part)
        if not words:
            return float("nan")
        steps = self.steps if part is None else self._steps_of(words)
        return sum(step.kind != "equal" for step in steps) / len(words)

    def heard_for(self, part: range) -> tuple[int, ...]:
        """The heard words, by their number as given, that stand for the given words `part`; possibly none."""
        found = {step.heard for step in self._steps_of(self._of_part(part))} - {-1}
        return tuple(sorted({given for word in found for given in self._heard[1][word]}))

    @cached_property
    def _said(self) -> "Numbered":
        return _numbered(self.said)

    @cached_property
    def _heard(self) -> "Numbered":
        return _numbered(self.heard)

    def _of_part(self, part: range | None) -> range:
        """The words of a part in their spoken form, which follow each other."""
        numbers = [place for place, given in enumerate(self._said[1]) if part is None or given[0] in part]
        return range(numbers[0], numbers[-1] + 1) if numbers else range(0)

    def _steps_of(self, words: range) -> list[Step]:
        wrong = {step.said for step in self.steps if step.kind == "substitute"}

        def counts(step: Step) -> bool:
            if step.kind != "insert":
                return step.said in words
            between = step.said in words and step.said - 1 in words
            return between or any(word in words and word in wrong for word in (step.said - 1, step.said))

        return [step for step in self.steps if counts(step)] if len(words) else []


Numbered: TypeAlias = tuple[tuple[str, ...], tuple[range, ...]]
"""Words in their spoken form, and the given words that each was written with."""


def _numbered(words: Sequence[str]) -> Numbered:
    form = spoken_form(" ".join(words))
    starts = list(itertools.accumulate((len(word) + 1 for word in words), initial=0))
    places = [(bisect_right(starts, start) - 1, bisect_left(starts, end)) for start, end in form.characters]
    return form.words, tuple(range(first, past) for first, past in places)


def _jiwer() -> Any:
    """The package, or an error that says how to get it."""
    try:
        import jiwer
    except ImportError:
        raise ImportError("word errors are counted by jiwer: pip install 'spiritlens[recognise]', or jiwer") from None
    return jiwer
