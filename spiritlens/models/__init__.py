"""From checkpoint to lens: a speech-text model as a `HookedTransformer`, with its vocabulary and its ears.

Glossary:

- *checkpoint*: a folder with a Llama model's config, weights and tokenizer (`checkpoint`, `weight_files`).
- *conversion*: TransformerLens's parameters as views of the checkpoint's memory (`conversion`); *raw* norms keep their
  gains, *folded* ones have them in the matrices that read them; nothing is centred.
- *lens*: model, vocabulary and speech encoder in one value (`lens`, made by `loading`); its *ears* are the encoder
  (`ears`).
- *inside*: the model through the protocol `hooked.LensModel`, the only way in which other rooms touch it; *placed*
  hooks are its own, others are a user's (`placed_hooks`).
- *full pass*: the whole model on tokens ``[batch pos]``; *suffix step*: one block on positions ``start …``, with the
  keys and values of a cached *run* before it (`hooked`, `suffix`, `attending`).
- *row*: one sequence that is recomputed in a suffix step; *query*: a position that is read out.
- *reference*: Hugging Face's model of the same folder, loaded afresh (`reference`, `selfcheck`).
- *embedded model*: the small model that travels inside the package (`embedded`); *planted circuit*: a model whose
  mechanism is written by hand, so that every method can be judged (`planted`, in `planted_circuits`).
"""

import importlib
from typing import Any

_VERBS = {
    "load": "spiritlens.models.loading",
    "planted": "spiritlens.models.planted_circuits",
}


def __getattr__(name: str) -> Any:
    """``models.load`` and ``models.planted`` without their modules; torch is imported only then."""
    if name not in _VERBS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_VERBS[name]), name)
