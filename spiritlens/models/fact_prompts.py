"""Prompts of facts that bring their sound: each sound a spoken prompt (S2T), each fact its written twin (T2T).

1. A fact's sounds are its own recordings, one for each voice and phrasing: each is read, encoded by the lens's speech
   encoder and joined with its words, whose times it brings or which are aligned (`speech.alignment`).
2. The voice stays with the prompt, so that results have it as a coordinate: one fact in three voices is three prompts
   of one fact, with one written twin.
3. What cannot become a prompt is left out with its reason; the others go on.

Units, aligned words and synthesised speech are cached by content: a second run encodes nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from tqdm.auto import tqdm

from spiritlens.arguments import check_choice, listed, shown, told_keywords, written
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.models.speaking_ahead import EncodedBefore
from spiritlens.prompts.building.subject import SubjectError, SubjectTokensError
from spiritlens.prompts.facts.fact import Fact, check_phrasing, given_facts
from spiritlens.prompts.facts.left_out import LeftOut, LeftOutRow, Reason
from spiritlens.prompts.facts.sounds import FactSound
from spiritlens.prompts.facts.writing import writable
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.alignment.forced import AlignmentError
from spiritlens.speech.audio.waveform import AudioError, Waveform
from spiritlens.speech.encoders.cached import CachedEncoder
from spiritlens.speech.words import WordInterval
from spiritlens.terms import DEFAULT_VOICE

Progress: TypeAlias = Literal["bar", "none"]


class SoundError(ValueError):
    """A sound that cannot become a prompt; ``reason`` is one of `left_out.Reason`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class FactPrompts:
    """Spoken prompts, one for each sound; a written one for each fact and phrasing; what was left out, by reason."""

    spoken: tuple[Prompt, ...]
    written: tuple[Prompt, ...]
    left_out: LeftOut

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The written prompts, then the spoken ones."""
        return (*self.written, *self.spoken)

    def __str__(self) -> str:
        """The counts, and a table of reasons where sounds were left out."""
        told = f"{len(self.spoken):,} spoken prompts, {len(self.written):,} written ones"
        return f"{told}\n{self.left_out}" if self.left_out else told


@told_keywords
def spoken_prompts(
    lens: Lens,
    facts: Iterable[Fact],
    *,
    voices: Sequence[str] | None = None,
    phrasings: Sequence[str] | None = None,
    progress: Progress = "bar",
) -> FactPrompts:
    """Every sound of every fact as a spoken prompt, with the written prompt of each fact and phrasing.

    `voices` and `phrasings` choose among the sounds (None: all). A fact without a foil or without a subject becomes a
    prompt without. A prompt whose written twin the model cannot be asked is left out too.

    Returns the prompts in the order of facts and sounds, and what was left out, by reason. Raises ValueError where no
    sound becomes a prompt, with the first reason, and for a lens without a speech encoder.
    """
    check_choice("progress", progress, Progress)
    lens, given = with_cached_units(given_lens(lens)), given_facts(facts)
    chosen = list(_chosen(given, _names("voices", voices), _names("phrasings", phrasings)))
    left_out = [each for each in chosen if isinstance(each, LeftOutRow)]
    sounds = [each for each in chosen if not isinstance(each, LeftOutRow)]
    twins = _twins(lens, sounds, left_out)
    spoken: list[Prompt] = []
    for fact, sound, phrasing in tqdm(sounds, desc="encoding", unit="sound", disable=progress == "none"):
        if (fact.id, phrasing) not in twins:
            continue
        try:
            spoken.append(sounded_prompt(lens, fact, sound))
        except SoundError as error:
            left_out.append(LeftOutRow(_called(fact, sound), error.reason, str(error)))
    if not spoken:
        silent = "" if any(fact.sounds for fact in given) else "; sl.prompts.speak(facts, [VOICE], FOLDER) speaks them"
        raise ValueError(
            f"none of the {len(given)} facts becomes a spoken prompt; the first: {left_out[0].detail}{silent}"
        )
    made = {(prompt.fact_id, prompt.phrasing) for prompt in spoken}
    twins = {key: prompt for key, prompt in twins.items() if key in made}
    return FactPrompts(tuple(spoken), tuple(twins.values()), LeftOut(tuple(left_out)))


def spoken_prompt(lens: Lens, fact: Fact, *, voice: str | None = None, phrasing: str | None = None) -> Prompt:
    """A fact as one spoken prompt: its own sound where it brings sounds, else spoken by a synthetic voice.

    `voice` and `phrasing` name the sound (None: the fact's first), or the synthetic voice (None: the default one).

    Returns the prompt. Raises SoundError, a ValueError, with the reason, and EngineError where a synthetic voice is not
    on this machine.
    """
    lens = given_lens(lens)
    if not isinstance(fact, Fact):
        raise ValueError(f"fact={shown(fact)} ({type(fact).__name__}): expected a Fact, such as load_facts()[0]")
    if fact.sounds:
        return sounded_prompt(lens, fact, own_sound(fact, voice, phrasing))
    asked = (fact.text(phrasing), fact.subject or None, fact.answer, fact.foil or None)
    origin = _origin(fact, phrasing or next(iter(fact.templates)))
    return lens.speak(*asked, voice=voice or DEFAULT_VOICE, origin=origin)


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
    asked = (fact.subject or None, fact.answer, fact.foil or None)
    try:
        prompt = lens.audio(waveform, *asked, words=words, text=text, origin=origin)
    except ValueError as error:
        raise SoundError(_reason(error), _sentence(error)) from error
    read, room = len(prompt) + max(len(prompt.answer_ids), len(prompt.foil_ids)) - 1, lens.backend.n_ctx
    if read > room:
        raise SoundError("too long for the model", f"{read} tokens with the answer, and the model reads {room}")
    return prompt


def own_sound(fact: Fact, voice: str | None = None, phrasing: str | None = None) -> FactSound:
    """The first of a fact's sounds in a voice and a phrasing (None: any).

    The default synthetic voice, where no sound is in it, is any voice: what is asked for without naming a voice is
    asked in the fact's own. Returns the sound. Raises SoundError where it has none, with the voices and phrasings that
    there are.
    """
    fitting = [sound for sound in fact.sounds if phrasing in (None, phrasing_of(fact, sound))]
    named = [sound for sound in fitting if voice in (None, sound.voice)]
    for sound in named or (fitting if voice == DEFAULT_VOICE else []):
        return sound
    raise SoundError("no sound", _lacking(fact))


def phrasing_of(fact: Fact, sound: FactSound) -> str:
    """The phrasing that a sound speaks: its own, or the fact's first. Raises SoundError for one the fact lacks."""
    if not sound.phrasing:
        return next(iter(fact.templates))
    try:
        check_phrasing(sound.phrasing, [fact])
    except ValueError as error:
        raise SoundError("no prompt", str(error)) from error
    return sound.phrasing


def with_cached_units(lens: Lens) -> Lens:
    """The lens with an encoder that looks into the cache first; the same lens where it does already."""
    encoder = lens.required_encoder()
    return (
        lens if isinstance(encoder, (CachedEncoder, EncodedBefore)) else replace(lens, encoder=CachedEncoder(encoder))
    )


def _chosen(
    facts: Sequence[Fact], voices: tuple[str, ...] | None, phrasings: tuple[str, ...] | None
) -> Iterator[tuple[Fact, FactSound, str] | LeftOutRow]:
    """Each wanted sound with its fact and phrasing; what is left out for want of one."""
    for fact in facts:
        found = 0
        for sound in fact.sounds:
            try:
                phrasing = phrasing_of(fact, sound)
            except SoundError as error:
                yield LeftOutRow(_called(fact, sound), error.reason, str(error))
                found += 1
                continue
            if (voices is None or sound.voice in voices) and (phrasings is None or phrasing in phrasings):
                yield fact, sound, phrasing
                found += 1
        if not found:
            yield LeftOutRow(fact.id, "no sound", _lacking(fact))


def _twins(
    lens: Lens, sounds: Sequence[tuple[Fact, FactSound, str]], left_out: list[LeftOutRow]
) -> dict[tuple[str, str], Prompt]:
    """The written prompts by fact and phrasing; facts that cannot be asked are left out, once each."""
    by_phrasing: dict[str, dict[str, Fact]] = {}
    for fact, _, phrasing in sounds:
        by_phrasing.setdefault(phrasing, {})[fact.id] = fact
    twins: dict[tuple[str, str], Prompt] = {}
    for phrasing, facts in by_phrasing.items():
        asked = writable(lens, facts.values(), phrasing)
        twins |= {(fact.id, phrasing): prompt for fact, prompt in zip(asked.facts, asked.prompts, strict=True)}
        left_out += asked.left_out.rows
    return twins


def _names(what: str, names: Sequence[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    return tuple(written(what, name, blank="allowed") for name in listed(what, names, of=str))


def _lacking(fact: Fact) -> str:
    if not fact.sounds:
        return "the fact brings no sound"
    there = dict.fromkeys(f"{sound.voice or 'unnamed'} ({sound.phrasing or 'first'})" for sound in fact.sounds)
    return f"the fact has no sound in this voice or phrasing; it has {', '.join(there)}"


def _called(fact: Fact, sound: FactSound) -> str:
    more = ", ".join(part for part in (sound.voice, sound.phrasing) if part)
    return f"{fact.id} ({more})" if more else fact.id


def _origin(fact: Fact, phrasing: str) -> Origin:
    return Origin(fact.id, fact.relation, phrasing, group=fact.group, aliases=fact.aliases)


def _waveform(sound: FactSound) -> Waveform:
    if sound.audio is None:
        raise SoundError("no sound", f"{sound.called} has no audio")
    try:
        return sound.waveform()
    except (ValueError, OSError) as error:
        raise SoundError("the sound cannot be read", _sentence(error)) from error


def _words(sound: FactSound, waveform: Waveform) -> tuple[WordInterval, ...] | None:
    try:
        return sound.timed_words(waveform.duration)
    except (ValueError, OSError) as error:
        raise SoundError("the words do not fit the sound", _sentence(error)) from error


def _reason(error: ValueError) -> Reason:
    if isinstance(error, SubjectTokensError):
        return "the subject has no tokens of its own"
    if isinstance(error, SubjectError):
        return "the subject is not in the prompt"
    if isinstance(error, AlignmentError):
        return "the words do not fit the sound"
    return "the sound cannot be read" if isinstance(error, AudioError) else "the prompt cannot be written"


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split())
