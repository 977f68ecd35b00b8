"""Prompts of facts that bring their sound: each sound a spoken prompt (S2T), each fact its written twin (T2T).

1. A fact's sounds are its own recordings, one for each voice and phrasing: each is read, encoded by the lens's speech
   encoder and joined with its words, whose times it brings or which are aligned (`speech.alignment`).
2. The voice stays with the prompt, so that results have it as a coordinate: one fact in three voices is three prompts
   of one fact.
3. What cannot become a prompt is left out with its reason; the others go on.

Units, aligned words and synthesised speech are cached by content: a second run encodes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tqdm.auto import tqdm

from spiritlens.arguments import check_choice, listed, told_keywords, written
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.building.subject import SubjectError
from spiritlens.prompts.facts.fact import Fact, check_phrasing, given_facts
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.audio.waveform import AudioError, Waveform
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.words import WordInterval

Reason = Literal[
    "no sound in this voice or phrasing",
    "audio missing",
    "audio broken",
    "words do not fit the audio",
    "subject not found in the words",
    "too long for the model",
    "no prompt",
]
"""Why a sound is left out. ``no prompt``: what else the model's vocabulary or family refuses, told in full."""

REASONS_SHOWN = 3


class SoundError(ValueError):
    """A sound that cannot become a prompt; ``reason`` is one of `Reason`."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True)
class LeftOutSound:
    """A fact's sound that did not become a prompt: its reason, and the whole sentence."""

    fact_id: str
    voice: str
    phrasing: str
    reason: Reason
    why: str

    def __str__(self) -> str:
        named = ", ".join(part for part in (self.fact_id, self.voice, self.phrasing) if part)
        return f"{named}: {self.why}"


@dataclass(frozen=True, eq=False)
class FactPrompts:
    """Spoken prompts, one for each sound; a written one for each fact and phrasing among them; what was left out."""

    spoken: tuple[Prompt, ...]
    written: tuple[Prompt, ...]
    left_out: tuple[LeftOutSound, ...]

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The written prompts, then the spoken ones."""
        return (*self.written, *self.spoken)

    @property
    def counts(self) -> dict[str, int]:
        """How many sounds were left out, by reason."""
        return dict(Counter(each.reason for each in self.left_out))

    def __str__(self) -> str:
        """Counts of prompts and of what was left out, with the first of each reason."""
        lines = [f"{len(self.spoken)} spoken prompts and {len(self.written)} written ones"]
        for reason, count in self.counts.items():
            of_reason = [str(each) for each in self.left_out if each.reason == reason]
            more = "; …" if count > REASONS_SHOWN else ""
            lines.append(f"  {count} × {reason}: {'; '.join(of_reason[:REASONS_SHOWN])}{more}")
        return "\n".join(lines)


@told_keywords
def spoken_prompts(
    lens: Lens,
    facts: Iterable[Fact],
    *,
    voices: Sequence[str] | None = None,
    phrasings: Sequence[str] | None = None,
    progress: Literal["bar", "none"] = "bar",
) -> FactPrompts:
    """Every sound of every fact as a spoken prompt, with the written prompt of each fact and phrasing.

    `voices` and `phrasings` choose among the sounds (None: all). A fact without a foil or without a subject becomes a
    prompt without.

    Returns the prompts in the order of facts and sounds, and what was left out. Raises ValueError where no sound
    becomes a prompt, with the first reason, and for a lens without a speech encoder.
    """
    check_choice("progress", progress, Literal["bar", "none"])
    lens, facts = with_cached_units(given_lens(lens)), given_facts(facts)
    wanted = (_names("voices", voices), _names("phrasings", phrasings))
    spoken: list[Prompt] = []
    twins: dict[tuple[str, str], Prompt] = {}
    left_out: list[LeftOutSound] = []
    for fact in tqdm(facts, desc="encoding", unit="fact", disable=progress == "none"):
        sounds = [sound for sound in fact.sounds if _is_wanted(fact, sound, *wanted)]
        if not sounds:
            left_out.append(LeftOutSound(fact.id, "", "", "no sound in this voice or phrasing", _lacking(fact)))
        for sound in sounds:
            phrasing = phrasing_of(fact, sound)
            try:
                prompt = sounded_prompt(lens, fact, sound)
                if (fact.id, phrasing) not in twins:
                    twins[fact.id, phrasing] = written_prompt(lens, fact, phrasing)
            except SoundError as error:
                left_out.append(LeftOutSound(fact.id, sound.voice, phrasing, error.reason, str(error)))
            else:
                spoken.append(prompt)
    if not spoken:
        raise ValueError(f"none of the {len(facts)} facts becomes a spoken prompt; the first: {left_out[0]}")
    return FactPrompts(tuple(spoken), tuple(twins.values()), tuple(left_out))


def sounded_prompt(lens: Lens, fact: Fact, sound: FactSound) -> Prompt:
    """One sound of a fact as a spoken prompt.

    Returns it, with the sound's voice and phrasing and the fact's relation and group. Raises SoundError, a ValueError,
    with the reason.
    """
    phrasing = phrasing_of(fact, sound)
    waveform = _waveform(sound)
    words = _words(sound, waveform)
    text = sound.text or fact.text(phrasing)
    origin = replace(_origin(fact, phrasing), voice=sound.voice, audio=sound.called)
    given = {"words": words} if words is not None else {"text": text}
    try:
        prompt = lens.audio(waveform, fact.subject or None, fact.answer, fact.foil or None, origin=origin, **given)
    except (ValueError, ImportError) as error:
        raise SoundError(_reason(error), _sentence(error)) from error
    return _short_enough(lens, prompt)


def written_prompt(lens: Lens, fact: Fact, phrasing: str) -> Prompt:
    """A fact's prompt in writing. Raises SoundError with the reason."""
    try:
        prompt = lens.text(
            fact.text(phrasing), fact.subject or None, fact.answer, fact.foil or None, origin=_origin(fact, phrasing)
        )
    except ValueError as error:
        raise SoundError(_reason(error), _sentence(error)) from error
    return _short_enough(lens, prompt)


def own_sound(fact: Fact, voice: str | None = None, phrasing: str | None = None) -> FactSound:
    """The first of a fact's sounds in a voice and a phrasing (None: any).

    Returns it. Raises SoundError where it has none, with the voices and phrasings that there are.
    """
    for sound in fact.sounds:
        if voice in (None, sound.voice) and phrasing in (None, phrasing_of(fact, sound)):
            return sound
    raise SoundError("no sound in this voice or phrasing", _lacking(fact))


def phrasing_of(fact: Fact, sound: FactSound) -> str:
    """The phrasing that a sound speaks: its own, or the fact's first. Raises SoundError for one the fact lacks."""
    if not sound.phrasing:
        return next(iter(fact.templates))
    try:
        check_phrasing(sound.phrasing, [fact])
    except ValueError as error:
        raise SoundError("no sound in this voice or phrasing", str(error)) from error
    return sound.phrasing


def with_cached_units(lens: Lens) -> Lens:
    """The lens with an encoder that looks into the cache first; the same lens where it does already."""
    encoder = lens.required_encoder()
    return lens if isinstance(encoder, CachedEncoder) else replace(lens, encoder=CachedEncoder(encoder))


def _names(what: str, names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(written(what, name) for name in listed(what, names, of=str))


def _is_wanted(fact: Fact, sound: FactSound, voices: tuple[str, ...] | None, phrasings: tuple[str, ...] | None) -> bool:
    phrasing = sound.phrasing or next(iter(fact.templates))
    return (voices is None or sound.voice in voices) and (phrasings is None or phrasing in phrasings)


def _lacking(fact: Fact) -> str:
    if not fact.sounds:
        return "the fact brings no sound"
    there = dict.fromkeys(f"{sound.voice or 'unnamed'} ({sound.phrasing or 'first'})" for sound in fact.sounds)
    return f"the fact has no sound in this voice or phrasing; it has {', '.join(there)}"


def _origin(fact: Fact, phrasing: str) -> Origin:
    return Origin(fact.id, fact.relation, phrasing, group=fact.group, aliases=fact.aliases)


def _waveform(sound: FactSound) -> Waveform:
    if sound.audio is None:
        raise SoundError("audio missing", f"{sound.called} has no audio")
    try:
        return sound.waveform()
    except FileNotFoundError as error:
        raise SoundError("audio missing", _sentence(error)) from error
    except (ValueError, OSError) as error:
        raise SoundError("audio broken", _sentence(error)) from error


def _words(sound: FactSound, waveform: Waveform) -> tuple[WordInterval, ...] | None:
    try:
        return sound.timed_words(waveform.duration)
    except (ValueError, OSError) as error:
        raise SoundError("words do not fit the audio", _sentence(error)) from error


def _reason(error: Exception) -> Reason:
    from spiritlens.speech.alignment.forced import AlignmentError

    if isinstance(error, SubjectError):
        return "subject not found in the words"
    if isinstance(error, AlignmentError):
        return "words do not fit the audio"
    return "audio broken" if isinstance(error, AudioError) else "no prompt"


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split())


def _short_enough(lens: Lens, prompt: Prompt) -> Prompt:
    needed, room = len(prompt.ids) + len(prompt.answer_ids) - 1, lens.backend.n_ctx
    if needed > room:
        raise SoundError("too long for the model", f"prompt and answer need {needed} tokens, the model reads {room}")
    return prompt
