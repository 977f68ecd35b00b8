#!/bin/sh
# TransformerLens 3.9.0 and 4.3.0: the attention of a float64 TransformerBridge is not float64.
#
# The bridge's attention takes its softmax by `softmax(scores, dtype=torch.float32)`, whatever the model's dtype: the
# pattern of a float64 model sums to one only to 1e-7, and logits are 1e-8 off. A HookedTransformer stays in float64. No
# setting changes it. (Hugging Face's RMS norms and rotary tables are in float32 as well; that is theirs.)
# Seen (largest |sum of a row of hook_pattern - 1|; in float64 it would be below 1e-15):
#   3.9.0 bridge  about 1e-8 to 1e-7
#   4.3.0 bridge  about 1e-8 to 1e-7
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
llama = LlamaForCausalLM(config).double().eval().requires_grad_(False)
bridge = build_bridge_from_module(llama, "LlamaForCausalLM", hf_config=config, tokenizer=None)
pattern = bridge.run_with_cache(torch.arange(20)[None])[1]["blocks.0.attn.hook_pattern"]
off = float((pattern.sum(-1) - 1).abs().max())
print(sys.argv[1], "bridge", pattern.dtype, off)
assert pattern.dtype == torch.float64, "the pattern has another dtype now"
assert off > 1e-12, "the softmax is taken in float64 now"
PYTHON
for version in 3.9.0 4.3.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q --disable-pip-version-check "transformer-lens==$version" transformers==5.23.0 torch==2.13.0
  (cd "$folder" && "$folder/$version/bin/python" show.py "$version")
done
