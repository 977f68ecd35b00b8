"""Facts as written prompts of one model: those that its tokens and its context can hold, and why others are none.

What is read from a file is a fact for every model. Whether its answer has tokens, its subject tokens of its own, and
the prompt with its answer a place in the context is this model's affair.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from spiritlens.arguments import check_choice, shown, told_keywords, written
from spiritlens.prompts.building.build import FinalMarker, answers, build_prompt
from spiritlens.prompts.building.question import Question
from spiritlens.prompts.building.segments import TextSegment
from spiritlens.prompts.building.subject import SubjectError, SubjectTokensError
from spiritlens.prompts.facts.fact import Fact, given_facts
from spiritlens.prompts.facts.left_out import LeftOut, LeftOutRow, Refusal
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary


class Reads(Protocol):
    """What of a lens counts here: its vocabulary, and how many tokens its model reads (``backend.n_ctx``)."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def backend(self) -> Any: ...


@dataclass(frozen=True, eq=False)
class WrittenFacts:
    """The facts that became prompts, their T2T prompts in the same order, and those left out, by reason."""

    facts: tuple[Fact, ...]
    prompts: tuple[Prompt, ...]
    left_out: LeftOut

    def __str__(self) -> str:
        """The counts, and a table of reasons where facts were left out."""
        told = f"{len(self.prompts):,} of {len(self.prompts) + len(self.left_out):,} facts are prompts"
        return f"{told}\n{self.left_out}" if self.left_out else told


@told_keywords
def writable(
    lens: Reads | Vocabulary, facts: Iterable[Fact], phrasing: str | None = None, marker: FinalMarker = "none"
) -> WrittenFacts:
    """The written prompt of each fact in one phrasing (None: its first) that the model can be asked.

    ``marker="final"`` ends each with the text marker that a spoken prompt ends with.

    With a vocabulary instead of a lens no prompt is too long. Of facts with a subject the second of two that make the
    same prompt (words, subject and answer) is left out, since a trace takes each prompt once.

    Returns the facts, their prompts and those left out, by reason. Raises ValueError for what is no lens and no facts.
    """
    vocabulary = lens if isinstance(lens, Vocabulary) else getattr(lens, "vocabulary", None)
    if not isinstance(vocabulary, Vocabulary):
        raise ValueError(f"lens={shown(lens, 40)} ({type(lens).__name__}): expected a Lens or its vocabulary")
    room = None if isinstance(lens, Vocabulary) else int(lens.backend.n_ctx)
    check_choice("marker", marker, FinalMarker)
    if phrasing is not None:
        written("phrasing", phrasing)
    kept: dict[str, Fact] = {}
    made: list[Prompt] = []
    asked: list[Fact] = []
    left_out: list[LeftOutRow] = []
    for fact in given_facts(facts):
        prompt = _prompt(vocabulary, fact, phrasing, marker)
        if isinstance(prompt, Prompt) and room is not None:
            prompt = _in_context(prompt, room)
        if isinstance(prompt, Prompt) and prompt.id in kept:
            prompt = Refusal("the prompt of another fact", f"its prompt is that of {kept[prompt.id].id}")
        if isinstance(prompt, Refusal):
            left_out.append(LeftOutRow(fact.id, prompt.reason, prompt.detail))
            continue
        if fact.subject:
            kept[prompt.id] = fact
        made.append(prompt)
        asked.append(fact)
    return WrittenFacts(tuple(asked), tuple(made), LeftOut(tuple(left_out)))


def _prompt(vocabulary: Vocabulary, fact: Fact, phrasing: str | None, marker: FinalMarker) -> Prompt | Refusal:
    """The prompt of a fact, or the first thing that it lacks."""
    name = next(iter(fact.templates)) if phrasing is None else phrasing
    if name not in fact.templates:
        return Refusal("no prompt", f"it has no phrasing {name!r}, only {', '.join(fact.templates)}")
    try:
        answers(vocabulary, Question(answer=fact.answer))
    except ValueError as error:
        return Refusal("the answer cannot be written", str(error))
    question = Question(fact.subject or None, fact.answer, fact.foil)
    try:
        answers(vocabulary, question)
    except ValueError as error:
        return Refusal("the foil cannot be written", str(error))
    origin = Origin(fact.id, fact.relation, name, group=fact.group, aliases=fact.aliases)
    try:
        return build_prompt(vocabulary, [TextSegment(fact.text(name))], question, origin, marker)
    except SubjectTokensError as error:
        return Refusal("the subject has no tokens of its own", str(error))
    except SubjectError as error:
        return Refusal("the subject is not in the prompt", str(error))
    except ValueError as error:
        return Refusal("the prompt cannot be written", str(error))


def _in_context(prompt: Prompt, room: int) -> Prompt | Refusal:
    """The prompt, refused where it is longer than the model reads."""
    read = len(prompt) + max(len(prompt.answer_ids), len(prompt.foil_ids)) - 1  # the last token is scored, not read
    if read > room:
        return Refusal("too long for the model", f"{read} tokens with the answer, and the model reads {room}")
    return prompt
