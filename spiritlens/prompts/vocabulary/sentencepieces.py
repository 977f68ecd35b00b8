"""A SentencePiece model file (``tokenizer.model``) on the fast backend, with SentencePiece's own ids.

What SentencePiece does before it looks for pieces is said by the file: a normalisation rule (``nmt_nfkc`` writes the
letter and its accent as one, a tab as a blank), ``remove_extra_whitespaces`` (blanks at the ends go, blanks in a row
become one), ``add_dummy_prefix`` (a blank before the text). The fast backend knows none of it exactly: its own
``Precompiled`` normaliser gives ``ẹ`` for an ``ệ`` written as three characters. A `Speller` therefore asks
SentencePiece to write the text, says which character of the text each written one came from, and the backend only
looks for pieces.

Added tokens are known to the speller as pieces of their own, which stay as they are and part the text around them.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from google.protobuf.message import DecodeError
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from spiritlens.arguments import shown

Spacing = Literal["whole", "chunks", "first", "saved"]
"""Where blanks are put before texts: see `spiritlens.prompts.vocabulary.vocabulary`."""

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
PIECE_KINDS = {1: "Unigram", 2: "BPE", 3: "WORD", 4: "CHAR"}


def read_pieces(path: Path) -> Any:
    """The SentencePiece model in a file, refused where it is none or has a setting that is not reproduced."""
    data = path.read_bytes()
    model = sentencepiece_model_pb2.ModelProto()
    with suppress(DecodeError):
        model.ParseFromString(data)
    unknown = [piece for piece in model.pieces if piece.type == UNKNOWN]
    if len(unknown) != 1 or not model.IsInitialized():
        reason = (
            "is empty"
            if not data
            else "is a Git LFS pointer, not the file itself (git lfs pull)"
            if data.startswith(b"version https://git-lfs")
            else "is no SentencePiece model"
        )
        raise ValueError(f"{path} {reason}, so that it cannot be read; copy the checkpoint's tokenizer.model again")
    _check_reproducible(model, path)
    return model


def _check_reproducible(model: Any, path: Path) -> None:
    """Refuse by name what the backend cannot do as SentencePiece does it."""
    trainer, written = model.trainer_spec, model.normalizer_spec
    kind = PIECE_KINDS.get(trainer.model_type, str(trainer.model_type))
    unused = next((piece.piece for piece in model.pieces if piece.type == UNUSED), None)
    faults = {
        f"model_type {kind} (expected BPE or Unigram)": kind not in ("BPE", "Unigram"),
        "treat_whitespace_as_suffix true (blanks after words)": trainer.treat_whitespace_as_suffix,
        "escape_whitespaces false (blanks that are not written ▁)": not written.escape_whitespaces,
        f"the piece {unused!r} of type UNUSED": unused is not None,
    }
    for fault, found in faults.items():
        if found:
            raise ValueError(
                f"{path}: its setting {fault} is not reproduced here, and other ids than SentencePiece's would come "
                "out; use a checkpoint with another tokenizer, or give its tokenizer.json in place of tokenizer.model"
            )


def with_tokens(model: Any, tokens: Mapping[int, str], path: Path) -> Any:
    """A copy of the model in which these tokens are pieces that stand for themselves, at their ids.

    Ids that no token has, between the last piece and the last token, become unused pieces without a string.
    """
    held = type(model)()
    held.CopyFrom(model)
    for index in range(len(held.pieces), max(tokens, default=-1) + 1):
        held.pieces.add(piece=f"\ue000{index}", score=0.0, type=UNUSED)
    for index, token in tokens.items():
        piece = held.pieces[index]
        if piece.piece != token and piece.type in (NORMAL, BYTE):
            raise ValueError(
                f"{path.parent}: id {index} is the piece {piece.piece!r} in {path.name} and the added token {token!r} "
                "in another file; use the files of one checkpoint"
            )
        if piece.piece != token or piece.type == UNUSED:
            piece.piece, piece.type = token, USER_DEFINED
    places: dict[str, int] = {}
    for index, piece in enumerate(held.pieces):
        if places.setdefault(piece.piece, index) != index:
            raise ValueError(
                f"{path.parent}: the token {piece.piece!r} has two ids, {places[piece.piece]} and {index}; use the "
                "added tokens of this checkpoint (added_tokens.json, tokenizer_config.json)"
            )
    return held


def fast_backend(model: Any, special: Mapping[str, bool], blank_before: bool) -> Tokenizer:
    """The model's pieces on the fast backend; ``special`` are its added tokens, and whether they are special.

    Decoding takes off the blank that is put before a text, where one is.
    """
    unknown = next(index for index, piece in enumerate(model.pieces) if piece.type == UNKNOWN)
    bytes_for_unknown = any(piece.type == BYTE for piece in model.pieces)
    backend = Tokenizer(
        models.BPE(
            vocab={piece.piece: index for index, piece in enumerate(model.pieces) if piece.type != UNUSED},
            merges=_merges(model),
            unk_token=model.pieces[unknown].piece,
            fuse_unk=True,
            byte_fallback=bytes_for_unknown,
        )
        if model.trainer_spec.model_type == 2
        else models.Unigram([(piece.piece, piece.score) for piece in model.pieces], unknown, bytes_for_unknown)
    )
    backend.normalizer = normalizers.Replace(" ", "▁")
    first = [decoders.Strip(" ", 1, 0)] if blank_before else []
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *first])
    backend.add_tokens([AddedToken(token, normalized=False, special=flag) for token, flag in special.items()])
    return backend


def _merges(model: Any) -> list[tuple[str, str]]:
    """Pairs of pieces that make a piece, in the order of the made pieces' scores, the highest first."""
    normal = {piece.piece: piece.score for piece in model.pieces if piece.type in (NORMAL, USER_DEFINED)}
    made = [piece.piece for piece in model.pieces if piece.type == NORMAL and len(piece.piece) > 1]
    merges = []
    for whole in sorted(made, key=lambda piece: -normal[piece]):
        cuts = ((whole[:cut], whole[cut:]) for cut in range(1, len(whole)))
        merges += [(left, right) for left, right in cuts if left in normal and right in normal]
    return merges


@dataclass(frozen=True)
class Spelled:
    """A text as its pieces are looked for in, and for each character (and the end) its place in the text given."""

    text: str
    places: tuple[int, ...]

    def then(self, other: "Spelled") -> "Spelled":
        """What comes of spelling this text once more."""
        return Spelled(other.text, tuple(self.places[place] for place in other.places))


def unchanged(text: str) -> Spelled:
    """The text as it is."""
    return Spelled(text, tuple(range(len(text) + 1)))


def lowered(text: str) -> Spelled:
    """The text in lower case; one letter may become two (İ)."""
    places = [place for place, letter in enumerate(text) for _ in letter.lower()]
    return Spelled(text.lower(), (*places, len(text)))


def joined(parts: list[tuple[int, Spelled]], length: int) -> Spelled:
    """Spelled parts of a text, each with the place where it begins, as one."""
    places = [start + place for start, part in parts for place in part.places[:-1]]
    return Spelled("".join(part.text for _, part in parts), (*places, length))


class Parted:
    """The added tokens of a vocabulary, by which a string is parted into tokens and the texts between them."""

    def __init__(self, tokens: tuple[str, ...], blanks: tuple[str, ...] = ()) -> None:
        self.tokens, self.taking_blanks = tokens, blanks
        self._known, self._firsts = frozenset(tokens), frozenset(token[0] for token in tokens if token)
        self._longest_first = sorted({len(token) for token in tokens}, reverse=True)
        eaters = "|".join(map(re.escape, blanks))
        self._eaters = re.compile(rf"\s(?:{eaters})|(?:{eaters})\s") if blanks else None

    def begins(self, string: str) -> bool:
        """Whether the string begins with a token."""
        return bool(self._token_at(string, 0))

    def _token_at(self, string: str, place: int) -> str:
        """The longest token that stands there, or nothing; a pattern of ten thousand tokens would try them all."""
        if string[place : place + 1] not in self._firsts:
            return ""
        found = (string[place : place + length] for length in self._longest_first)
        return next((token for token in found if token in self._known), "")

    def each_text(self, string: str, spell: Callable[[str], Spelled]) -> Spelled:
        """The string with its texts spelled and its tokens as they are."""
        if self._eaters is not None and (found := self._eaters.search(string)):
            raise ValueError(
                f"{found.group()!r}: the tokenizer's files let this token take blanks beside it (lstrip or rstrip), "
                "which is not reproduced; write no blank beside it"
            )
        parts, end, place = list[tuple[int, Spelled]](), 0, 0
        while place < len(string):
            token = self._token_at(string, place)
            if token:
                if place > end:
                    parts.append((end, spell(string[end:place])))
                parts.append((place, unchanged(token)))
                end = place + len(token)
            place += len(token) or 1
        if end < len(string):
            parts.append((end, spell(string[end:])))
        return joined(parts, len(string))


class Speller:
    """How SentencePiece writes a string before it looks for pieces, under one of the spacings."""

    def __init__(self, model: Any, parted: Parted, spacing: Spacing, blank_before: bool) -> None:
        self.model: bytes = model.SerializeToString()
        self.parted, self.spacing, self.blank_before = parted, spacing, blank_before

    def _processor(self, blank_before: bool) -> SentencePieceProcessor:
        held = sentencepiece_model_pb2.ModelProto()
        held.ParseFromString(self.model)
        held.normalizer_spec.add_dummy_prefix = blank_before
        return SentencePieceProcessor(model_proto=held.SerializeToString())

    @cached_property
    def _written_bytes(self) -> re.Pattern[str]:
        """The names of byte pieces where the backend finds them in a text: in a Unigram model."""
        held = sentencepiece_model_pb2.ModelProto.FromString(self.model)
        unigram = held.trainer_spec.model_type == 1
        names = [piece.piece for piece in held.pieces if unigram and piece.type == BYTE]
        return re.compile("|".join(map(re.escape, names)) or r"(?!)")

    @cached_property
    def _with_blank(self) -> SentencePieceProcessor:
        return self._processor(self.blank_before)

    @cached_property
    def _without_blank(self) -> SentencePieceProcessor:
        return self._processor(False)

    def __call__(self, string: str) -> Spelled:
        """The string, its blanks ``▁``, a first one where the spacing puts it, normalised as the file says."""
        if found := self._written_bytes.search(string):
            raise ValueError(
                f"{found.group()!r} in {shown(string)} is the name of a byte's piece: SentencePiece reads it as six "
                "signs, the fast tokenizer of a Unigram model as the byte, so that it is not reproduced; leave it out"
            )
        if self.spacing == "chunks":
            return self.parted.each_text(string, lambda text: _normalized(self._with_blank, text))
        self.parted.each_text(string, unchanged)  # refuses what takes blanks
        bare = self.spacing == "first" and self.parted.begins(string)
        return _normalized(self._without_blank if bare else self._with_blank, string)

    def ids(self, text: str) -> list[int]:
        """SentencePiece's ids of a string; under ``chunks`` of a text without tokens."""
        bare = self.spacing == "first" and self.parted.begins(text)
        return [int(index) for index in (self._without_blank if bare else self._with_blank).encode(text)]


def _normalized(processor: SentencePieceProcessor, text: str) -> Spelled:
    if not text:
        return unchanged(text)
    written, places = processor.normalize(text, with_offsets=True)
    return Spelled(written, tuple(places))
