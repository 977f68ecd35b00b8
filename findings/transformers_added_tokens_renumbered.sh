#!/bin/sh
# transformers 5.23.0: ids in `added_tokens_decoder` that leave a gap after the last piece are renumbered, silently.
#
# A unit language model's folder may give its added tokens ids that do not follow the last piece of `tokenizer.model`
# directly (rows between them are left free). `LlamaTokenizer.from_pretrained` gives the tokens the next free ids instead
# of those that `tokenizer_config.json` states: every unit then reads the embedding row of another one.
# Seen: stated 337 and 338 over 330 pieces, given 330 and 331; no warning.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check transformers==5.23.0 tokenizers==0.23.3 sentencepiece==0.2.3 protobuf
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import io
import json
import warnings

import sentencepiece
from transformers import LlamaTokenizer

model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["the capital of france is paris", "the capital of italy is rome"] * 20), model_writer=model,
    vocab_size=330, model_type="bpe", byte_fallback=True, character_coverage=1.0, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
    hard_vocab_limit=False, minloglevel=2, normalization_rule_name="identity",
)
open("tokenizer.model", "wb").write(model.getvalue())
pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).get_piece_size()
flags = dict(lstrip=False, rstrip=False, normalized=False, single_word=False, special=False)
stated = {"[Hu0]": pieces + 7, "[Hu1]": pieces + 8}
decoder = {str(index): {"content": token, **flags} for token, index in stated.items()}
json.dump({"tokenizer_class": "LlamaTokenizer", "legacy": False, "added_tokens_decoder": decoder}, open("tokenizer_config.json", "w"))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    tokenizer = LlamaTokenizer.from_pretrained(".")
given = {token: tokenizer.convert_tokens_to_ids(token) for token in stated}
print(f"{pieces} pieces; stated {stated}; given {given}; warnings: {len(told)}")
assert given == {"[Hu0]": pieces, "[Hu1]": pieces + 1}, "the tokens have other ids now"
PYTHON
