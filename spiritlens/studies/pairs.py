"""Pairs of prompts: a fact written and spoken, and whether the model knows it in each.

1. **Pair.** Each fact's prompt is written (T2T) and spoken by a voice (S2T), in one phrasing; facts of a block are
   encoded together, and the next block is spoken meanwhile. The written one ends as the spoken one does, with the
   marker ``[Text]`` where that has one (`Ending`): else maps differ by the token at which the answer is read, which has
   nothing to do with speech.
2. **Ask.** Whether a fact is *known* in a modality is for the lens's rule to say (`spiritlens.prompts.knowing`);
   prompts of one length are asked together.
3. **Leave out.** A fact that cannot be spoken or asked (its subject is not found in the words spoken, its answer has no
   tokens, it is too long for the model) is left out with its reason; the others go on.
4. **Stop.** With ``enough``, asking ends at the fact with which so many are known as the selection needs: in both
   modalities, or in each.

Answers are kept in a file as they come (`spiritlens.studies.kept_answers`); shards of a study share the asking
(`spiritlens.studies.asking_share`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from spiritlens.arguments import check_choice, told_keywords
from spiritlens.effects.shards import WHOLE, Shard
from spiritlens.files.atomic import write_whole
from spiritlens.models.fact_prompts import spoken_prompt, with_cached_units
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.models.speaking_ahead import RememberedVoice, encode_ahead, remembered_voice, say_ahead
from spiritlens.own_errors import OWN_ERRORS, own_reason
from spiritlens.prompts.building.build import FinalMarker
from spiritlens.prompts.facts.fact import Fact, check_phrasing, given_facts
from spiritlens.prompts.facts.shipped import HELD_OUT
from spiritlens.prompts.origin import Origin
from spiritlens.prompts.prompt import Prompt
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.engines.process import EngineError
from spiritlens.studies.asking_share import ask_share
from spiritlens.studies.blocks_ahead import BlocksAhead
from spiritlens.studies.kept_answers import KeptAnswers
from spiritlens.studies.settings import Ending, Selection

__all__ = ["Asked", "LeftOut", "PairedPrompts", "ask", "pair_prompts"]

KINDS = ("T2T", "S2T")
UNASKABLE = (*OWN_ERRORS, EngineError)
"""Errors for which a fact is left out."""
REFUSALS = (ValueError, EngineError)
"""Those of them whose words say why, in a sentence."""
TOGETHER = 32
"""Facts that are spoken, then asked together."""
LONGEST_NAME = 50
"""Characters of a fact's id in the name of its wav: a file's name may have 255 bytes."""


@dataclass(frozen=True, eq=False)
class PairedPrompts:
    """One fact in both modalities, and whether the model knows it in each."""

    fact: Fact
    written: Prompt
    spoken: Prompt
    known: Mapping[str, bool]
    plain: Prompt | None = None
    """The written prompt without the marker that `written` ends with; None where that has none of its own."""

    @property
    def known_in_both(self) -> bool:
        """The answer is the arg-max over text ids in writing and in speech."""
        return all(self.known[kind] for kind in KINDS)

    @property
    def prompts(self) -> tuple[Prompt, Prompt]:
        """The T2T and the S2T prompt."""
        return self.written, self.spoken


@dataclass(frozen=True)
class LeftOut:
    """A fact that could not be spoken or asked, and why."""

    fact: Fact
    reason: str

    def __str__(self) -> str:
        return f"{self.fact.id} ({self.reason})"


@dataclass(frozen=True, eq=False)
class Asked:
    """All facts that there were, those that were asked, in the order of asking, and those left out."""

    facts: tuple[Fact, ...]
    pairs: tuple[PairedPrompts, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def n_known(self) -> int:
        """Facts known in both modalities."""
        return sum(each.known_in_both for each in self.pairs)


@told_keywords
def ask(
    lens: Lens,
    facts: Iterable[Fact],
    *,
    voice: str,
    phrasing: str | None = None,
    enough: int | None = None,
    selection: Selection = "both",
    ending: Ending = "both",
    answers: Path | None = None,
    shard: Shard = WHOLE,
) -> Asked:
    """Build both prompts of each fact and ask the model, in the order given.

    `phrasing` None is that of `asked_phrasing`. What is asked ends as what is traced (`ending`). ``enough`` stops when
    so many are known as `selection` needs; ``answers`` is the file in which answers are kept; a ``shard`` asks its
    share first, and reads what others asked. Returns those asked and those left out, with the reason. Raises ValueError
    where none can be spoken and asked.
    """
    facts = given_facts(facts)
    if phrasing is not None:
        check_phrasing(phrasing, facts)
    check_choice("selection", selection, Selection)
    check_choice("ending", ending, Ending)
    lens, kept = with_cached_units(given_lens(lens)), KeptAnswers(lens, answers, shard)
    asking = _Asking(lens, kept, AskedForm(voice, phrasing, ending, remembered_voice(voice)), enough, selection)
    blocks = [facts[start : start + asking.together] for start in range(0, len(facts), asking.together)]
    if shard != WHOLE:
        asking.ask_share(blocks, shard)
    pairs, left_out = asking.ask_in_order(blocks)
    if not pairs:
        raise ValueError(f"none of the {len(facts)} facts can be spoken and asked; the first: {left_out[0]}")
    return Asked(facts, tuple(pairs), tuple(left_out))


@dataclass(frozen=True, eq=False)
class _Asking:
    """How facts are asked, block by block."""

    lens: Lens
    kept: KeptAnswers
    form: "AskedForm"
    enough: int | None
    selection: Selection

    @property
    def together(self) -> int:
        """How many facts are a block."""
        return TOGETHER if self.enough is None else min(TOGETHER, max(1, self.enough))

    def ask_share(self, blocks: Sequence[Sequence[Fact]], shard: Shard) -> None:
        """Ask what falls to a shard, and where all facts are asked, what nobody has asked yet."""

        def is_asked(block: int) -> bool:
            self.kept.look()
            return all(len(self.kept.facts.get(fact.id, ())) == len(KINDS) for fact in blocks[block])

        def ask(block: int) -> None:
            lens = self._encoded(blocks[block])
            _answered(self.kept, _spoken(lens, blocks[block], self.form)[0])
            bar.update(len(blocks[block]))

        def enough() -> bool:
            self.kept.look()
            return self._reached(_counted(self.kept.facts.values()))

        with tqdm(total=sum(map(len, blocks)), desc=f"speaking and asking, shard {shard}", unit="fact") as bar:
            ask_share(len(blocks), shard, ask=ask, is_asked=is_asked, enough=None if self.enough is None else enough)

    def ask_in_order(self, blocks: Sequence[Sequence[Fact]]) -> tuple[list[PairedPrompts], list[LeftOut]]:
        """What each fact is known to be, in their order, until there are enough, and which are left out."""
        pairs: list[PairedPrompts] = []
        left_out: list[LeftOut] = []
        seen: dict[str, str] = {}
        known: Counter[str] = Counter()
        total = sum(map(len, blocks))
        ahead = BlocksAhead(blocks, self._say, self._encoded)
        with tqdm(total=total, desc="speaking and asking", unit="fact") as bar, ahead:
            for place, block in enumerate(blocks):
                self.kept.look()
                lens = ahead.ready(place, further=not self._may_reach(known, block))
                formed, reasons = _spoken(lens, block, self.form)
                answered, unanswered = _answered(self.kept, formed)
                reasons |= unanswered | _said_before(formed, seen)
                for fact in block:
                    bar.update()
                    if fact.id in reasons:
                        left_out.append(LeftOut(fact, reasons[fact.id]))
                        continue
                    pairs.append(answered[fact.id])
                    known += _counted([pairs[-1].known])
                    if self._reached(known):
                        return pairs, left_out
        return pairs, left_out

    def _say(self, block: Sequence[Fact]) -> None:
        _said(block, self.form)

    def _encoded(self, block: Sequence[Fact]) -> Lens:
        """The lens with the units of a block at hand."""
        return encode_ahead(self.lens, _said(block, self.form))

    def _may_reach(self, known: Mapping[str, int], block: Sequence[Fact]) -> bool:
        """Whether enough facts would be known if all of a block were."""
        return self._reached({what: known[what] + len(block) for what in ("asked", "both", *KINDS)})

    def _reached(self, known: Mapping[str, int]) -> bool:
        """Whether so many facts are known as the selection needs."""
        needed = {"both": ("both",), "each": KINDS, "all": ("asked",)}[self.selection]
        return self.enough is not None and all(known[what] >= self.enough for what in needed)


def _counted(facts: Iterable[Mapping[str, bool]]) -> Counter[str]:
    """How many facts were asked, are known in each modality, and in both."""
    counts: Counter[str] = Counter()
    for known in facts:
        kinds = [kind for kind in KINDS if known.get(kind)]
        counts.update(["asked", *kinds, *(["both"] if len(kinds) == len(KINDS) else [])])
    return counts


@dataclass(frozen=True)
class AskedForm:
    """In which form facts are asked: the voice, the phrasing (None: each fact's own), how written prompts end; and the
    voice itself, where it remembers what it said."""

    voice: str
    phrasing: str | None = None
    ending: Ending = "both"
    speaker: RememberedVoice | None = None


@dataclass(frozen=True, eq=False)
class FormedFact:
    """The prompts of a fact: T2T and S2T, and the plain written one where the T2T prompt has a marker of its own."""

    fact: Fact
    prompts: tuple[Prompt, Prompt]
    plain: Prompt | None = None


def _spoken(lens: Lens, facts: Sequence[Fact], form: AskedForm) -> tuple[list[FormedFact], dict[str, str]]:
    """Facts with their prompts, and why others have none."""
    spoken: list[FormedFact] = []
    reasons: dict[str, str] = {}
    for fact in facts:
        try:
            spoken.append(pair_prompts(lens, fact, form))
        except UNASKABLE as error:
            reasons[fact.id] = own_reason(error, REFUSALS)
    return spoken, reasons


def _said(facts: Sequence[Fact], form: AskedForm) -> list[Waveform]:
    """The sounds of facts that bring none, as far as the voice can say them."""
    if form.speaker is None:
        return []
    texts = []
    for fact in facts:
        if fact.subject and not fact.sounds:
            with suppress(ValueError):
                texts.append(fact.text(asked_phrasing(fact, form.phrasing)))
    return say_ahead(texts, form.speaker)


def _answered(kept: KeptAnswers, spoken: Sequence[FormedFact]) -> tuple[dict[str, PairedPrompts], dict[str, str]]:
    """Facts, by id, with what the model knows of them, asked together; where one cannot be asked, one by one."""
    with suppress(*OWN_ERRORS):
        kept.ask([prompt for each in spoken for prompt in each.prompts])
    pairs: dict[str, PairedPrompts] = {}
    reasons: dict[str, str] = {}
    for each in spoken:
        try:
            known = {kind: kept.known(prompt) for kind, prompt in zip(KINDS, each.prompts, strict=True)}
        except OWN_ERRORS as error:
            reasons[each.fact.id] = own_reason(error, REFUSALS)
        else:
            pairs[each.fact.id] = PairedPrompts(each.fact, *each.prompts, known, each.plain)
    return pairs, reasons


def _said_before(spoken: Sequence[FormedFact], seen: dict[str, str]) -> dict[str, str]:
    """Why facts are left out whose prompts are those of earlier facts; the prompts of the others join `seen`."""
    reasons = {}
    for each in spoken:
        earlier = [seen[prompt.id] for prompt in each.prompts if prompt.id in seen]
        if earlier:
            reasons[each.fact.id] = f"its prompt is that of {earlier[0]}; facts that are traced differ in their words"
        else:
            seen.update((prompt.id, each.fact.id) for prompt in each.prompts)
    return reasons


def asked_phrasing(fact: Fact, phrasing: str | None) -> str:
    """The phrasing in which a fact is asked: the one named, else the one held out of training, else its first."""
    if phrasing is not None:
        return phrasing
    return HELD_OUT if HELD_OUT in fact.templates else next(iter(fact.templates))


def pair_prompts(lens: Lens, fact: Fact, form: AskedForm) -> FormedFact:
    """The prompts of a fact: of its own sound where it brings one, else spoken by the voice.

    Of several sounds it is the first in the phrasing, in the voice named where there is one of that name; what is
    written has the phrasing of what is spoken. Returns them. Raises ValueError for a subject or answer that the words
    or tokens lack, EngineError for a silent voice.
    """
    if not fact.subject:
        raise ValueError("it has no subject, so that nothing of it can be corrupted")
    if fact.sounds:
        own = form.voice if any(sound.voice == form.voice for sound in fact.sounds) else None
        spoken = spoken_prompt(with_cached_units(lens), fact, voice=own, phrasing=form.phrasing)
        plain = _written_twin(lens, fact, spoken.phrasing)
    else:
        named = asked_phrasing(fact, form.phrasing)
        plain = _written_twin(lens, fact, named)
        asked = (fact.text(named), fact.subject, fact.answer, fact.foil)
        spoken = with_cached_units(lens).speak(*asked, voice=form.speaker or form.voice, origin=plain.origin)
    if form.ending == "plain" or not _can_end_alike(lens, spoken):
        return FormedFact(fact, (plain, spoken))
    written = _written_twin(lens, fact, spoken.phrasing, "final")
    return FormedFact(fact, (written, spoken), None if written == plain else plain)


def _can_end_alike(lens: Lens, spoken: Prompt) -> bool:
    """Whether a spoken prompt ends with a text marker that its family can write after a text too."""
    return spoken.ids[-1] == lens.vocabulary.text_marker_id and lens.family.marker_policy != "between"


def _written_twin(lens: Lens, fact: Fact, phrasing: str, marker: FinalMarker = "none") -> Prompt:
    origin = Origin(fact.id, fact.relation, phrasing, group=fact.group, aliases=fact.aliases)
    return lens.text(fact.text(phrasing), fact.subject, fact.answer, fact.foil, marker=marker, origin=origin)


def write_wavs(prompts: Iterable[Prompt], folder: Path) -> dict[str, Path]:
    """One wav file per spoken prompt, named after its fact and its id; the files by prompt id."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for prompt in prompts:
        if prompt.waveform is not None:
            name = re.sub(r"[^\w-]+", "_", f"{prompt.fact_id[:LONGEST_NAME]} {prompt.id}".strip())
            written[prompt.id] = write_whole(folder / f"{name}.wav", prompt.waveform.wav_bytes())
    return written
