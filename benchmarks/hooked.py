"""TransformerLens's `HookedTransformer`, for benchmarks that set spiritlens beside it; TransformerLens 4 has none."""

import importlib.util
import sys

if importlib.util.find_spec("transformer_lens.HookedTransformer") is None:
    sys.exit(
        "this benchmark sets spiritlens beside a HookedTransformer, which the installed TransformerLens has not: run "
        "it with transformer-lens<4 (benchmarks/backends.py and loading.py run with both)"
    )

from transformer_lens import HookedTransformer

__all__ = ["HookedTransformer"]
