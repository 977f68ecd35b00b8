"""The small vocabulary of planted circuits: invented subjects of two pieces, colours, units, and who knows what."""

from transformers import LlamaTokenizer

from spiritlens.models.planted import weights as circuits
from spiritlens.models.planted.weights import SubjectPiece, TokenKinds
from spiritlens.prompts.vocabulary.families import EMBEDDED
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary

FIRST_HALVES = ("mar", "tol", "ven", "sig")


LAST_HALVES = ("lo", "da", "ne", "ru")


ANSWERS = ("red", "blue", "green", "grey", "white", "black", "brown", "pink", "gold", "ruby", "lime", "teal")


UNKNOWN = "unknown"


TEMPLATES = {"plain": "the colour of {subject} is", "fronted": "everybody says that {subject} has the colour"}
"""Phrasings by name."""


N_UNITS, UNITS_PER_HALF, FRAMES_PER_UNIT = 120, 3, 2


FAMILY: Family = EMBEDDED.replace(name="planted", n_units=N_UNITS, encoder={})


def _all_codes() -> tuple[tuple[int, int], ...]:
    return tuple((first, last) for first in range(len(FIRST_HALVES)) for last in range(len(LAST_HALVES)))


KNOWN: dict[tuple[int, int], int] = {
    codes: index for index, codes in enumerate(codes for codes in _all_codes() if sum(codes) % 4 != 3)
}
"""(first code, last code) → index of the answer; the four pairs left out are strangers, one per half."""


def _subject(first: int, last: int) -> str:
    return FIRST_HALVES[first] + LAST_HALVES[last]


def _codes(subject: str) -> tuple[int, int]:
    for codes in _all_codes():
        if _subject(*codes) == subject:
            return codes
    raise ValueError(
        f"{subject!r} is no planted subject; they are {', '.join(_subject(*codes) for codes in _all_codes())}"
    )


def _carrier_words() -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for text in TEMPLATES.values() for word in text.split() if word != "{subject}"))


def _half_units(half: int, code: int) -> list[int]:
    """The three units that speak one half of a subject; units 0 … 23 belong to subjects."""
    start = (half * len(FIRST_HALVES) + code) * UNITS_PER_HALF
    return list(range(start, start + UNITS_PER_HALF))


def planted_vocabulary() -> Vocabulary:
    """Pieces for the words above (with the shorter pieces that byte-pair merges pass through), markers and units."""
    whole = [f"▁{word}" for word in (*_carrier_words(), *ANSWERS, UNKNOWN, *FIRST_HALVES)] + list(LAST_HALVES)
    ids = {"<unk>": 0, "<s>": 1, "</s>": 2}
    merges: list[tuple[str, str]] = []
    for word in whole:
        for character in word:
            ids.setdefault(character, len(ids))
        for end in range(2, len(word) + 1):
            if (merge := (word[: end - 1], word[end - 1])) not in merges:
                merges.append(merge)
            ids.setdefault(word[:end], len(ids))
    tokenizer = LlamaTokenizer(vocab=ids, merges=merges, add_bos_token=True)
    tokenizer.add_tokens([*FAMILY.markers, *(FAMILY.unit_template.format(unit) for unit in range(N_UNITS))])
    size = -(-len(tokenizer) // 8) * 8
    return Vocabulary(tokenizer, FAMILY, size, spacing="first")


def token_kinds(vocabulary: Vocabulary) -> TokenKinds:
    """What each id of the planted vocabulary stands for in a circuit."""
    pieces: dict[int, SubjectPiece] = {}
    ids = vocabulary.tokenizer.get_vocab()
    for half, halves in enumerate((FIRST_HALVES, LAST_HALVES)):
        for code, letters in enumerate(halves):
            place = "end" if half else "open"
            pieces[ids[letters if half else f"▁{letters}"]] = _piece(half, code, "text", place)
            for unit in _half_units(half, code):
                last = half == 1 and unit == _half_units(half, code)[-1]
                pieces[vocabulary.unit_id(unit)] = _piece(half, code, "speech", "end" if last else "open")
    if vocabulary.bos_id is None or vocabulary.text_marker_id is None:
        raise ValueError("planted circuits need a beginning-of-sequence token and a text marker")
    return TokenKinds(
        n_rows=vocabulary.size,
        bos=vocabulary.bos_id,
        markers=(vocabulary.text_marker_id,),
        answers=tuple(ids[f"▁{answer}"] for answer in ANSWERS),
        unknown=ids[f"▁{UNKNOWN}"],
        pieces=pieces,
        known=KNOWN,
    )


def _piece(half: int, code: int, modality: circuits.FactModality, place: str) -> SubjectPiece:
    return SubjectPiece(1 if half else 0, code, modality, "end" if place == "end" else "open")
