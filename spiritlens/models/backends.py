"""Backends: the libraries whose models a lens can be put on, one row each.

A backend is a folder beside this file with one class that fulfils `spiritlens.models.protocol.LensModel`, and a row of
`BACKENDS` that says how a lens gets at it. Everything above this room asks the lens's ``backend`` and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from transformer_lens import HookedTransformer

from spiritlens.arguments import shown
from spiritlens.models.hooked_transformer.accepting import accepted
from spiritlens.models.hooked_transformer.conversion import attach_tokenizer
from spiritlens.models.hooked_transformer.fingerprint import fingerprint, user_hooks
from spiritlens.models.hooked_transformer.generation import continue_prompts
from spiritlens.models.hooked_transformer.hooked import HookedLensModel
from spiritlens.models.protocol import LensModel


@dataclass(frozen=True)
class Backend:
    """How a lens gets at the models of one library.

    `accepted` gives the model back, or refuses it with the reason; `opened` puts the protocol on it; `fingerprint` is
    a hash of its settings and weights as they are now, `user_hooks` names hooks that are not ours; `attach_tokenizer`
    and `continue_prompts` (see `hooked_transformer.generation`) serve the model's own use.
    """

    model: type
    accepted: Callable[[Any], Any]
    opened: Callable[[Any], LensModel]
    fingerprint: Callable[[Any], str]
    user_hooks: Callable[[Any], tuple[str, ...]]
    attach_tokenizer: Callable[[Any, Any], None]
    continue_prompts: Callable[..., tuple[str, ...]]


BACKENDS: tuple[Backend, ...] = (
    Backend(HookedTransformer, accepted, HookedLensModel, fingerprint, user_hooks, attach_tokenizer, continue_prompts),
)


def backend_of(model: Any) -> Backend:
    """The row of a model's library.

    Raises ValueError for anything else, with the kinds of model that there are.
    """
    for row in BACKENDS:
        if isinstance(model, row.model):
            return row
    kinds = " or a ".join(row.model.__name__ for row in BACKENDS)
    raise ValueError(
        f"model={shown(model, 40)} ({type(model).__name__}): expected a {kinds}; spiritlens.load takes a checkpoint's "
        "folder, a hub id or a loaded Llama, Qwen2 or Mistral"
    )
