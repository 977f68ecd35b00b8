#!/bin/sh
# TransformerLens 3.9.0: run_with_hooks of a TransformerBridge ignores a hook name that the model has not.
#
# A hook on `blocks.9.hook_mlp_out` of a model of one layer, or on a misspelt name, is never placed: the call gives the
# plain logits, as if the hook had no effect. A HookedTransformer of the same version, and the bridge of 4.3.0, raise
# KeyError.
# Remedy: look the name up in `bridge.hook_dict` first.
# Seen:
#   3.9.0 bridge  plain logits
#   4.3.0 bridge  KeyError
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/show.py" <<'PYTHON'
import sys
import warnings

import torch
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformers import LlamaConfig, LlamaForCausalLM

warnings.filterwarnings("ignore")
torch.manual_seed(0)
config = LlamaConfig(num_hidden_layers=1, hidden_size=16, num_attention_heads=2, num_key_value_heads=2,
                     intermediate_size=24, vocab_size=20, max_position_embeddings=32, tie_word_embeddings=False)
llama = LlamaForCausalLM(config).eval().requires_grad_(False)
bridge = build_bridge_from_module(llama, "LlamaForCausalLM", hf_config=config, tokenizer=None)
tokens = torch.tensor([[1, 5, 9]])
plain = bridge(tokens)
try:
    logits = bridge.run_with_hooks(tokens, fwd_hooks=[("blocks.9.hook_mlp_out", lambda value, hook: 0 * value)])
    found = "plain logits" if torch.equal(logits, plain) else "other logits"
except KeyError:
    found = "KeyError"
print(sys.argv[1], "bridge", found)
expected = {"3.9.0": "plain logits", "4.3.0": "KeyError"}[sys.argv[1]]
assert found == expected, f"changed: {found}"
PYTHON
for version in 3.9.0 4.3.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q --disable-pip-version-check "transformer-lens==$version" transformers==5.23.0 torch==2.13.0
  (cd "$folder" && "$folder/$version/bin/python" show.py "$version")
done
