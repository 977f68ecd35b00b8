"""Is it heard right? A recogniser listens to spoken prompts, and what it mishears becomes columns of every result.

1. **Listen.** The sound that a prompt keeps goes to the recogniser, each sound once; answers are cached where the
   recogniser says by its ``digest`` what it is.
2. **Compare.** ``word_error`` is the word error rate of what was heard against the words said, ``subject_word_error``
   that of the subject's words alone (`spiritlens.speech.recognition.word_errors`; the rule by which words are the same:
   `spiritlens.speech.recognition.spoken_form`). Both may exceed 1.
3. **Align.** Where the recogniser gives word times, it is a second aligner: ``subject_units_changed`` counts the units
   that it would give to the subject and ours does not, or the reverse; ``subject_share_changed`` is their share of the
   subject's units (`spiritlens.prompts.second_alignment`).

NaN is not measured: written prompts; prompts without sound (a warning says how many and why); the subject's columns
where the subject is not spoken. A recogniser errs where people hear right, so its error bounds what can be heard from
above.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from tqdm.auto import tqdm

from spiritlens.arguments import check_choice, listed, told_keywords
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.second_alignment import changed_units, within
from spiritlens.prompts.spoken_parts import SpokenPart, spoken_part, spoken_segments
from spiritlens.speech.recognition.cached import CachedRecogniser
from spiritlens.speech.recognition.heard import (
    Heard,
    Recogniser,
    given_recogniser,
    heard_by,
    recogniser_digest,
    recogniser_name,
)
from spiritlens.speech.recognition.whisper import Whisper
from spiritlens.speech.recognition.word_errors import WordErrors
from spiritlens.speech.words import WordInterval
from spiritlens.warn import warn

Progress = Literal["bar", "none"]


@told_keywords
def recognise(
    prompts: Iterable[Prompt], recogniser: Recogniser | None = None, *, progress: Progress = "bar"
) -> tuple[Prompt, ...]:
    """Let a recogniser listen to the spoken prompts: the same prompts, in order, with what it heard and its errors.

    `recogniser` is any callable from a `Waveform` to a text, or to `spiritlens.speech.Heard` with word times; None:
    Whisper tiny.en, which needs the extra ``recognise``. Returns prompts whose ``recogniser``, ``heard``,
    ``word_error``, ``subject_word_error`` (errors per word said), ``subject_units_changed`` (units) and
    ``subject_share_changed`` are set; their ids stay. Raises ValueError for what is no prompt or no recogniser,
    ImportError without jiwer or, for Whisper, the extra.
    """
    given = listed("prompts", prompts, of=Prompt)
    check_choice("progress", progress, Progress)
    asked = given_recogniser(Whisper() if recogniser is None else recogniser)
    if recogniser_digest(asked) and not isinstance(asked, CachedRecogniser):
        asked = CachedRecogniser(asked)
    answers: dict[str, Heard] = {}
    found, reasons = [], []
    for prompt in tqdm(given, desc="recognising", unit="prompt", disable=progress == "none"):
        if not spoken_segments(prompt):
            found.append(_unmeasured(prompt))
            continue
        try:
            part = spoken_part(prompt)
        except ValueError as error:
            found.append(_unmeasured(prompt))
            reasons.append(f"{prompt.id}: {error}")
            continue
        sound = part.waveform.digest
        if sound not in answers:
            answers[sound] = heard_by(asked, part.waveform)
        found.append(_measured(prompt, part, answers[sound], recogniser_name(asked)))
    if reasons:
        warn(
            f"{len(reasons)} of {len(given)} prompts cannot be listened to, and have NaN for their word error "
            f"({'; '.join(reasons[:3])}{'; …' * (len(reasons) > 3)})"
        )
    return tuple(found)


def _unmeasured(prompt: Prompt) -> Prompt:
    """The prompt without what an earlier recogniser left."""
    return replace(
        prompt,
        recogniser="",
        heard="",
        word_error=math.nan,
        subject_word_error=math.nan,
        subject_units_changed=math.nan,
        subject_share_changed=math.nan,
    )


def _measured(prompt: Prompt, part: SpokenPart, heard: Heard, name: str) -> Prompt:
    said = tuple(prompt.words[number] for number in part.words)
    errors = WordErrors(said, (heard.text,))
    changed, share = math.nan, math.nan
    if heard.words and part.subject:
        moved = [WordInterval(word.word, word.start + part.offset, word.end + part.offset) for word in heard.words]
        try:
            change = changed_units(prompt, part, moved)
            changed, share = float(change.n_changed), change.share
        except ValueError:  # no word stands for the subject alone: there is no second span
            pass
    return replace(
        prompt,
        recogniser=name,
        heard=heard.text,
        word_error=errors.rate(),
        subject_word_error=errors.rate(within(part)) if part.subject else math.nan,
        subject_units_changed=changed,
        subject_share_changed=share,
    )
