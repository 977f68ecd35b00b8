"""The row of `HookedTransformer`, as `spiritlens.models.backends` reads it."""

from transformer_lens import HookedTransformer

from spiritlens.models.backend_row import Backend, Maker
from spiritlens.models.blocks.fingerprint import user_hooks
from spiritlens.models.blocks.generation import continue_prompts
from spiritlens.models.blocks.tokenizer import attach_tokenizer
from spiritlens.models.hooked_transformer.accepting import accepted
from spiritlens.models.hooked_transformer.conversion import fold_norms, hooked_from_llama, hooked_transformer
from spiritlens.models.hooked_transformer.hooked import HookedLensModel
from spiritlens.models.hooked_transformer.settings import hooked_fingerprint

BACKEND = Backend(
    model=HookedTransformer,
    accepted=accepted,
    opened=HookedLensModel,
    fingerprint=hooked_fingerprint,
    user_hooks=user_hooks,
    attach_tokenizer=attach_tokenizer,
    continue_prompts=continue_prompts,
    maker=Maker("hooked_transformer", hooked_transformer, hooked_from_llama, fold_norms),
)
