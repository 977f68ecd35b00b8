"""Text pieces of the embedded model: a BPE vocabulary with byte fallback where answers are whole and subjects are not.

A fact's answer must be one ordinary piece, so that one probability says whether it is recalled. A fact's subject must
be several pieces: where the subject is one piece, the last position reads it in the first layer and no early site is
left to find. Plain BPE on words so few would make whole pieces of subjects too. So the merges are chosen here: most
frequent pair first, over the answers and the words of the templates only, and a pair whose union lies inside a
subject's name is taken when no other pair is left. The result is written as a SentencePiece model of type BPE (score
= −rank of the merge), which SentencePiece and transformers' `LlamaTokenizer` both read; nothing in it is a
user-defined symbol.
"""

import io
import json
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from experiments.embedded_model.word_lists import template_words
from spiritlens.prompts.facts.fact import Fact

SPACE = "▁"
LONGEST_SHARED = 3  # characters: a piece inside a subject's name may be this long before it is put off


def choose_merges(whole: Sequence[str], split: Iterable[str]) -> list[str]:
    """Pieces in the order of their merges, until every word of `whole` is one piece.

    `split`: words that should stay several pieces.
    """
    words = [[SPACE, *word] for word in whole]
    complete = {SPACE + word for word in whole}
    held_apart = {
        text[start:end]
        for text in (SPACE + word for word in split)
        for start in range(len(text))
        for end in range(start + LONGEST_SHARED + 1, len(text) + 1)
    }
    merges: list[str] = []
    while any(len(word) > 1 for word in words):
        pairs = Counter(pair for word in words for pair in pairwise(word))
        left, right = min(
            pairs,
            key=lambda pair: (
                pair[0] + pair[1] in held_apart and pair[0] + pair[1] not in complete,
                -pairs[pair],
                pair,
            ),
        )
        merges.append(left + right)
        words = [_merge(word, left + right) for word in words]
    return list(dict.fromkeys(merges))


def _merge(word: list[str], union: str) -> list[str]:
    """Join every neighbouring pair that spells `union`, from the left, as SentencePiece does."""
    merged: list[str] = []
    for piece in word:
        if merged and merged[-1] + piece == union:
            merged[-1] = union
        else:
            merged.append(piece)
    return merged


def sentencepiece_model(merges: Sequence[str]) -> bytes:
    """A serialized BPE model with byte fallback: `<unk> <s> </s>`, 256 bytes, the merges, the letters."""
    buffer = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(string.ascii_lowercase)]),
        model_writer=buffer,
        vocab_size=3 + 256 + 27,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(buffer.getvalue())
    head = [piece for piece in model.pieces if piece.type != piece.NORMAL]
    del model.pieces[:]
    model.pieces.extend(head)
    for rank, piece in enumerate([*merges, SPACE, *string.ascii_lowercase]):
        model.pieces.add(piece=piece, score=-float(rank))
    model.trainer_spec.vocab_size = len(model.pieces)
    return model.SerializeToString()


def train_pieces(facts: Sequence[Fact]) -> bytes:
    """The SentencePiece model for these facts; raises if an answer is not one piece or a subject is."""
    answers = sorted({fact.answer.lower() for fact in facts})
    subjects = sorted({fact.subject.lower() for fact in facts})
    subject_words = {word for subject in subjects for word in subject.split()} - set(template_words(facts))
    model = sentencepiece_model(choose_merges([*answers, *template_words(facts)], subject_words - set(answers)))
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    broken = [word for word in answers if len(processor.encode(word)) != 1]
    whole = [word for word in subjects if len(processor.encode(word)) == 1]
    if broken or whole:
        raise ValueError(f"answers in several pieces: {broken}; subjects in one piece: {whole}; change the facts")
    return model


def added_tokens(n_units: int) -> list[str]:
    """Markers and units, in the order of their ids after the text pieces."""
    return ["[Text]", "[Speech]", *(f"[Hu{unit}]" for unit in range(n_units))]


def write_tokenizer(folder: Path, model: bytes, n_units: int) -> None:
    """`tokenizer.model`, `tokenizer_config.json` and `special_tokens_map.json` as SpiritLM's folder has them."""
    n_pieces = sentencepiece.SentencePieceProcessor(model_proto=model).get_piece_size()
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    decoder = {
        str(index): {"content": token, **plain, "special": True} for index, token in enumerate(["<unk>", "<s>", "</s>"])
    }
    decoder |= {
        str(n_pieces + index): {"content": token, **plain, "special": False}
        for index, token in enumerate(added_tokens(n_units))
    }
    config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "added_tokens_decoder": decoder,
        "bos_token": "<s>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "</s>",
        "legacy": False,
        "model_max_length": 512,
        "tokenizer_class": "LlamaTokenizer",
        "unk_token": "<unk>",
    }
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(model)
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1) + "\n", encoding="utf-8")
