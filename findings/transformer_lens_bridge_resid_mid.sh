#!/bin/sh
# TransformerLens 3.9.0 and 4.3.0: a hook on hook_resid_mid of a TransformerBridge changes the MLP's input only.
#
# On a HookedTransformer `blocks.l.hook_resid_mid` is the residual stream between attention and MLP: what a hook returns
# there is read by the MLP and goes on in the stream. On the bridge the name is an alias of `blocks.l.ln2.hook_in`: the
# returned tensor reaches the norm and the MLP, and the skip connection keeps the old one. The same call is then a patch
# of another place, without an error or a warning. A hook that writes in place changes both.
# Here resid_mid is replaced by zeros in the last layer of a random Llama; MLP(0) is 0, so that on a HookedTransformer
# resid_post is zero.
# Remedy: hook `hook_attn_out` and return (new resid_mid - resid_pre).
# Seen (largest entry of resid_post):
#   3.9.0 HookedTransformer 0.0
#   3.9.0 bridge            above 0 (the old resid_mid)
#   4.3.0 bridge            above 0 (the old resid_mid)
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
tokens = torch.tensor([[1, 5, 9]])


def largest(model):
    found = {}
    hooks = [("blocks.0.hook_resid_mid", lambda value, hook: torch.zeros_like(value)),
             ("blocks.0.hook_resid_post", lambda value, hook: found.update(post=value))]
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    return float(found["post"].abs().max())


if sys.argv[1] == "3.9.0":
    from transformer_lens import HookedTransformer, HookedTransformerConfig
    from transformer_lens.pretrained.weight_conversions import convert_llama_weights

    hooked = HookedTransformer(HookedTransformerConfig(
        n_layers=1, d_model=16, n_heads=2, d_head=8, d_mlp=24, d_vocab=20, n_ctx=32, act_fn="silu", gated_mlp=True,
        normalization_type="RMS", final_rms=True, positional_embedding_type="rotary", rotary_dim=8))
    hooked.load_state_dict(convert_llama_weights(llama, hooked.cfg), strict=False)
    value = largest(hooked)
    print("3.9.0 HookedTransformer", value)
    assert value == 0, "the HookedTransformer has changed"
value = largest(build_bridge_from_module(llama, "LlamaForCausalLM", hf_config=config, tokenizer=None))
print(sys.argv[1], "bridge", value)
assert value > 1e-3, "the bridge's hook reaches the residual stream now"
PYTHON
for version in 3.9.0 4.3.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install -q --disable-pip-version-check "transformer-lens==$version" transformers==5.23.0 torch==2.13.0
  (cd "$folder" && "$folder/$version/bin/python" show.py "$version")
done
