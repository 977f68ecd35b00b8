"""What the JSON files beside a tokenizer say: its special and added tokens, its settings, and ``spiritlens.json``.

Read as they were written by many programs: a special token is a string, an object with its ``content``, null or (in the
first conversions of LLaMA) the empty string, the last two of which say nothing. Added tokens stand in
``tokenizer_config.json`` (``added_tokens_decoder``), in ``added_tokens.json``, or in the ``tokenizer.json`` that was
saved beside the model. No file's code is run: a folder whose ``auto_map`` asks for its own tokenizer class is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from spiritlens.arguments import number, once, shown, whole
from spiritlens.prompts.vocabulary.families import FAMILIES, family_named
from spiritlens.prompts.vocabulary.family import Family

RECORD = "spiritlens.json"
CONFIG = "tokenizer_config.json"
FILES = "use the checkpoint's own tokenizer files (tokenizer.model with tokenizer_config.json, or tokenizer.json)"
SAMPLED = ("enable_sampling", "add_bos", "add_eos", "reverse")
"""Arguments of SentencePiece (``sp_model_kwargs``) that change ids."""
NAMED = ("bos_token", "eos_token", "unk_token", "pad_token")


@dataclass(frozen=True)
class AddedTokens:
    """Added tokens by id, which of them are special, take blanks beside them, or match a normalised text."""

    by_id: Mapping[int, str]
    special: frozenset[str]
    take_blanks: frozenset[str]
    normalized: frozenset[str] = frozenset()


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is no such file."""
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as JSON ({error}); copy it again") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds {shown(values, 40)}; expected a JSON object")
    return values


def read_settings(folder: Path) -> dict[str, Any]:
    """``tokenizer_config.json``, with the special tokens of ``special_tokens_map.json`` where it names none."""
    values = read_object(folder / CONFIG)
    if values.get("auto_map"):
        raise ValueError(
            f"{folder / CONFIG}: auto_map asks for code of the folder's own ({shown(values['auto_map'])}), which is "
            "never run here; use the tokenizer's files without it, or take auto_map out of the file if the plain "
            "tokenizer.model or tokenizer.json gives the same ids"
        )
    _check_settings(values, folder / CONFIG)
    mapped = read_object(folder / "special_tokens_map.json")
    return {**mapped, **{name: value for name, value in values.items() if value is not None}}


def _check_settings(values: Mapping[str, Any], path: Path) -> None:
    """Refuse settings that change ids and are not followed."""
    if values.get("split_special_tokens"):
        raise ValueError(
            f"{path}: split_special_tokens asks for special tokens to be read as letters, which is not reproduced; "
            "take it out"
        )
    given = values.get("sp_model_kwargs") or {}
    if not isinstance(given, dict):
        raise ValueError(f"{path}: sp_model_kwargs is {shown(given)}; expected an object of SentencePiece's arguments")
    for name in SAMPLED:
        if given.get(name):
            why = (
                "sampled pieces; ids would be random" if name == "enable_sampling" else f"{name}, which is not followed"
            )
            raise ValueError(f"{path}: sp_model_kwargs asks for {why}, take it out")


def content(value: Any, name: str, folder: Path) -> str | None:
    """The string of a special token, None where the files say nothing of it."""
    found = value.get("content") if isinstance(value, dict) else value
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise ValueError(f"{folder / CONFIG}: {name} is {shown(value)}; expected a string, or an object with content")
    return found


def read_added(folder: Path, settings: Mapping[str, Any]) -> AddedTokens:
    """The folder's added tokens, from all its files; files that contradict one another are refused."""
    by_id: dict[int, str] = {}
    special: set[str] = set()
    take_blanks: set[str] = set()
    normalized: set[str] = set()
    for place, index, value in _listed_tokens(folder, settings):
        token = content(value, f"the token of id {index!r}", folder)
        try:
            key = int(index)
        except (TypeError, ValueError):
            raise ValueError(f"{folder / place}: the id {shown(index)} of {token!r} is no whole number") from None
        if token is None:
            continue
        if by_id.setdefault(key, token) != token or key < 0:
            raise ValueError(
                f"{folder / place}: id {key} is {token!r} there, and {by_id[key]!r} in another of the folder's files; "
                "use the files of one checkpoint"
            )
        flags = value if isinstance(value, dict) else {}
        if flags.get("single_word") is True and place != "tokenizer.json":
            raise ValueError(
                f"{folder / place}: the token {token!r} is one only where it is a whole word (single_word), which is "
                "not reproduced; set single_word to false where the model was trained so"
            )
        special |= {token} if flags.get("special") is True else set()
        take_blanks |= {token} if flags.get("lstrip") is True or flags.get("rstrip") is True else set()
        normalized |= {token} if flags.get("normalized") is True else set()
    return AddedTokens(by_id, frozenset(special), frozenset(take_blanks), frozenset(normalized))


def _listed_tokens(folder: Path, settings: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """File, id and value of every added token that a file lists."""
    decoder = settings.get("added_tokens_decoder") or {}
    if not isinstance(decoder, dict):
        raise ValueError(f"{folder / CONFIG}: added_tokens_decoder is {shown(decoder)}; expected an object by id")
    found: list[tuple[str, Any, Any]] = [(CONFIG, index, value) for index, value in decoder.items()]
    found += [("added_tokens.json", i, token) for token, i in read_object(folder / "added_tokens.json").items()]
    saved = read_object(folder / "tokenizer.json").get("added_tokens") or []
    return found + [("tokenizer.json", token.get("id"), token) for token in saved if isinstance(token, dict)]


def add_listed(backend: Tokenizer, added: AddedTokens, folder: Path) -> None:
    """Add the tokens that other files list to a saved tokenizer; files that contradict one another are refused."""
    for index, token in sorted(added.by_id.items()):
        saved = next((own for own in backend.get_added_tokens_decoder().values() if own.content == token), None)
        fault = ""
        if token in added.take_blanks and not (saved and (saved.lstrip or saved.rstrip)):
            fault = "takes blanks beside it (lstrip or rstrip)"
        elif saved is None and token in added.normalized and backend.normalizer:
            written = backend.normalizer.normalize_str(token).lstrip("▁")
            fault = f"is looked for as {written!r} (normalized)" if written != token else ""
        if fault:
            raise ValueError(
                f"{folder}: the added token {token!r} {fault} in {CONFIG}, and not in tokenizer.json; use the files of "
                "one checkpoint"
            )
        if backend.token_to_id(token) is None:
            backend.add_tokens([AddedToken(token, normalized=False, special=token in added.special)])
        if backend.token_to_id(token) != index:
            raise ValueError(
                f"{folder}: the added token {token!r} has id {index} in {CONFIG}, {backend.token_to_id(token)} in "
                "tokenizer.json; use the files of one checkpoint"
            )


def further_special(folder: Path, settings: Mapping[str, Any]) -> list[str]:
    """Special tokens beyond the named ones."""
    listed = settings.get("additional_special_tokens") or settings.get("extra_special_tokens") or []
    if not isinstance(listed, (dict, list)):
        raise ValueError(f"{folder / CONFIG}: additional special tokens are {shown(listed)}; expected a list of them")
    values = list(listed.values()) if isinstance(listed, dict) else listed
    found = [content(value, "additional_special_tokens", folder) for value in values]
    return [token for token in found if token is not None]


def family_of_record(folder: Path) -> Family | None:
    """The family that the folder names in ``spiritlens.json``; None where it has no such file."""
    path = folder / RECORD
    if not path.is_file():
        return None
    values = read_object(path)
    try:
        family = family_named(values.get("family", "embedded"))
        rate = number("unit_rate", values.get("unit_rate", family.unit_rate), above=0, below=float("inf"))
        encoder = values.get("encoder", family.encoder)
        if not isinstance(encoder, dict):
            raise ValueError(f"encoder={shown(encoder)}: expected an object such as {{'kind': 'hubert', 'layer': 3}}")
        return family.replace(
            n_units=whole("n_units", values.get("n_units", family.n_units), at_least=0),
            unit_rate=rate,
            order_rate=rate if "unit_rate" in values else family.order_rate,
            encoder=dict(encoder),
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def untrained_ids(folder: Path, rows: int) -> frozenset[int]:
    """The pieces that training never touched, as far as the folder's ``spiritlens.json`` names them."""
    listed = read_object(folder / RECORD).get("untrained_ids", [])
    if not isinstance(listed, list):
        raise ValueError(f"{folder / RECORD}: untrained_ids is {shown(listed)}; expected a list of ids")
    try:
        return frozenset(whole("untrained_ids", index, at_least=0, at_most=rows - 1) for index in listed)
    except ValueError as error:
        raise ValueError(f"{folder / RECORD}: {error}: the ids are rows of the embedding") from None


def embedding_rows(folder: Path) -> int | None:
    """The embedding's rows by ``config.json``; None where it does not say them."""
    size = read_object(folder / "config.json").get("vocab_size")
    try:
        return None if not size else whole("vocab_size", size, at_least=1)
    except ValueError as error:
        raise ValueError(f"{folder / 'config.json'}: {error}") from None


def refuse_missing_units(folder: Path, size: int, n_tokens: int) -> None:
    """A folder with as many embedding rows as a released speech-text checkpoint, but with a tokenizer of text alone."""
    for family in FAMILIES.values():
        if family.rows == size != n_tokens:
            raise ValueError(
                f"'{folder}' has the {size} embedding rows of {family.name}, but its tokenizer has {n_tokens} tokens "
                f"and no unit '{family.stream('unit').unit(0)}'; {FILES}, or pass family=TEXT_ONLY for a text model"
            )


def refuse_cut_units(folder: Path, found: Family, rows: int, n_tokens: int) -> None:
    """A tokenizer with fewer units than its family, where the embedding has rows enough for the others."""
    if found.name not in FAMILIES:
        return
    for stream, full in zip(found.all_streams(), FAMILIES[found.name].all_streams(), strict=False):
        lacking = full.count - stream.count
        if 0 < lacking <= rows - n_tokens:
            raise ValueError(
                f"'{folder}' has {stream.count} of the {full.count} {stream.name} tokens of {found.name}, and "
                f"{rows - n_tokens} rows of its embedding have no name: '{full.unit(stream.count)}' and later ones are "
                f"missing from the tokenizer; {FILES}, or give the family with this number by "
                f"family_named({found.name!r}).replace(n_units={found.n_units})"
            )
