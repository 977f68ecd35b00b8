"""What a backend is: one row of functions for one kind of model (`spiritlens.models.backends` lists them)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from spiritlens.models.protocol import LensModel

BackendName: TypeAlias = Literal["hooked_transformer", "bridge"]
"""TransformerLens's kinds of model: its own `HookedTransformer` (up to 3.9), or the `TransformerBridge` on Hugging
Face's model (3.9 and 4)."""


@dataclass(frozen=True)
class Maker:
    """How `spiritlens.load` makes the models of one library.

    `converted` takes weights by Hugging Face's names, a configuration, a dtype (None: the weights') and a name, and
    copies nothing; `shared` takes a loaded model of Hugging Face's and a name, and shares its memory; `folded` folds
    the norms of a model in place.
    """

    name: BackendName
    converted: Callable[..., Any]
    shared: Callable[[Any, str], Any]
    folded: Callable[[Any], Any]


@dataclass(frozen=True)
class Backend:
    """How a lens gets at the models of one library.

    `accepted` gives the model back, or refuses it with the reason; `opened` puts the protocol on it; `fingerprint` is
    a hash of its settings and weights as they are now, `user_hooks` names hooks that are not ours; `attach_tokenizer`
    and `continue_prompts` (see `blocks.generation`) serve the model's own use. `maker` is there where
    `spiritlens.load` makes such models.
    """

    model: type
    accepted: Callable[[Any], Any]
    opened: Callable[[Any], LensModel]
    fingerprint: Callable[[Any], str]
    user_hooks: Callable[[Any], tuple[str, ...]]
    attach_tokenizer: Callable[[Any, Any], None]
    continue_prompts: Callable[..., tuple[str, ...]]
    maker: Maker | None = None
