"""Opening a checkpoint's tokenizer so that it gives the ids of the slow tokenizer that the model was trained with.

See `spiritlens.prompts.vocabulary` for the four spacings. transformers 5 builds every tokenizer on one fast backend; the
spacing is set there: ``chunks`` prepends ``▁`` to every text between markers, ``first`` to a text that begins the string,
``whole`` to the string as such, which the backend cannot say and `WholeStringTokenizer` does.
"""

import json
from pathlib import Path
from typing import Any, Literal

from tokenizers import normalizers, pre_tokenizers
from transformers import AutoTokenizer, LlamaTokenizer

from spiritlens.prompts.families import Family

Spacing = Literal["whole", "chunks", "first", "saved"]


class WholeStringTokenizer(LlamaTokenizer):  # type: ignore[misc]
    """A Llama tokenizer that puts one blank before the whole string, also where the string begins with a marker."""

    def _encode_plus(self, text: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._encode_plus(_with_blank(text), *args, **kwargs)


def open_tokenizer(folder: Path, family: Family | None = None) -> tuple[Any, Spacing]:
    """The tokenizer of a folder and its spacing (``family`` may settle the spacing; else the layout tells)."""
    if not folder.is_dir():
        raise ValueError(
            f"'{folder}' is not a folder; give the checkpoint's folder, with its tokenizer.model or tokenizer.json"
        )
    if (folder / "tokenizer.model").is_file():
        spacing = _spacing(folder, family)
        kind = WholeStringTokenizer if spacing == "whole" else LlamaTokenizer
        tokenizer = kind.from_pretrained(folder, add_bos_token=True)
        _set_spacing(tokenizer, spacing)
        return tokenizer, spacing
    if (folder / "tokenizer.json").is_file():
        return AutoTokenizer.from_pretrained(folder), "saved"
    raise ValueError(
        f"'{folder}' has neither tokenizer.model nor tokenizer.json; copy the checkpoint's tokenizer files into it"
    )


def _spacing(folder: Path, family: Family | None) -> Spacing:
    policy = family.space_after_bos if family else _policy_of_folder(folder)
    if policy == "none":
        return "first"
    if policy == "piece":
        return "whole"
    config = _config(folder)
    named = [token.get("content", "") for token in config.get("added_tokens_decoder", {}).values()]
    added = [content for content in named if content not in ("<s>", "</s>", "<unk>", "<pad>")]
    return "chunks" if added and config.get("legacy", True) is not False else "whole"


def _policy_of_folder(folder: Path) -> str:
    """The embedded model's folder says in ``spiritlens.json`` that it is one; every other is detected."""
    record = folder / "spiritlens.json"
    if not record.is_file():
        return "detect"
    from spiritlens.prompts.families import family_named

    return family_named(str(json.loads(record.read_text()).get("family", "embedded"))).space_after_bos


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _set_spacing(tokenizer: Any, spacing: Spacing) -> None:
    backend = tokenizer.backend_tokenizer
    blank = normalizers.Replace(" ", "▁")
    if spacing == "first":
        backend.normalizer = None
        backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
        return
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), blank]) if spacing == "chunks" else blank
    backend.pre_tokenizer = None


def _with_blank(text: Any) -> Any:
    """One blank before a string, or before each string of a list; an empty string stays empty."""
    if isinstance(text, str):
        return " " + text if text else text
    return [_with_blank(item) for item in text]
