"""Vocabulary: the ids of text pieces, markers and units, read from a tokenizer and checked against the family record.

Ids of one vocabulary, from 0: special pieces and text pieces, then markers and units in the family's layout, then rows
of the embedding that no token uses (*padding*, untrained). Axis ``id`` of the arrays here is the embedding's row.

*Spacing.* A SentencePiece tokenizer writes a blank as ``▁`` and puts one before a text. Where markers stand inside the
text, the slow tokenizers for which unit language models were written did this in one of two ways, which depend on how
the folder carries its markers; a third is the plain one:

- ``whole``: markers are pieces of ``tokenizer.model``. The whole string gets one ``▁`` at its start, before a first marker
  too: ``[Text] the`` gives ``▁ [Text] ▁the``.
- ``chunks``: markers are added tokens (with ``legacy``). Every text between markers gets a ``▁`` of its own, beside the
  blank that is written: ``[Text] the`` gives ``[Text] ▁ ▁the``.
- ``first``: a ``▁`` only where the string begins with text: ``[Text] the`` gives ``[Text] ▁the``. The embedded model's way.
- ``saved``: what ``tokenizer.json`` says (byte-level tokenizers of the Llama-3 kind).

transformers 5 has no slow tokenizer; `Vocabulary.load` sets the fast one up so that it gives the slow one's ids, and so
does ``lens.model.to_tokens``.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from transformers import PreTrainedTokenizerFast

from spiritlens.prompts.families import Family, family_of_strings
from spiritlens.prompts.tokenizers import Spacing, open_tokenizer

IdFamily = Literal["bos", "text", "marker", "unit", "pitch", "style", "special", "padding"]
BLANK = "▁"


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A tokenizer, the family it is of, and the number of embedding rows (``size``)."""

    tokenizer: Any
    family: Family
    size: int
    spacing: Spacing = "saved"

    def __post_init__(self) -> None:
        known = self._known
        if self.size < len(self.tokenizer):
            raise ValueError(
                f"the tokenizer has {len(self.tokenizer)} tokens but the embedding only {self.size} rows; "
                "give the tokenizer and the config of one checkpoint"
            )
        for marker in self.family.markers:
            self._must_be_one_token(marker, known, "marker")
        for stream in self.family.all_streams():
            self._check_stream(stream.name, [stream.template.format(index) for index in range(stream.count)], known)

    @classmethod
    def load(cls, folder: str | Path, family: Family | None = None, size: int | None = None) -> "Vocabulary":
        """The vocabulary of a checkpoint folder; the family is detected unless given, the size is the config's unless given."""
        folder = Path(folder)
        tokenizer, spacing = open_tokenizer(folder, family)
        family = family or _detected_family(folder, tokenizer)
        if spacing == "chunks" and family.space_after_bos != "detect":
            tokenizer, spacing = open_tokenizer(folder, family)
        return cls(tokenizer, family, size or _config_size(folder) or len(tokenizer), spacing)

    # ---- ids ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _known(self) -> dict[str, int]:
        return dict(self.tokenizer.get_vocab())

    @cached_property
    def _strings(self) -> dict[int, str]:
        return {index: string for string, index in self._known.items()}

    @property
    def bos_id(self) -> int | None:
        """Id of the beginning-of-sequence token (None: the tokenizer writes none)."""
        return _optional_int(self.tokenizer.bos_token_id)

    @property
    def eos_id(self) -> int | None:
        """Id of the end-of-sequence token."""
        return _optional_int(self.tokenizer.eos_token_id)

    @property
    def text_marker_id(self) -> int | None:
        """Id of the marker that opens text (None: the family has none)."""
        return self._known[self.family.text_open] if self.family.text_open else None

    @property
    def speech_marker_id(self) -> int | None:
        """Id of the marker that opens speech (None: the family has none)."""
        return self._known[self.family.speech_open] if self.family.speech_open else None

    @cached_property
    def marker_ids(self) -> tuple[int, ...]:
        """Ids of all markers."""
        return tuple(self._known[marker] for marker in self.family.markers)

    def stream_ids(self, name: str = "unit") -> range:
        """The contiguous ids of one unit stream: ``unit``, and ``pitch`` or ``style`` where the family has them."""
        for stream in self.family.all_streams():
            if stream.name == name and stream.count:
                start = self._known[stream.template.format(0)]
                return range(start, start + stream.count)
        raise ValueError(
            f"family '{self.family.name}' has no stream '{name}'; it has {[s.name for s in self.family.all_streams() if s.count]}"
        )

    @property
    def unit_ids(self) -> range:
        """The contiguous ids of the units (empty: the family reads no speech)."""
        return self.stream_ids("unit") if self.family.has_speech else range(0)

    def unit_id(self, unit: int) -> int:
        """The id of a unit number."""
        ids = self.unit_ids
        if not 0 <= unit < len(ids):
            raise ValueError(f"unit {unit} is not one of the family's {len(ids)} units (0 to {len(ids) - 1})")
        return ids[unit]

    @cached_property
    def families_by_id(self) -> np.ndarray:
        """The family of every embedding row, strings [id]."""
        families = np.full(self.size, "padding", dtype="<U8")
        families[sorted(index for index in self._strings if index < self.size)] = "text"
        families[[index for index in self._special_ids if index < self.size]] = "special"
        families[list(self.marker_ids)] = "marker"
        for stream in self.family.all_streams():
            if stream.count:
                families[list(self.stream_ids(stream.name))] = stream.name
        if self.bos_id is not None:
            families[self.bos_id] = "bos"
        return families

    @property
    def _special_ids(self) -> set[int]:
        tokenizer = self.tokenizer
        named = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id}
        added = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
        return {int(index) for index in named | added if index is not None and index >= 0}

    def family_of_ids(self, ids: Iterable[int]) -> np.ndarray:
        """The family of each id: bos, text, marker, unit, pitch, style, special or padding."""
        return self.families_by_id[np.asarray(list(ids), dtype=np.int64)]

    @cached_property
    def text_ids(self) -> np.ndarray:
        """Ids allowed as answers: text pieces; no marker, unit, special token or padding row. Integers [id], ascending."""
        return np.flatnonzero(self.families_by_id == "text")

    @cached_property
    def trained_ids(self) -> np.ndarray:
        """Ids that some token has: all rows but the padding. Integers [id], ascending."""
        return np.flatnonzero(self.families_by_id != "padding")

    # ---- strings -> ids ----------------------------------------------------------------------------------------------

    def encode(self, string: str) -> list[int]:
        """The ids of a whole prompt string, markers included, with one beginning-of-sequence token."""
        ids = [int(index) for index in self.tokenizer(string, add_special_tokens=False).input_ids]
        return ids if self.bos_id is None else [self.bos_id, *ids]

    def pieces(self, text: str, after: str = "") -> list[tuple[int, int, int]]:
        """The pieces of a text as (id, start, end), characters of ``text``, where it follows the marker ``after`` (empty: begins the string)."""
        lead = " " if self.spacing == "whole" else ""
        prefix = lead + after
        backend = self.tokenizer.backend_tokenizer
        skipped = len(backend.encode(prefix, add_special_tokens=False).ids) if after else 0
        encoding = backend.encode(prefix + text, add_special_tokens=False)
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        clipped = [(index, max(0, start - len(prefix)), max(0, end - len(prefix))) for index, (start, end) in spans]
        return clipped[skipped:]

    def encode_text(self, text: str, space: bool = True) -> list[int]:
        """The ids of a text that follows a text marker, with (``space``) or without a leading blank in the string."""
        after = self.family.text_open or ""
        if not after:
            return [index for index, _, _ in self.pieces(text)]
        return [index for index, _, _ in self.pieces((" " if space else "") + self.family.cased(text), after)]

    def opening(self, marker: str) -> list[int]:
        """The ids that a marker at the beginning of the string gives: itself, after a blank piece where the layout puts one."""
        return [int(index) for index in self.tokenizer(marker, add_special_tokens=False).input_ids]

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """The ids of an answer as it follows a text: its ``▁`` form in the family's case, one or several; or units (``[Hu1][Hu2]``)."""
        if not answer.strip():
            raise ValueError("the answer is empty; give the word that completes the prompt")
        units = self._unit_answer(answer)
        if units:
            return units
        written = self.family.cased(answer.strip())
        ids = tuple(index for index, _, _ in self.pieces(written if self._adds_blank else " " + written))
        foreign = [self.label(index) for index in ids if self.families_by_id[index] != "text"]
        if foreign:
            raise ValueError(
                f"the answer '{answer}' is unknown to the vocabulary (it gives {foreign}); use an answer that is ordinary text"
            )
        return ids

    def _unit_answer(self, answer: str) -> tuple[int, ...]:
        """Ids where the answer is units and nothing else, else nothing."""
        ids = self.encode(answer)
        kept = [index for index in ids if self.families_by_id[index] != "bos" and self._strings.get(index) != BLANK]
        spoken = {stream.name for stream in self.family.all_streams()}
        return tuple(kept) if kept and all(str(self.families_by_id[index]) in spoken for index in kept) else ()

    @cached_property
    def _adds_blank(self) -> bool:
        """Whether a text at the beginning of a string gets a blank piece without being asked."""
        return self._strings[self.pieces("a")[0][0]].startswith(BLANK)

    # ---- ids -> strings ----------------------------------------------------------------------------------------------

    def decode(self, ids: Sequence[int]) -> str:
        """The string that `encode` turns into these ids (the beginning-of-sequence token is left out)."""
        plain = [int(index) for index in ids if index != self.bos_id]
        if self.spacing != "chunks":
            decoded = str(self.tokenizer.backend_tokenizer.decode(plain, skip_special_tokens=False))
            return decoded.removeprefix(" ") if self.spacing == "whole" else decoded
        parts: list[str] = []
        for is_text, run in _runs(plain, [str(self.families_by_id[index]) == "text" for index in plain]):
            decoded = self.tokenizer.backend_tokenizer.decode(run, skip_special_tokens=False)
            parts.append(decoded if is_text else "".join(self.label(index) for index in run))
        return "".join(parts)

    def label(self, index: int) -> str:
        """The piece as the vocabulary writes it (``▁the``, ``[Hu12]``); a padding row by its number."""
        return self._strings.get(int(index), f"<padding {int(index)}>")

    # ---- checks ------------------------------------------------------------------------------------------------------

    def _must_be_one_token(self, string: str, known: dict[str, int], what: str) -> int:
        ids = self.tokenizer(string, add_special_tokens=False).input_ids
        ids = [index for index in ids if self._strings.get(index) != BLANK]
        if string not in known or list(ids) != [known[string]]:
            raise ValueError(
                f"{what} '{string}' of family '{self.family.name}' is not one token: the tokenizer splits it into "
                f"{[self.label(index) for index in ids]}; use the checkpoint's own tokenizer files (tokenizer.model with tokenizer_config.json) "
                "or another family"
            )
        return known[string]

    def _check_stream(self, name: str, units: list[str], known: dict[str, int]) -> None:
        if not units:
            return
        ids = [known.get(unit, -1) for unit in units]
        missing = [unit for unit, index in zip(units, ids, strict=True) if index < 0]
        if missing:
            raise ValueError(
                f"family '{self.family.name}' has {len(units)} {name} tokens, of which the tokenizer lacks {len(missing)} "
                f"(the first is '{missing[0]}'); use the checkpoint's own tokenizer files, or family.replace(n_units=…)"
            )
        if ids != list(range(ids[0], ids[0] + len(ids))):
            at = next(i for i, index in enumerate(ids) if index != ids[0] + i)
            raise ValueError(
                f"the ids of family '{self.family.name}' are not contiguous: '{units[at]}' has id {ids[at]}, expected {ids[0] + at}; "
                "the tokenizer is not in this family's layout"
            )
        if name == "unit" and self.family.first_unit_id not in (None, ids[0]):
            raise ValueError(
                f"'{units[0]}' has id {ids[0]}, the family record says {self.family.first_unit_id}; correct one of them"
            )
        split = self.tokenizer("".join(units), add_special_tokens=False).input_ids
        split = [index for index in split if self._strings.get(index) != BLANK]
        if split != ids:
            for unit in units:
                self._must_be_one_token(unit, known, "unit")
            raise ValueError(
                f"units of family '{self.family.name}' written side by side do not give their ids; the tokenizer is not in this layout"
            )


def _detected_family(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Family:
    """The family that the folder names in ``spiritlens.json``, else the one whose strings the tokenizer has."""
    from spiritlens.prompts.families import family_named

    record = folder / "spiritlens.json"
    if record.is_file():
        values = json.loads(record.read_text())
        family = family_named(str(values.get("family", "embedded")))
        return family.replace(n_units=int(values.get("n_units", family.n_units)))
    return family_of_strings(tokenizer.get_vocab())


def _config_size(folder: Path) -> int | None:
    config = folder / "config.json"
    return int(json.loads(config.read_text()).get("vocab_size", 0)) or None if config.is_file() else None


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)


def _runs(items: list[int], keys: list[bool]) -> list[tuple[bool, list[int]]]:
    runs: list[tuple[bool, list[int]]] = []
    for item, key in zip(items, keys, strict=True):
        if runs and runs[-1][0] == key:
            runs[-1][1].append(item)
        else:
            runs.append((key, [item]))
    return runs
