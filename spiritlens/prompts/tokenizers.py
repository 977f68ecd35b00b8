"""Opening a checkpoint's tokenizer so that it gives the ids of the slow tokenizer that the model was trained with.

See `spiritlens.prompts.vocabulary` for the four spacings. transformers 5 builds every tokenizer on one fast backend,
and the spacing is set there: ``chunks`` prepends ``▁`` to every text between markers, ``first`` to a text that begins
the string, ``whole`` to the string as such, which the backend cannot say of a string that begins with a marker and
`SpacedTokenizer` therefore does itself.
"""

import json
from pathlib import Path
from typing import Any, Literal

from sentencepiece import SentencePieceProcessor
from tokenizers import decoders, normalizers, pre_tokenizers
from transformers import AutoTokenizer, LlamaTokenizer

from spiritlens.prompts.families import Family, family_named, family_of_strings

Spacing = Literal["whole", "chunks", "first", "saved"]

RECORD = "spiritlens.json"


class SpacedTokenizer(LlamaTokenizer):  # type: ignore[misc]
    """A Llama tokenizer with a settled spacing; ``whole`` puts one blank before the string, whatever it begins with."""

    spacing: Spacing = "first"

    def _encode_plus(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._encode_plus(_with_blank(text) if self.spacing == "whole" else text, *args, **kwargs)

    def set_spacing(self, spacing: Spacing) -> None:
        """Let the backend write blanks as the spacing says."""
        self.spacing = spacing
        backend = self.backend_tokenizer
        backend.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        blank = normalizers.Replace(" ", "▁")
        if spacing == "first":
            backend.normalizer = None
            backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
            return
        chunks = spacing == "chunks"
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), blank]) if chunks else blank
        backend.pre_tokenizer = None


def open_tokenizer(folder: Path, family: Family | None = None) -> tuple[Any, Family, Spacing]:
    """The tokenizer of a checkpoint folder, its family (detected unless given) and its spacing."""
    if not folder.exists():
        raise ValueError(f"there is no folder '{folder}'; give the checkpoint's folder")
    if not folder.is_dir():
        raise ValueError(f"'{folder}' is a file; give the checkpoint's folder, which holds tokenizer.model")
    if (folder / "tokenizer.model").is_file():
        tokenizer = _read(SpacedTokenizer, folder, add_bos_token=True)
        family = family or _family(folder, tokenizer)
        tokenizer.set_spacing(_spacing(folder, family))
        return tokenizer, family, tokenizer.spacing
    if (folder / "tokenizer.json").is_file():
        tokenizer = _read(AutoTokenizer, folder)
        return tokenizer, family or _family(folder, tokenizer), "saved"
    raise ValueError(
        f"'{folder}' has neither tokenizer.model nor tokenizer.json; copy the checkpoint's tokenizer into it"
    )


def _read(kind: Any, folder: Path, **settings: Any) -> Any:
    try:
        tokenizer = kind.from_pretrained(folder, **settings)
    except Exception as error:  # transformers, sentencepiece and tokenizers each raise their own
        raise ValueError(f"the tokenizer files in '{folder}' cannot be read ({error}); copy them again") from error
    if tokenizer.pad_token_id is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token  # TransformerLens pads every call, of a single string too
    return tokenizer


def writes_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer begins a string with its beginning-of-sequence token."""
    bos = tokenizer.bos_token_id
    return bos is not None and bool(tokenizer("a").input_ids[:1] == [bos])


def _family(folder: Path, tokenizer: Any) -> Family:
    """The family that the folder names in ``spiritlens.json``, else the one whose strings the tokenizer has."""
    record = folder / RECORD
    if not record.is_file():
        return family_of_strings(tokenizer.get_vocab())
    values = json.loads(record.read_text(encoding="utf-8"))
    family = family_named(str(values.get("family", "embedded")))
    rate = float(values.get("unit_rate", family.unit_rate))
    return family.replace(
        n_units=int(values.get("n_units", family.n_units)),
        unit_rate=rate,
        order_rate=rate if "unit_rate" in values else family.order_rate,
        encoder=dict(values.get("encoder", family.encoder)),
    )


def untrained_ids(folder: Path) -> frozenset[int]:
    """The pieces that training never touched, as far as the folder's ``spiritlens.json`` names them."""
    record = folder / RECORD
    return (
        frozenset(json.loads(record.read_text(encoding="utf-8")).get("untrained_ids", ()))
        if record.is_file()
        else frozenset()
    )


def _spacing(folder: Path, family: Family) -> Spacing:
    if family.space_after_bos != "detect":
        return "first" if family.space_after_bos == "none" else "whole"
    pieces = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    marks = (*family.markers, *(stream.unit(0) for stream in family.all_streams()))
    if any(pieces.piece_to_id(mark) != pieces.unk_id() for mark in marks):
        return "whole"
    config = folder / "tokenizer_config.json"
    values = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    return "whole" if values.get("legacy", True) is False else "chunks"


def _with_blank(text: Any) -> Any:
    """One blank before a string, or before each string of a list; an empty string stays empty."""
    if isinstance(text, str):
        return f" {text}" if text else text
    return [_with_blank(item) for item in text]
