#!/bin/sh
# tokenizers 0.23.3: `normalizers.Precompiled` does not compose letters with two marks as SentencePiece does.
#
# Both are given the same table of characters (nmt_nfkc, SentencePiece's default rule, as it stands in `tokenizer.model`).
# A decomposed letter with two marks ("e", dot below, circumflex: Vietnamese ệ) becomes one character in SentencePiece
# and loses its second mark in tokenizers, so that fast tokenizers read another word, silently.
# Seen: SentencePiece 'ệ' (U+1EC7), tokenizers 'ẹ' (U+1EB9).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3 sentencepiece==0.2.3 protobuf
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import unicodedata

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import normalizers

model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["the capital of france is paris"] * 20), model_writer=model, vocab_size=300, byte_fallback=True,
    hard_vocab_limit=False, minloglevel=2, normalization_rule_name="nmt_nfkc",
)
proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
text = unicodedata.normalize("NFD", "ệ")
by_sentencepiece = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).normalize(text).strip("▁")
by_tokenizers = normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap).normalize_str(text)
for name, found in (("SentencePiece", by_sentencepiece), ("tokenizers", by_tokenizers)):
    print(f"{name:14}", found, [f"U+{ord(letter):04X}" for letter in found])
assert by_sentencepiece == "ệ", "SentencePiece composes otherwise now"
assert by_tokenizers == "ẹ", "tokenizers composes otherwise now"
PYTHON
