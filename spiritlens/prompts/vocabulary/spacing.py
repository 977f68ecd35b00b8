"""Opening a checkpoint's tokenizer so that it gives the ids of the slow tokenizer that the model was trained with.

See `spiritlens.prompts.vocabulary.vocabulary` for the spacings. A ``tokenizer.model`` is put on the fast backend by
`spiritlens.prompts.vocabulary.sentencepieces`; SentencePiece itself writes each string first (blanks, normalisation),
so that its settings hold, and a few strings are compared with its ids when the folder is opened. A ``tokenizer.json``
is taken as it is saved. In a family that reads lower case, every string is brought to it here, markers excepted: so
``lens.model.to_tokens``, `Vocabulary.encode` and a prompt give the same ids.
"""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from spiritlens.arguments import shown
from spiritlens.prompts.vocabulary.families import family_of_strings
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.prompts.vocabulary.sentencepieces import (
    CONTROL,
    USER_DEFINED,
    Parted,
    Spacing,
    Speller,
    fast_backend,
    read_pieces,
    with_tokens,
)
from spiritlens.prompts.vocabulary.spelling import SpelledTokenizer, Spelling
from spiritlens.prompts.vocabulary.tokenizer_files import (
    CONFIG,
    NAMED,
    RECORD,
    AddedTokens,
    add_listed,
    content,
    family_of_record,
    further_special,
    read_added,
    read_settings,
)
from spiritlens.warn import warn

FILES = ("tokenizer.model", "tokenizer.json", CONFIG, "special_tokens_map.json", "added_tokens.json", RECORD)
PROBES = (
    "the capital of France is",
    "The  Eiffel   Tower ",
    " a blank before",
    "\ttab and\nline",
    "São Paulo, Zürich; na\u0308ive e\u0301te\u0301 ệ",
    "ﬁne ½ Ⅳ ｆｕｌｌ 東京 🙂",
    "In 2023 it's 3,141.59 (+44) AT&T!",
)
"""Strings whose ids are compared when a folder is opened: blanks, letters of both forms, signs, digits, the unknown."""


def open_tokenizer(
    folder: Path, family: Family | None = None, rows: int | None = None
) -> tuple[SpelledTokenizer, Family, Spacing]:
    """The tokenizer of a checkpoint folder, its family (detected unless given) and its spacing.

    ``rows`` are the embedding's, where they are known: a padding token beyond them is left out.
    """
    if not folder.exists():
        raise ValueError(f"there is no folder '{folder}'; give the checkpoint's folder")
    if not folder.is_dir():
        raise ValueError(f"'{folder}' is a file; give the checkpoint's folder, which holds tokenizer.model")
    settings = read_settings(folder)
    pieces = folder / "tokenizer.model"
    if pieces.is_file() and not (_is_of_tiktoken(pieces) and (folder / "tokenizer.json").is_file()):
        return _open_pieces(pieces, settings, family, rows)
    if (folder / "tokenizer.json").is_file():
        return _open_saved(folder, settings, family)
    raise ValueError(
        f"'{folder}' has neither tokenizer.model nor tokenizer.json; copy the checkpoint's tokenizer into it"
    )


def writes_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer begins a string with its beginning-of-sequence token."""
    bos = tokenizer.bos_token_id
    return bos is not None and bool(tokenizer("a").input_ids[:1] == [bos])


# ---- tokenizer.model -------------------------------------------------------------------------------------------------


def _open_pieces(
    path: Path, settings: dict[str, Any], family: Family | None, rows: int | None
) -> tuple[SpelledTokenizer, Family, Spacing]:
    """A SentencePiece model with the folder's added tokens."""
    folder, plain = path.parent, read_pieces(path)
    added = read_added(folder, settings)
    named = _named(plain, settings, folder)
    tokens = _tokens(plain, settings, folder, added, named, rows)
    held = with_tokens(plain, tokens, path)
    if plain.trainer_spec.model_type == 1 and len(held.pieces) - len(plain.pieces) > len(set(tokens) - _ids(plain)):
        raise ValueError(f"{folder}: the ids of the added tokens leave gaps, which a Unigram model cannot have")
    family = family or family_of_record(folder) or family_of_strings({piece.piece for piece in held.pieces})
    special = _special(held, tokens, added, named, further_special(folder, settings))
    parted = Parted(tuple(special), tuple(added.take_blanks))
    spacing = _spacing(plain, family, settings)
    before = settings.get("add_prefix_space")
    blank_before = before if isinstance(before, bool) else bool(plain.normalizer_spec.add_dummy_prefix)
    spelling = Spelling(parted, family.text_case == "lower", Speller(held, parted, spacing, blank_before))
    tokenizer = SpelledTokenizer(
        tokenizer_object=fast_backend(held, special, blank_before),
        **{name: token for name, token in named.items() if token in special},
        **_kept(settings),
        add_bos_token=named["bos_token"] in special and _adds_bos(settings, family),
        add_eos_token=False,  # a prompt is to be continued
    )
    _finish(tokenizer, spelling, folder)
    _check_probes(tokenizer, spelling, path)
    return tokenizer, family, spacing


def _ids(model: Any) -> set[int]:
    return set(range(len(model.pieces)))


def _named(model: Any, settings: dict[str, Any], folder: Path) -> dict[str, str | None]:
    """Beginning, end, unknown and padding: as the settings say, else as the model file itself names them."""
    trainer, size = model.trainer_spec, len(model.pieces)
    own = {"bos_token": trainer.bos_id, "eos_token": trainer.eos_id, "unk_token": trainer.unk_id}
    found: dict[str, str | None] = {}
    for name in NAMED:
        index = own.get(name, -1)
        inside = model.pieces[index].piece if 0 <= index < size else None
        found[name] = content(settings.get(name), name, folder) or inside
    return found


def _tokens(
    model: Any,
    settings: dict[str, Any],
    folder: Path,
    added: AddedTokens,
    named: dict[str, str | None],
    rows: int | None,
) -> dict[int, str]:
    """Added tokens by id; special tokens that no file gives an id come after the others, where there are rows."""
    tokens, pad = dict(added.by_id), named["pad_token"]
    known = {piece.piece for piece in model.pieces} | set(tokens.values())
    further = [token for token in further_special(folder, settings) if token not in known]
    missing = [token for token in dict.fromkeys([*named.values(), *further]) if token and token not in known]
    for token in missing:
        tokens[max(len(model.pieces) - 1, *tokens, -1) + 1] = token
    for index in [index for index, token in tokens.items() if rows is not None and index >= rows]:
        if tokens[index] == pad:
            warn(f"{folder}: the padding token {pad!r} (id {index}) has no row in the embedding of {rows}: left out")
            del tokens[index]
        elif tokens[index] in missing:
            raise ValueError(
                f"{folder}: the special token {tokens[index]!r} is neither a piece nor an added token, and the "
                f"embedding of {rows} rows has none for it; name one of the tokenizer's own in {CONFIG}"
            )
    return tokens


def _special(
    held: Any, tokens: dict[int, str], added: AddedTokens, named: dict[str, str | None], further: list[str]
) -> dict[str, bool]:
    """The strings that stand for themselves, and whether they are special, in the order of their ids."""
    marked = added.special | {token for token in named.values() if token} | set(further)
    own = {index: piece.piece for index, piece in enumerate(held.pieces) if piece.type in (CONTROL, USER_DEFINED)}
    own |= {index: piece.piece for index, piece in enumerate(held.pieces) if piece.piece in marked} | tokens
    controls = {piece.piece for piece in held.pieces if piece.type == CONTROL}
    return {token: token in marked or token in controls for _, token in sorted(own.items())}


def _kept(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that change no ids and that users of the tokenizer look for."""
    longest = settings.get("model_max_length")
    kept = {"model_max_length": longest} if isinstance(longest, (int, float)) and longest > 0 else {}
    template = settings.get("chat_template")
    return kept | ({"chat_template": template} if isinstance(template, str) else {})


def _adds_bos(settings: dict[str, Any], family: Family) -> bool:
    return family.beginning == "always" or settings.get("add_bos_token") is not False


def _spacing(model: Any, family: Family, settings: dict[str, Any]) -> Spacing:
    """As the markers are laid out in the files, unless the family says it."""
    if family.space_after_bos != "detect":
        return "first" if family.space_after_bos == "none" else "whole"
    marks = {*family.markers, *(stream.unit(0) for stream in family.all_streams())}
    if any(piece.piece in marks for piece in model.pieces):
        return "whole"
    return "whole" if settings.get("legacy", True) is False else "chunks"


def _check_probes(tokenizer: SpelledTokenizer, spelling: Spelling, path: Path) -> None:
    """Compare a few strings with SentencePiece's own ids."""
    speller, probes = spelling.speller, list(PROBES)
    if speller is None:
        return
    if speller.spacing != "chunks":  # there the texts between tokens are spelled one by one, as these are
        special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        others = special | set(spelling.parted.taking_blanks)  # SentencePiece reads a control symbol as letters
        marks = [mark for mark in spelling.parted.tokens if mark not in others][:2]
        probes += [f"{marks[0]} the capital {marks[-1]}{marks[0]} is"] if marks else []
    for probe in probes:
        found = tokenizer(probe, add_special_tokens=False).input_ids
        expected = speller.ids(spelling.cased(probe).text)
        if found != expected:
            raise ValueError(
                f"{path}: for {probe!r} the fast tokenizer gives {shown(tokenizer.convert_ids_to_tokens(found))}, "
                f"SentencePiece {shown(tokenizer.convert_ids_to_tokens(expected))}: this model is not reproduced; use "
                "a checkpoint with another tokenizer, or give its tokenizer.json in place of tokenizer.model"
            )


# ---- tokenizer.json --------------------------------------------------------------------------------------------------


def _is_of_tiktoken(path: Path) -> bool:
    """Whether a ``tokenizer.model`` is Llama 3's list of base64 pieces and ranks, no SentencePiece model."""
    with path.open("rb") as file:
        first = file.readline(400).split()
    return len(first) == 2 and first[1].isdigit()


def _open_saved(
    folder: Path, settings: dict[str, Any], family: Family | None
) -> tuple[SpelledTokenizer, Family, Spacing]:
    """A saved fast tokenizer, as it is."""
    path = folder / "tokenizer.json"
    try:
        backend = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exceptions
        raise ValueError(f"{path} cannot be read ({error}); copy the checkpoint's tokenizer.json again") from None
    if getattr(backend.model, "dropout", None):
        raise ValueError(
            f"{path}: its model has dropout {backend.model.dropout:g}, so that its ids are random; set dropout to null"
        )
    add_listed(backend, read_added(folder, settings), folder)
    named = {name: content(settings.get(name), name, folder) for name in NAMED}
    for name, wanted in named.items():
        if wanted is not None and backend.token_to_id(wanted) is None and name != "pad_token":
            raise ValueError(
                f"{folder / CONFIG}: {name} {wanted!r} is not in tokenizer.json; use the files of one checkpoint"
            )
    missing = [token for token in further_special(folder, settings) if backend.token_to_id(token) is None]
    if missing:
        raise ValueError(
            f"{folder / CONFIG}: the special token {missing[0]!r} is not in tokenizer.json, so that no file gives it "
            "an id; use the files of one checkpoint"
        )
    family = family or family_of_record(folder) or family_of_strings(backend.get_vocab())
    tokenizer = SpelledTokenizer(
        tokenizer_object=backend,
        **{
            name: token for name, token in named.items() if token is not None and backend.token_to_id(token) is not None
        },
        **_kept(settings),
    )
    tokens = tuple(str(token) for token in tokenizer.added_tokens_decoder.values())
    spelling = Spelling(Parted(tokens), family.text_case == "lower")
    _finish(tokenizer, spelling, folder)
    _check_beginning(tokenizer, path)
    _check_saved(tokenizer, spelling, path)
    return tokenizer, family, "saved"


def _check_beginning(tokenizer: SpelledTokenizer, path: Path) -> None:
    """What the tokenizer writes before a string is its beginning-of-sequence token, or nothing."""
    whole, bare = (tokenizer("a", add_special_tokens=special).input_ids for special in (True, False))
    end = next((place for place in range(len(whole)) if whole[place : place + len(bare)] == bare), 0)
    before = whole[:end]
    if before and before != [tokenizer.bos_token_id]:
        raise ValueError(
            f"{path} begins a string with {tokenizer.convert_ids_to_tokens(before)}, but bos_token is "
            f"{tokenizer.bos_token!r} in {CONFIG}: prompts begin with that one token or with none; name it there"
        )


def _check_saved(tokenizer: SpelledTokenizer, spelling: Spelling, path: Path) -> None:
    """Compare a few strings, markers among them, with the ids of the saved file by itself."""
    saved = Tokenizer.from_file(str(path))
    saved.no_padding()
    saved.no_truncation()
    marks = [mark for mark in spelling.parted.tokens if saved.token_to_id(mark) is not None][:2]
    for probe in (*PROBES, *([f"{marks[0]} the capital {marks[-1]}{marks[0]} is"] if marks else [])):
        found = tokenizer(probe, add_special_tokens=False).input_ids
        expected = saved.encode(spelling.cased(probe).text, add_special_tokens=False).ids
        if found != expected:
            raise ValueError(
                f"{path}: for {probe!r} the opened tokenizer gives {shown(tokenizer.convert_ids_to_tokens(found))}, "
                f"the file by itself {shown(tokenizer.convert_ids_to_tokens(expected))}: a setting beside it changes "
                f"how texts are read; take it out of {CONFIG}, or save the tokenizer anew"
            )


def _finish(tokenizer: SpelledTokenizer, spelling: Spelling, folder: Path) -> None:
    tokenizer.spell, tokenizer.own_files = spelling, tuple(folder / name for name in FILES)
    if tokenizer.pad_token_id is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token  # TransformerLens pads every call, of a single string too
