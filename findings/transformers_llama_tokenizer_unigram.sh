#!/bin/sh
# transformers 5.23.0: `LlamaTokenizer.from_pretrained` on a SentencePiece model of type Unigram builds a BPE tokenizer.
#
# The type stands in `tokenizer.model` (trainer_spec.model_type 1). Neither an error nor a warning comes: the pieces have
# the right ids, but texts are cut by BPE merges that the file does not hold. SentencePiece itself reads the same file as
# Unigram.
# Seen, of "capital":
#   SentencePiece   '▁', 'c', 'a', 'p', 'ital'
#   LlamaTokenizer  '▁', 'c', 'a', 'p', 'i', 't', 'a', 'l'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3 sentencepiece==0.2.3 protobuf
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import io
import json

import sentencepiece
from transformers import LlamaTokenizer

model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["the capital of france is paris", "the capital of italy is rome"] * 20), model_writer=model,
    vocab_size=330, model_type="unigram", byte_fallback=True, character_coverage=1.0, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
    hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity",
)
open("tokenizer.model", "wb").write(model.getvalue())
json.dump({"tokenizer_class": "LlamaTokenizer", "legacy": False}, open("tokenizer_config.json", "w"))
pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
tokenizer = LlamaTokenizer.from_pretrained(".")
kind = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["type"]
text = "the capital of france"
by_sentencepiece, by_transformers = pieces.encode(text, out_type=str), tokenizer.tokenize(text)
print("SentencePiece  ", by_sentencepiece)
print("LlamaTokenizer ", by_transformers, "model type:", kind)
assert kind == "BPE", f"the tokenizer is {kind} now"
assert by_sentencepiece != by_transformers, "both give the same pieces now"
PYTHON
