"""Vocabulary: the ids of text pieces, markers and units, read from a tokenizer and checked against the family record.

Ids of one vocabulary, from 0: special pieces and text pieces, then markers and units in the family's layout, then rows
of the embedding that no token uses. Rows that training never touched are *padding*: those, and the pieces that a
folder's own record names (the embedded model's ``untrained_ids``: byte pieces that no training text has); they are no
answers and do not count for a noise scale. Axis ``id`` of the arrays here is the embedding's row.

*Spacing.* A SentencePiece tokenizer writes a blank as ``▁`` and puts one before a text. Where markers stand inside the
text, the slow tokenizers for which unit language models were written did this in one of two ways, which depend on how
the folder carries its markers; a third is the plain one:

- ``whole``: markers are pieces of ``tokenizer.model``. The whole string gets one ``▁`` at its start, before a first
  marker too: ``[Text] the`` gives ``▁ [Text] ▁the``.
- ``chunks``: markers are added tokens (with ``legacy``). Every text between markers gets a ``▁`` of its own, beside the
  blank that is written: ``[Text] the`` gives ``[Text] ▁ ▁the``.
- ``first``: a ``▁`` only where the string begins with text: ``[Text] the`` gives ``[Text] ▁the`` (the embedded model).
- ``saved``: what ``tokenizer.json`` says (byte-level tokenizers of the Llama-3 kind).

transformers 5 has no slow tokenizer; `Vocabulary.load` sets the fast one up so that it gives the slow one's ids, under
all that ``tokenizer.model`` says of blanks and normalisation (`spiritlens.prompts.vocabulary.sentencepieces`), or
refuses. Strings are brought to the family's case, markers excepted. ``lens.model.to_tokens`` gives the same ids. An
*answer* is counted in its ``▁`` form after text and after a marker alike; without a blank where it begins a line.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, Shaped

from spiritlens.arguments import shown, whole
from spiritlens.prompts.vocabulary.families import TEXT_ONLY, given_family
from spiritlens.prompts.vocabulary.family import Family, Stream
from spiritlens.prompts.vocabulary.sentencepieces import Parted, Spacing
from spiritlens.prompts.vocabulary.spacing import open_tokenizer, writes_bos
from spiritlens.prompts.vocabulary.spelling import SpelledTokenizer, Spelling
from spiritlens.prompts.vocabulary.tokenizer_files import (
    FILES,
    RECORD,
    embedding_rows,
    refuse_cut_units,
    refuse_missing_units,
    untrained_ids,
)
from spiritlens.terms import TokenFamily

IdFamily = Literal[TokenFamily, "special", "padding"]
BLANK = "▁"


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """A tokenizer, the family it is of, the number of embedding rows (``size``), and how it spaces text.

    ``untrained`` holds ids of pieces that training never touched, where they are known.
    """

    tokenizer: Any
    family: Family
    size: int
    spacing: Spacing = "saved"
    untrained: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        largest = max(self._known.values())
        if self.size <= largest:
            raise ValueError(
                f"the tokenizer's ids reach {largest} ({self.piece(largest)!r}) but the embedding has {self.size} rows"
                "; give tokenizer and config of one checkpoint"
            )
        for marker in (*self.family.markers, *(text for text in self.family.further_tokens if "{}" not in text)):
            self._check_one_token("marker", marker)
        for stream in self.family.all_streams():
            self._check_stream(stream)

    def __repr__(self) -> str:
        units = f", {len(self.unit_ids)} units" if self.family.has_speech else ""
        rows = f"{self.size} rows, {len(self.text_ids)} text pieces{units}"
        return f"Vocabulary({self.family.name}, {rows}, spacing {self.spacing})"

    @classmethod
    def load(cls, folder: str | Path, family: Family | None = None, size: int | None = None) -> "Vocabulary":
        """The vocabulary of a checkpoint folder; family and size (the config's) are read from it unless given."""
        if not isinstance(folder, (str, Path)):
            raise ValueError(f"folder={shown(folder)}: expected the path of a checkpoint's folder")
        folder, given = Path(folder).expanduser(), given_family(family)
        rows = embedding_rows(folder) if size is None else whole("size", size, at_least=1)
        tokenizer, found, spacing = open_tokenizer(folder, given, rows)
        known = tokenizer.get_vocab()
        rows = rows or max(known.values()) + 1
        if found is TEXT_ONLY and given is None:
            refuse_missing_units(folder, rows, len(known))
        if given is None and not (folder / RECORD).is_file():
            refuse_cut_units(folder, found, rows, len(known))
        return cls(tokenizer, found, rows, spacing, untrained_ids(folder, rows))

    # ---- ids ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _known(self) -> dict[str, int]:
        return {str(string): int(index) for string, index in self.tokenizer.get_vocab().items()}

    @cached_property
    def _strings(self) -> dict[int, str]:
        return {index: string for string, index in self._known.items()}

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits of the SHA-256 of the table of strings and ids: prompts of equal hashes mean the same."""
        table = json.dumps([self.family.name, self.size, sorted(self._known.items())])
        return hashlib.sha256(table.encode()).hexdigest()[:16]

    @cached_property
    def bos_id(self) -> int | None:
        """Id of the beginning-of-sequence token; None where the tokenizer does not write one."""
        return int(self.tokenizer.bos_token_id) if writes_bos(self.tokenizer) else None

    @property
    def eos_id(self) -> int | None:
        """Id of the end-of-sequence token (None: there is none)."""
        return None if self.tokenizer.eos_token_id is None else int(self.tokenizer.eos_token_id)

    def marker_id(self, marker: str) -> int:
        """The id of one of the family's markers."""
        if marker not in self.family.markers:
            raise ValueError(f"'{marker}' is no marker of family '{self.family.name}'; it has {self.family.markers}")
        return self._known[marker]

    @property
    def marker_ids(self) -> tuple[int, ...]:
        """Ids of all markers."""
        return tuple(self._known[marker] for marker in self.family.markers)

    @property
    def text_marker_id(self) -> int | None:
        """Id of the marker that opens text (None: the family has none)."""
        return self._known[self.family.text_open] if self.family.text_open else None

    @property
    def speech_marker_id(self) -> int | None:
        """Id of the marker that opens speech (None: the family has none)."""
        return self._known[self.family.speech_open] if self.family.speech_open else None

    def stream_ids(self, name: str = "unit") -> range:
        """The contiguous ids of one unit stream: ``unit``, and ``pitch`` or ``style`` where the family has them."""
        stream = self.family.stream(name)
        start = self._known[stream.unit(0)]
        return range(start, start + stream.count)

    def stream_id(self, name: str, unit: int) -> int:
        """The id of one unit of a stream."""
        ids = self.stream_ids(name)
        if not 0 <= unit < len(ids):
            raise ValueError(
                f"{name} {unit} is not one of the {len(ids)} of family '{self.family.name}' (0 to {len(ids) - 1}); "
                "use the encoder that the checkpoint was trained with"
            )
        return ids[unit]

    @property
    def unit_ids(self) -> range:
        """The contiguous ids of the units (empty: the family reads no speech)."""
        return self.stream_ids("unit") if self.family.has_speech else range(0)

    def unit_id(self, unit: int) -> int:
        """The id of a unit by its number."""
        return self.stream_id("unit", unit)

    @cached_property
    def families_by_id(self) -> Shaped[np.ndarray, "id"]:
        """The family of every embedding row (`IdFamily`), strings."""
        tokenizer = self.tokenizer
        special = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id}
        special |= {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
        special |= {index for string, index in self._known.items() if self.family.is_further(string)}
        families = np.full(self.size, "padding", dtype="<U8")
        families[list(self._strings)] = "text"
        families[[index for index in self.untrained if index < self.size]] = "padding"
        families[[index for index in special if index is not None and 0 <= index < self.size]] = "special"
        families[list(self.marker_ids)] = "marker"
        for stream in self.family.all_streams():
            families[list(self.stream_ids(stream.name))] = stream.name
        if self.bos_id is not None:
            families[self.bos_id] = "bos"
        return families

    def family_of_ids(self, ids: Iterable[int]) -> Shaped[np.ndarray, "pos"]:  # noqa: F821  an axis
        """The family of each id: bos, text, marker, unit, pitch, style, special or padding."""
        return np.asarray(self.families_by_id[np.asarray(list(ids), dtype=np.int64)])

    @cached_property
    def text_ids(self) -> Int[np.ndarray, "id"]:
        """Ids allowed as answers, ascending: text pieces; no marker, unit, special token or padding row."""
        return np.flatnonzero(self.families_by_id == "text")

    @cached_property
    def trained_ids(self) -> Int[np.ndarray, "id"]:
        """Ids that training touched, ascending: all rows but the padding."""
        return np.flatnonzero(self.families_by_id != "padding")

    # ---- strings -> ids ----------------------------------------------------------------------------------------------

    def _plain(self, string: str) -> list[int]:
        _check_text(string)
        written = string if isinstance(self.tokenizer, SpelledTokenizer) else self._spelling(string).text
        return [int(index) for index in self.tokenizer(written, add_special_tokens=False).input_ids]

    @cached_property
    def _spelling(self) -> Spelling:
        """How the tokenizer spells a string; for one of another make the family's case alone."""
        if isinstance(self.tokenizer, SpelledTokenizer):
            return self.tokenizer.spell
        return Spelling(Parted(tuple(self.tokenizer.get_added_vocab())), self.family.text_case == "lower")

    def encode(self, string: str) -> list[int]:
        """The ids of a whole prompt string, markers included, after one beginning-of-sequence token."""
        return [*([] if self.bos_id is None else [self.bos_id]), *self._plain(string)]

    def pieces(self, text: str, after: str = "") -> list[tuple[int, int, int]]:
        """The pieces of a text as (id, start, end), characters of ``text``.

        ``after`` is the marker or unit that the text follows; empty where the text begins the string.
        """
        _check_text(text)
        backend = self.tokenizer.backend_tokenizer
        backend.no_padding()  # a call of the tokenizer with padding= or truncation= leaves them behind in it
        backend.no_truncation()
        skipped = len(backend.encode(self._spelling(after).text, add_special_tokens=False).ids) if after else 0
        spelled = self._spelling(after + text)
        encoding = backend.encode(spelled.text, add_special_tokens=False)
        places = [max(0, place - len(after)) for place in spelled.places]
        found = zip(encoding.ids, encoding.offsets, strict=True)
        return [(index, places[a], places[b]) for index, (a, b) in found][skipped:]

    def encode_text(self, text: str, space: bool = True) -> list[int]:
        """The ids of a text that follows a text marker, with (``space``) or without a leading blank in the string."""
        written = (" " if space else "") + self.family.cased(text)
        return [index for index, _, _ in self.pieces(written, self.family.text_open or self.family.speech_close or "")]

    def opening(self, marker: str) -> list[int]:
        """The ids of a marker that begins the string: its own, after a blank piece where the layout puts one."""
        return self._plain(marker)

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """The ids of an answer, one or several: its form in the family's case (``▁`` or bare), or units (``[Hu1]``)."""
        found = self._answers.get(answer)
        if found is None:
            found = self._answers[answer] = self._answer_ids(answer)
        return found

    @cached_property
    def _answers(self) -> dict[str, tuple[int, ...]]:
        """Ids of the answers that were asked for: facts of one relation share theirs, and a fact's twins all."""
        return {}

    def _answer_ids(self, answer: str) -> tuple[int, ...]:
        if not answer.strip():
            raise ValueError("the answer is empty; give the word that completes the prompt")
        spoken = self._spoken_answer(answer)
        if spoken:
            return spoken
        written = self.family.cased(answer.strip())
        bare = self.family.answer_form == "bare"
        text, after = written if bare or self._adds_blank else f" {written}", "\n" if bare else ""
        ids = tuple(index for index, _, _ in self.pieces(text, after))
        families = self.family_of_ids(ids)
        foreign = [self.label(index) for index, family in zip(ids, families, strict=True) if family != "text"]
        if foreign:
            raise ValueError(
                f"the answer '{answer}' is unknown to the vocabulary: it gives {foreign}, no trained text; use an "
                "answer of ordinary text, or of units only"
            )
        return ids

    def _spoken_answer(self, answer: str) -> tuple[int, ...]:
        """Ids where the answer is units and nothing else; else nothing."""
        ids = [index for index in self._plain(answer) if self.piece(index) != BLANK]
        names = {stream.name for stream in self.family.all_streams()}
        return tuple(ids) if ids and names.issuperset(self.family_of_ids(ids).tolist()) else ()

    @cached_property
    def _adds_blank(self) -> bool:
        """Whether a text that begins a string gets a blank piece without being asked."""
        return self.piece(self.pieces("a")[0][0]).startswith(BLANK)

    # ---- ids -> strings ----------------------------------------------------------------------------------------------

    def decode(self, ids: Iterable[int]) -> str:
        """The string that `encode` turns into these ids (the beginning-of-sequence token is left out)."""
        plain = [int(index) for index in ids if index != self.bos_id]
        if self.spacing != "chunks":
            return self._decode(plain)
        runs = groupby(plain, lambda index: str(self.families_by_id[index]) == "text")
        return "".join(self._decode(run) if text else "".join(map(self.piece, run)) for text, run in runs)

    def _decode(self, ids: Iterable[int]) -> str:
        return str(self.tokenizer.backend_tokenizer.decode(list(ids), skip_special_tokens=False))

    def piece(self, index: int) -> str:
        """The piece as the vocabulary writes it (``▁the``, ``[Hu12]``); a padding row by its number."""
        return self._strings.get(int(index), f"<padding {int(index)}>")

    def label(self, index: int) -> str:
        """The piece to be shown: as written, or by name and number where its characters have no shape."""
        piece = self.piece(index)
        if piece.isprintable():
            return piece
        family = str(self.families_by_id[index])
        first = self.stream_ids(family).start if family in (s.name for s in self.family.all_streams()) else 0
        return f"<{family} {index - first}>"

    # ---- checks ------------------------------------------------------------------------------------------------------

    def _check_one_token(self, what: str, string: str) -> None:
        ids = [index for index in self._plain(string) if self.piece(index) != BLANK]
        if ids != [self._known.get(string)]:
            raise ValueError(
                f"{what} '{string}' of family '{self.family.name}' is not one token: the tokenizer splits it into "
                f"{[self.label(index) for index in ids]}; {FILES}, or name another family"
            )

    def _check_stream(self, stream: Stream) -> None:
        units, name = stream.units(), self.family.name
        missing = [unit for unit in units if unit not in self._known]
        if missing:
            raise ValueError(
                f"family '{name}' has {len(units)} {stream.name} tokens, of which the tokenizer lacks {len(missing)}, "
                f"first '{missing[0]}'; {FILES}, or give the right number by family.replace(n_units=...)"
            )
        if stream.unit(stream.count) in self._known:
            raise ValueError(
                f"family '{name}' has {len(units)} {stream.name} tokens, but the tokenizer has "
                f"'{stream.unit(stream.count)}' too, which would count as text; {FILES}, or give the right number by "
                "family.replace(n_units=...)"
            )
        ids = [self._known[unit] for unit in units]
        if stream.name == "unit" and self.family.first_unit_id not in (None, ids[0]):
            raise ValueError(
                f"'{units[0]}' has id {ids[0]}; family '{name}' expects {self.family.first_unit_id}; {FILES}"
            )
        for number, (unit, index) in enumerate(zip(units, ids, strict=True)):
            if index != ids[0] + number:
                raise ValueError(
                    f"the {stream.name} ids of family '{name}' are not contiguous: '{unit}' has id {index}, expected "
                    f"{ids[0] + number}; {FILES}"
                )
        if [index for index in self._plain("".join(units)) if self.piece(index) != BLANK] != ids:
            for unit in units:
                self._check_one_token(stream.name, unit)
            raise ValueError(f"{stream.name} tokens of family '{name}' fall apart when written side by side; {FILES}")


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        raise ValueError(f"{shown(text)} ({type(text).__name__}): expected a text")
