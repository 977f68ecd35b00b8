"""Whether a model knows a fact, by the lens's rule (`spiritlens.prompts.knowing`), and in which spelling.

An answer of several tokens is teacher-forced under the rule ``exact``: every token must be the arg-max over text ids
after the ones before it. An answer that is no text (units) is looked for in the whole vocabulary.

SentencePiece knows most words twice, with and without the blank before them (``▁Paris``, ``Paris``). Prompts ask for
the form that follows a blank; `other_spacing` tells what probability the other form has, for a model that was trained
otherwise would look ignorant.

Prompts of about one length are asked together (`spiritlens.runs.last_logits`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spiritlens.arguments import check_choice, told_keywords
from spiritlens.environment import plain_torch
from spiritlens.models.batches import same_lengths
from spiritlens.models.given import given_each, given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import EXACT, Knowing, contains_answer, given_knowing
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.vocabulary.vocabulary import BLANK
from spiritlens.runs.last_logits import last_logits
from spiritlens.runs.likeliest import Over


@dataclass(frozen=True)
class GivenAnswer:
    """What the model says to a prompt (tokens, or the text that it goes on with), and whether that is its answer."""

    answer: str
    known: bool


@dataclass(frozen=True)
class OtherSpacing:
    """The answer's first token without (or with) its leading blank."""

    label: str
    asked_probability: float
    other_probability: float


@told_keywords
@plain_torch
def known_prompts(
    lens: Lens, prompts: Sequence[Prompt], over: Over = "text", knowing: Knowing | None = None
) -> tuple[bool, ...]:
    """For each prompt, whether the model knows its answer: by the lens's rule, or by `knowing`.

    Returns True or False each, in their order. `over` says what the likeliest tokens are sought among; continuations
    are of text always. Raises ValueError for prompts of another vocabulary, and for an answer in units where the rule
    reads texts.
    """
    lens = given_lens(lens)
    chosen = given_each(lens, prompts, "prompts", needs=("answer",))
    check_choice("over", over, Over)
    knowing = lens.knowing if knowing is None else given_knowing(knowing)
    return tuple(given.known for given in given_answers(lens, chosen, knowing, over))


def knows(lens: Lens, prompt: Prompt) -> bool:
    """Whether the model knows the prompt's answer, by the lens's rule: the ``known`` of every result."""
    (given,) = given_answers(lens, (prompt,), lens.knowing)
    return given.known


@plain_torch
def given_answer(lens: Lens, prompt: Prompt, over: Over = "text") -> GivenAnswer:
    """The arg-max continuation, as long as the prompt's answer and teacher-forced by it."""
    (given,) = given_answers(lens, (prompt,), EXACT, over)
    return given


@plain_torch
def given_answers(
    lens: Lens, prompts: Sequence[Prompt], knowing: Knowing, over: Over = "text"
) -> tuple[GivenAnswer, ...]:
    """What the model says to each prompt under a rule, in their order."""
    if knowing.rule == "generated":
        return _generated(lens, prompts, knowing)
    wanted = [prompt.answer_ids if knowing.rule == "exact" else prompt.answer_ids[:1] for prompt in prompts]
    rows = [[*prompt.ids, *answer[:-1]] for prompt, answer in zip(prompts, wanted, strict=True)]
    logits = last_logits(lens.backend, rows, [len(answer) for answer in wanted])
    return tuple(_judged(lens, *each, knowing, over) for each in zip(logits, wanted, strict=True))


def _judged(lens: Lens, logits: Tensor, wanted: tuple[int, ...], knowing: Knowing, over: Over) -> GivenAnswer:
    """What logits [answer d_vocab] say about the wanted tokens, by "exact" or "top k"."""
    text = torch.tensor(lens.vocabulary.text_ids.tolist(), device=logits.device)
    is_text = over == "text" and set(wanted) <= set(text.tolist())
    among = text if is_text else torch.tensor(lens.vocabulary.trained_ids.tolist(), device=logits.device)
    if knowing.rule == "top k":
        best = among[logits[0, among].topk(min(knowing.k, len(among))).indices].tolist()
        known = int((logits[0, among] > logits[0, wanted[0]]).sum()) < knowing.k
    else:
        best = among[logits[:, among].argmax(-1)].tolist()
        known = best == list(wanted)
    return GivenAnswer(" ".join(lens.vocabulary.label(token) for token in best), known)


def _generated(lens: Lens, prompts: Sequence[Prompt], knowing: Knowing) -> tuple[GivenAnswer, ...]:
    """Continuations, and whether each contains an accepted answer; shorter ones where the model's context ends."""
    text = frozenset(lens.vocabulary.text_ids.tolist())
    for prompt in prompts:
        if not text.issuperset(prompt.answer_ids):
            raise ValueError(
                f"prompt {prompt.id} asks for an answer that is no text ('{prompt.answer}'), which the rule '{knowing}'"
                " cannot read; ask by the rule 'exact'"
            )
    tokens = [min(knowing.tokens, max(1, lens.backend.n_ctx - len(prompt.ids))) for prompt in prompts]
    found: dict[int, GivenAnswer] = {}
    for places in same_lengths(tokens, len(prompts)):
        texts = lens.continuations([prompts[place] for place in places], tokens[places[0]])
        for place, said in zip(places, texts, strict=True):
            accepted = (prompts[place].answer, *prompts[place].aliases)
            found[place] = GivenAnswer(said, contains_answer(said, accepted, knowing.normalise))
    return tuple(found[place] for place in range(len(prompts)))


@plain_torch
def other_spacing(lens: Lens, prompt: Prompt) -> OtherSpacing | None:
    """Probabilities of the answer's first token as asked and in the other spacing; None if there is no such token."""
    asked = lens.vocabulary.label(prompt.answer_ids[0])
    label = asked.removeprefix(BLANK) if asked.startswith(BLANK) else BLANK + asked
    other = lens.vocabulary.tokenizer.get_vocab().get(label) if label else None
    if other is None:
        return None
    probabilities = last_logits(lens.backend, [prompt.ids], [1])[0][-1].softmax(-1)
    return OtherSpacing(label, float(probabilities[prompt.answer_ids[0]]), float(probabilities[other]))
