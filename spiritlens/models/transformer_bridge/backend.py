"""The row of `TransformerBridge`, as `spiritlens.models.backends` reads it."""

from transformer_lens.model_bridge import TransformerBridge

from spiritlens.models.backend_row import Backend, Maker
from spiritlens.models.blocks.fingerprint import user_hooks
from spiritlens.models.blocks.generation import continue_prompts
from spiritlens.models.blocks.tokenizer import attach_tokenizer
from spiritlens.models.transformer_bridge.accepting import accepted_bridge, bridge_fingerprint
from spiritlens.models.transformer_bridge.bridged import BridgeLensModel
from spiritlens.models.transformer_bridge.conversion import bridge_on, fold_bridge_norms, transformer_bridge

BACKEND = Backend(
    model=TransformerBridge,
    accepted=accepted_bridge,
    opened=BridgeLensModel,
    fingerprint=bridge_fingerprint,
    user_hooks=user_hooks,
    attach_tokenizer=attach_tokenizer,
    continue_prompts=continue_prompts,
    maker=Maker("bridge", transformer_bridge, bridge_on, fold_bridge_norms),
)
