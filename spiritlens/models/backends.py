"""Backends: the libraries whose models a lens can be put on, one row each.

A backend is a folder beside this file with one class that fulfils `spiritlens.models.protocol.LensModel`, and a row of
`BACKENDS` that says how a lens gets at it (`spiritlens.models.backend_row.Backend`). Everything above this room asks
the lens's ``backend`` and nothing else.

TransformerLens 3.9 has a `HookedTransformer` and a `TransformerBridge`, TransformerLens 4 the latter only: the first
row that the installed version has is the default.
"""

from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from spiritlens.arguments import check_choice, shown
from spiritlens.models.backend_row import Backend, BackendName, Maker
from spiritlens.models.transformer_bridge.backend import BACKEND as TRANSFORMER_BRIDGE

HOOKED_TRANSFORMERS: tuple[Backend, ...] = ()
if find_spec("transformer_lens.HookedTransformer") is not None:
    from spiritlens.models.hooked_transformer.backend import BACKEND

    HOOKED_TRANSFORMERS = (BACKEND,)

BACKENDS: tuple[Backend, ...] = (
    *HOOKED_TRANSFORMERS,
    TRANSFORMER_BRIDGE,
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


def maker(name: BackendName | None) -> Maker:
    """What makes the models of this name; None takes the default of the installed version.

    Raises ValueError for a name that there is not, or that the installed TransformerLens no longer has.
    """
    makers = [row.maker for row in BACKENDS if row.maker is not None]
    if name is None:
        return makers[0]
    check_choice("backend", name, BackendName)
    for found in makers:
        if found.name == name:
            return found
    raise ValueError(
        f"backend={name!r}: TransformerLens {version('transformer-lens')} has no HookedTransformer; use "
        "backend='bridge', or install transformer-lens<4"
    )
