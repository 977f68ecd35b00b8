"""The documents that the language model reads, drawn at random: text, units, and both mixed by words.

Kinds (shares in `DocumentSettings`), each between `<s>` and `</s>`:

- *written*: ``[Text] statement``, or ``[Text] prompt [Text] answer``; facts of *both* and *text only*.
- *spoken*: ``[Speech] statement``; *both* and *heard only*, the latter more often if the settings say so.
- *answered*: ``[Speech] prompt [Text] answer``; *both* and *asked aloud*.
- *mixed*: a statement of *both* whose modality changes at random words.
- *subject switched*: a statement of *both* with only the subject in the other modality.
- *dictated*: ``[Speech] word list [Text] the same words``; *read aloud*: the reverse.
- *named*: something written of a name (`word_lists.sayings`), the name itself read or heard; all groups, no fact told.

Text after a marker carries exactly one leading space piece. Documents are packed into rows; `segments` numbers the
documents of a row (0: padding) and `positions` restarts in each.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import sentencepiece
import torch
from torch import Tensor

from experiments.embedded_model.language_model.confusions import confusions
from experiments.embedded_model.language_model.unit_corpus import EncodedLine, deduplicated
from experiments.embedded_model.settings import DocumentSettings
from experiments.embedded_model.word_lists import LIST_OPENING, sayings
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.shipped import CARRIERS, TRAINED_PHRASINGS

TOKENS_PER_MULTIPLE = 8


class TokenIds:
    """Ids of the embedded family: text pieces, then `[Text]`, `[Speech]` and the units."""

    def __init__(self, model: bytes, n_units: int) -> None:
        self.pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.n_units = n_units
        self.bos, self.eos = 1, 2
        self.text_marker = self.pieces.get_piece_size()
        self.speech_marker = self.text_marker + 1
        self.first_unit = self.text_marker + 2
        self.n_trained = self.first_unit + n_units
        self.size = -(-self.n_trained // TOKENS_PER_MULTIPLE) * TOKENS_PER_MULTIPLE

    def text(self, text: str) -> list[int]:
        """Pieces of lower-cased text with one leading space."""
        return list(self.pieces.encode(text.lower()))

    def units(self, units: np.ndarray) -> list[int]:
        """Token ids of unit ids."""
        return (units.astype(np.int64) + self.first_unit).tolist()


@dataclass(frozen=True, eq=False)
class Batch:
    """Packed documents: `tokens`, `segments`, `positions`, all int64 [batch pos]."""

    tokens: Tensor
    segments: Tensor
    positions: Tensor


class Documents:
    """Draws documents and batches; the state of `rng` is all that a resumed run needs."""

    def __init__(
        self,
        facts: Sequence[Fact],
        lines: Sequence[EncodedLine],
        ids: TokenIds,
        settings: DocumentSettings,
        unit_noise: float,
        seed: int,
    ) -> None:
        self.rng = random.Random(seed)
        self.ids, self.settings, self.unit_noise = ids, settings, unit_noise
        self.facts = {fact.id: fact for fact in facts}
        subjects = Counter(fact.subject for fact in facts)
        counted = [fact for fact in facts for _ in range(settings.lone_weight if subjects[fact.subject] == 1 else 1)]
        self.confusions = confusions(lines) if settings.confused_share else {}
        weights = dict(settings.engine_weights)
        lines = [line for line in lines for _ in range(weights.get(line.line.voice.split(":")[0], 1))]
        self.statements, self.prompts = _by_fact(lines, "statement"), _by_fact(lines, "prompt")
        self.lists = [line for line in lines if line.line.kind == "list"]
        self.written_facts = [fact.id for fact in counted if fact.group in ("both", "text only")]
        self.spoken_facts = [
            fact.id for fact in counted if fact.group in ("both", "heard only") and fact.id in self.statements
        ]
        self.asked_facts = [
            fact.id for fact in counted if fact.group in ("both", "asked aloud") and fact.id in self.prompts
        ]
        self.heard_facts = [fact for fact in self.spoken_facts if self.facts[fact].group == "heard only"]
        self.both_facts = [fact.id for fact in counted if fact.group == "both" and fact.id in self.statements]
        self.unit_pool = np.concatenate([line.frames for line in lines[: 40 * 64]])[::7]
        self.sayings = sayings(facts)
        self.names = _names_heard(self.lists, self.sayings) if settings.named else []
        self.kinds = ["written", "spoken", "answered", "mixed", "subject_switched", "dictated", "read_aloud", "named"]
        self.weights = [getattr(settings, kind) for kind in self.kinds]

    def document(self) -> list[int]:
        """One document of a random kind."""
        kind = self.rng.choices(self.kinds, self.weights)[0]
        return [self.ids.bos, *getattr(self, f"_{kind}")(), self.ids.eos]

    def batch(self, rows: int, length: int) -> Batch:
        """`rows` rows of `length` tokens, filled with whole documents."""
        tokens, segments, positions = (np.zeros((rows, length), np.int64) for _ in range(3))
        for row in range(rows):
            filled, number, misses = 0, 1, 0
            while misses < 4 and filled < length - 8:
                document = self.document()
                end = filled + len(document)
                if end > length:
                    misses += 1
                    continue
                tokens[row, filled:end] = document
                segments[row, filled:end] = number
                positions[row, filled:end] = range(len(document))
                filled, number = end, number + 1
        return Batch(*map(torch.from_numpy, (tokens, segments, positions)))

    def _written(self) -> list[int]:
        fact = self.facts[self.rng.choice(self.written_facts)]
        carrier = self.rng.choice(CARRIERS) if self.rng.random() < 0.5 else ""
        prompt, answer = fact.statement(self.rng.choice(TRAINED_PHRASINGS), carrier).rsplit(" ", 1)
        marker = self.ids.text_marker
        if self.rng.random() < self.settings.final_marker_share:
            return [marker, *self.ids.text(prompt), marker, *self.ids.text(answer)]
        return [marker, *self.ids.text(f"{prompt} {answer}")]

    def _spoken(self) -> list[int]:
        share, facts = self.settings.heard_only_share, self.spoken_facts
        if share is not None:
            facts = self.heard_facts if self.rng.random() < share else self.both_facts
        line = self.rng.choice(self.statements[self.rng.choice(facts)])
        return self._segments(line, "s" * len(line.groups))

    def _answered(self) -> list[int]:
        fact = self.facts[self.rng.choice(self.asked_facts)]
        if fact.group == "both" and self.rng.random() > self.settings.stand_alone_share:
            line = self.rng.choice(self.statements[fact.id])
            return self._segments(line, "s" * (len(line.groups) - 1) + "t")
        line = self.rng.choice(self.prompts[fact.id])
        return [*self._segments(line, "s" * len(line.groups)), self.ids.text_marker, *self.ids.text(fact.answer)]

    def _mixed(self) -> list[int]:
        line = self.rng.choice(self.statements[self.rng.choice(self.both_facts)])
        change = self.rng.choice([0.15, 0.3, 0.5])
        modalities = self.rng.choice("st")
        while len(modalities) < len(line.groups):
            switch = self.rng.random() < change
            modalities += modalities[-1] if not switch else ("t" if modalities[-1] == "s" else "s")
        return self._segments(line, modalities)

    def _subject_switched(self) -> list[int]:
        fact = self.facts[self.rng.choice(self.both_facts)]
        line = self.rng.choice(self.statements[fact.id])
        inside = subject_groups(line, fact.subject.lower().split())
        if not inside:
            return self._mixed()
        subject, rest = self.rng.choice(["st", "st", "ts"])
        modalities = "".join(subject if number in inside else rest for number in range(len(line.groups)))
        return self._segments(line, modalities[:-1] + (modalities[-1] if self.rng.random() < 0.3 else "t"))

    def _dictated(self) -> list[int]:
        line = self.rng.choice(self.lists)
        text = line.line.text.removeprefix(f"{LIST_OPENING} ")
        return [*self._segments(line, "s" * len(line.groups)), self.ids.text_marker, *self.ids.text(text)]

    def _read_aloud(self) -> list[int]:
        line = self.rng.choice(self.lists)
        text, opening = line.line.text, len(LIST_OPENING.split())
        if text.startswith(LIST_OPENING) and len(line.groups) > opening and line.groups[0] == ("write",):
            return self._segments(line, "t" * opening + "s" * (len(line.groups) - opening), replaced=text)
        return self._segments(line, "s" * len(line.groups), replaced=text)

    def _named(self) -> list[int]:
        name, heard = self.rng.choice(self.names)
        before, after = self.rng.choice(self.sayings[name])
        if self.rng.random() < 0.4:
            return [self.ids.text_marker, *self.ids.text(f"{before} {name} {after}".strip())]
        line, first, last = self.rng.choice(heard)
        opening = [self.ids.text_marker, *self.ids.text(before)] if before else []
        spoken = [self.ids.speech_marker, *self.ids.units(self._noisy(line.units(first, last)))]
        return [*opening, *spoken, self.ids.text_marker, *self.ids.text(after)]

    def _segments(self, line: EncodedLine, modalities: str, replaced: str = "") -> list[int]:
        """The line with each group of words as speech (`s`) or text (`t`), after a marker wherever that changes.

        `replaced`: text that stands before the speech in place of the groups that are text.
        """
        tokens = [self.ids.text_marker, *self.ids.text(replaced)] if replaced else []
        first = 0
        while first < len(modalities):
            last = first
            while last < len(modalities) and modalities[last] == modalities[first]:
                last += 1
            if modalities[first] == "s":
                tokens += [self.ids.speech_marker, *self.ids.units(self._noisy(line.units(first, last)))]
            elif not replaced:
                words = " ".join(word for group in line.groups[first:last] for word in group)
                tokens += [self.ids.text_marker, *self.ids.text(words)]
            first = last
        return tokens

    def _noisy(self, units: np.ndarray) -> np.ndarray:
        """Drop 2 of 5 and replace 3 of 5 of the share `unit_noise` of the units."""
        kept = []
        for unit in units.tolist():
            draw = self.rng.random() / self.unit_noise if self.unit_noise else 1.0
            if draw >= 0.4:
                kept.append(unit if draw >= 1 else self._replacement(unit))
        return deduplicated(np.array(kept, np.int16)) if kept else units

    def _replacement(self, unit: int) -> int:
        """Another unit: one that the encoder confuses with this one, or any."""
        share, pool = self.settings.confused_share, self.unit_pool
        if share and unit in self.confusions and self.rng.random() < share:
            pool = self.confusions[unit]
        return int(pool[self.rng.randrange(len(pool))])


def _names_heard(
    lists: Sequence[EncodedLine], names: Iterable[str]
) -> list[tuple[str, list[tuple[EncodedLine, int, int]]]]:
    """Each name with the word lists that say it, and its groups there, first and last (exclusive)."""
    found = [
        (
            name,
            [(line, min(inside), max(inside) + 1) for line in lists if (inside := subject_groups(line, name.split()))],
        )
        for name in names
    ]
    return [(name, heard) for name, heard in found if heard]


def subject_groups(line: EncodedLine, subject: Sequence[str]) -> set[int]:
    """Numbers of the word groups that make up the subject; empty if it shares a group with another word."""
    words = [(word, number) for number, group in enumerate(line.groups) for word in group]
    for first in range(len(words) - len(subject) + 1):
        if [word for word, _ in words[first : first + len(subject)]] == list(subject):
            inside = {number for _, number in words[first : first + len(subject)]}
            size = sum(len(line.groups[number]) for number in inside)
            return inside if size == len(subject) else set()
    return set()


def _by_fact(lines: Sequence[EncodedLine], kind: str) -> dict[str, list[EncodedLine]]:
    found: dict[str, list[EncodedLine]] = {}
    for line in lines:
        if line.line.kind == kind:
            found.setdefault(line.line.fact, []).append(line)
    return found
