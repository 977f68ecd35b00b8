"""Kinds of recall: is a right answer recalled, a heuristic's, or a guess?

A model may answer rightly without recalling the fact, and maps of such facts look otherwise: averaged together, they
blur. Each fact is asked in writing, in all its phrasings, without its subject, and about made-up subjects; what comes
out is a tag:

==========  ==========================================================================================================
tag         rule (`RecallRule` names the thresholds)
==========  ==========================================================================================================
unknown     the answer is not the likeliest text token in the phrasing asked
guess       right, and not confident: the phrasings do not agree, or the answer's probability is low
heuristic   right and confident, and the subject's fact is not needed: the answer comes without the subject (prompt
            bias), stands in the subject (overlap), or comes for made-up names that share a part (name bias)
exact       right, confident, and none of these
==========  ==========================================================================================================

From PrISM: the three kinds, confidence as agreement over paraphrases, guesses as right answers that do not agree,
prompt bias as an answer that the template gives without its subject (after Cao et al. 2021), and overlap (after Poerner
et al. 2020). Ours: the floor under the probability, and name bias by made-up subjects, which keep the first or the last
word of the subject and take the others from facts of the same relation with another answer (PrISM asks the model by
templates what people of such a name are). PrISM's rule that exact recall is of often read pages is left out, since it
needs counts of page views, and so is its fourth kind, which is of no facts. One phrasing cannot disagree: then the
probability alone tells confidence. A tag is the fact's, by this model, in writing; a prompt in speech gets its fact's.

Source: Saynova et al. 2025, Fact Recall, Heuristics or Pure Guesswork? (PrISM, arXiv 2410.14405), section 3.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.arguments import check_choice, number, shown, told_keywords, whole
from spiritlens.effects.schema import RECALL
from spiritlens.effects.statistics import fact_names
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact, given_facts, same_text
from spiritlens.prompts.facts.left_out import LeftOut
from spiritlens.prompts.facts.without_subject import Instead, without_subject
from spiritlens.prompts.facts.writing import writable
from spiritlens.prompts.knowing import EXACT
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.answers import given_answer, given_answers
from spiritlens.runs.scoring import prompt_scorers
from spiritlens.runs.sweep.recorded import record
from spiritlens.terms import Progress
from spiritlens.text_tables import text_table

RecallKind = Literal["exact", "heuristic", "guess", "unknown"]
KINDS: tuple[RecallKind, ...] = get_args(RecallKind)
INSTEAD: tuple[Instead, ...] = get_args(Instead)


@dataclass(frozen=True)
class RecallRule:
    """Thresholds of the kinds, and how made-up subjects are drawn."""

    consistency: float = 1.0
    """Least share of the phrasings that get the answer of the phrasing asked."""
    probability: float = 0.1
    """Least probability of the answer among text tokens."""
    name_share: float = 0.5
    """Least share of made-up subjects with one part of the name that get the answer, for a name bias."""
    stand_ins: int = 4
    """Most made-up subjects for each part of the name."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("consistency", "probability"):
            object.__setattr__(self, name, number(name, getattr(self, name), at_least=0, at_most=1))
        object.__setattr__(self, "name_share", number("name_share", self.name_share, above=0, at_most=1))
        object.__setattr__(self, "stand_ins", whole("stand_ins", self.stand_ins, at_least=0))
        object.__setattr__(self, "seed", whole("seed", self.seed, at_least=0))


@dataclass(frozen=True)
class Measured:
    """What a model does with a fact: whether it is right, the answer's probability, the shares of phrasings and of
    made-up subjects (NaN: none to ask), whether the answer comes without the subject or stands in it."""

    right: bool
    probability: float
    consistency: float
    name_share: float
    without_subject: bool
    overlap: bool

    def kind(self, rule: RecallRule) -> RecallKind:
        """The tag by a rule."""
        if not self.right:
            return "unknown"
        if self.probability < rule.probability or self.consistency < rule.consistency:
            return "guess"
        biased = self.without_subject or self.overlap or self.name_share >= rule.name_share
        return "heuristic" if biased else "exact"


@dataclass(frozen=True)
class FactRecall:
    """A fact with what was measured, and its tag."""

    fact: Fact
    measured: Measured
    kind: RecallKind


@dataclass(frozen=True, eq=False)
class RecallKinds:
    """The facts with their tags, in their order, the rule, and facts that could not be asked; prints its counts."""

    rows: tuple[FactRecall, ...]
    rule: RecallRule
    left_out: LeftOut

    @property
    def kinds(self) -> dict[str, RecallKind]:
        """The tag of each fact, by its id."""
        return {row.fact.id: row.kind for row in self.rows}

    def of_kind(self, kind: RecallKind) -> tuple[Fact, ...]:
        """The facts of one kind. Raises ValueError for another word."""
        check_choice("kind", kind, RecallKind)
        return tuple(row.fact for row in self.rows if row.kind == kind)

    def tagged(self, result: xr.Dataset) -> xr.Dataset:
        """A result with the coordinate ``recall [prompt]``, the tag of each prompt's fact, "" where it has none.

        ``sl.effects.average(tagged, by=("modality", "recall"))`` is a map of each kind. Raises ValueError for a result
        whose prompts are of none of these facts.
        """
        if not isinstance(result, xr.Dataset) or "fact_id" not in result.coords or "prompt" not in result.dims:
            raise ValueError(
                f"result={shown(result, 40)} ({type(result).__name__}): expected a dataset whose prompts have a fact_id"
            )
        tags = [self.kinds.get(str(name), "") for name in fact_names(result)]
        if not any(tags):
            raise ValueError(
                f"none of the {len(tags)} prompts is of one of these {len(self.rows)} facts: trace prompts that were "
                "made of them"
            )
        return result.assign_coords({RECALL: ("prompt", np.asarray(tags, dtype=np.str_))})

    def __str__(self) -> str:
        rows = [("kind", "facts")]
        rows += [(kind, str(sum(row.kind == kind for row in self.rows))) for kind in KINDS]
        return text_table(rows, right=(1,)) + (f"\n{self.left_out}" if self.left_out else "")


@told_keywords
@plain_torch
def recall_kinds(
    lens: Lens,
    facts: Iterable[Fact],
    rule: RecallRule = RecallRule(),
    *,
    phrasing: str | None = None,
    progress: Progress = "bar",
) -> RecallKinds:
    """Tag facts by the kind of their recall: exact, heuristic, guess or unknown.

    `phrasing` is the one that is asked (None: each fact's first); the others tell whether the answer is consistent.
    Returns the tags with what was measured, and facts that cannot be asked, by reason. Raises ValueError for what is no
    lens, fact or rule, and where no fact can be asked.
    """
    lens, given = given_lens(lens), given_facts(facts)
    check_choice("progress", progress, Progress)
    if not isinstance(rule, RecallRule):
        raise ValueError(f"rule={shown(rule)} ({type(rule).__name__}): expected a RecallRule")
    asked = writable(lens, given, phrasing)
    if not asked.facts:
        raise ValueError(f"none of the {len(given)} facts can be asked; the first: {asked.left_out.rows[0].detail}")
    rows = []
    pairs = zip(asked.facts, asked.prompts, strict=True)
    for fact, prompt in tqdm(pairs, "asking", len(asked.facts), unit="fact", disable=progress == "none"):
        measured = _measured(lens, fact, prompt, stand_ins(fact, given, rule), phrasing)
        rows.append(FactRecall(fact, measured, measured.kind(rule)))
    return RecallKinds(tuple(rows), rule, asked.left_out)


def stand_ins(fact: Fact, facts: Sequence[Fact], rule: RecallRule) -> tuple[tuple[str, ...], ...]:
    """Made-up subjects that keep the first word of the subject, and those that keep its last; none of a single word.

    Their other words are those of subjects of the same relation with another answer; names of given subjects are left
    out. Which ones are drawn follows from the seed and the fact's id.
    """
    own, taken = fact.subject.split(), {same_text(other.subject) for other in facts}
    mine = {same_text(answer) for answer in fact.accepted}
    others = [
        other.subject.split()
        for other in facts
        if other.relation == fact.relation and not mine & {same_text(answer) for answer in other.accepted}
    ]
    if len(own) < 2:
        return ()
    first = {" ".join([own[0], *words[1:]]) for words in others if len(words) > 1}
    last = {" ".join([*words[:-1], own[-1]]) for words in others if len(words) > 1}

    def order(name: str) -> bytes:
        return hashlib.sha256(f"{rule.seed}|{fact.id}|stand-in|{name}".encode()).digest()

    parts = [sorted((name for name in names if same_text(name) not in taken), key=order) for names in (first, last)]
    return tuple(tuple(names[: rule.stand_ins]) for names in parts if names[: rule.stand_ins])


def _measured(lens: Lens, fact: Fact, prompt: Prompt, names: Sequence[Sequence[str]], phrasing: str | None) -> Measured:
    """What the model does with a fact; what a wrong answer is a guess of is not asked."""
    answer = given_answer(lens, prompt)
    overlap = any(f" {same_text(word)} " in f" {same_text(fact.subject)} " for word in fact.accepted)
    if not answer.known:
        return Measured(False, _probability(lens, prompt), math.nan, math.nan, False, overlap)
    asked = next(iter(fact.templates)) if phrasing is None else phrasing
    others = [(fact, name) for name in fact.templates if name != asked]
    bare = [one for instead in INSTEAD for one in without_subject([fact], instead) if asked in one.templates]
    parts = [[(replace(fact, subject=name, foil="", sounds=()), asked) for name in some] for some in names]
    groups = [others, [(one, asked) for one in bare if fact.subject], *parts]
    said, given, *shares = _agreeing(lens, groups, answer.answer)
    return Measured(
        True,
        _probability(lens, prompt),
        (1 + sum(said)) / (1 + len(said)) if said else math.nan,
        max((sum(share) / len(share) for share in shares if share), default=math.nan),
        any(given),
        overlap,
    )


def _agreeing(lens: Lens, groups: Sequence[Sequence[tuple[Fact, str]]], answer: str) -> list[list[bool]]:
    """For each fact in a phrasing whether the model says this answer, by group; those that cannot be asked fall out."""
    prompts = [
        [prompt for fact, phrasing in group for prompt in writable(lens, [fact], phrasing).prompts] for group in groups
    ]
    given = iter(given_answers(lens, [prompt for group in prompts for prompt in group], EXACT))
    return [[next(given).answer == answer for _ in group] for group in prompts]


def _probability(lens: Lens, prompt: Prompt) -> float:
    """The answer's probability among text tokens."""
    (scorer,) = prompt_scorers(lens, prompt, ["text_probability"])
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=lens.backend.device)
    return float(scorer(record(lens.backend, tokens, None, [], scorer.n_readouts).logits))
