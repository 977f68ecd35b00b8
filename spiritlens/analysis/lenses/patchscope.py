"""Patchscope: a state of one prompt put into another one, which then says in words what the state holds.

A state of one prompt (a spoken word, say) is put into another prompt (a written one), at any layer, and the run goes
on from there. Same prompt, layer and position: nothing changes.

Source: Ghandeharioun et al. 2024 (arXiv 2401.06102).
"""

from jaxtyping import Float
from torch import Tensor

from spiritlens.analysis.lenses.logit_lens import _state, residual_states
from spiritlens.arguments import told_keywords, whole
from spiritlens.components import hook_name
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens, given_prompt
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt


@told_keywords
@plain_torch
def patchscope(
    lens: Lens,
    source: Prompt,
    source_position: int,
    source_state: int,
    target: Prompt,
    target_position: int,
    target_state: int | None = None,
    read_position: int = -1,
) -> Float[Tensor, " d_vocab"]:
    """Logits at `read_position` of the target when one of its states is taken from the source prompt.

    States count as in `residual_states`; `target_state` None is the source's.

    Returns logits ``[d_vocab]``. Raises ValueError for positions outside the prompts and states outside the model.
    """
    model = given_lens(lens).backend
    given_prompt(lens, source, "source")
    given_prompt(lens, target, "target")
    out_of = _state("source_state", source_state, model.n_layers)
    into = out_of if target_state is None else _state("target_state", target_state, model.n_layers)
    taken_from = _inside(source, "source_position", source_position)
    place, read = (
        _inside(target, name, position)
        for name, position in (("target_position", target_position), ("read_position", read_position))
    )
    taken = residual_states(model, source.tokens)[out_of, taken_from]

    def put(resid: Tensor) -> Tensor:
        changed = resid.clone()
        changed[:, place] = taken
        return changed

    last = into == model.n_layers
    name = hook_name("resid_post", into - 1) if last else hook_name("resid_pre", into)
    with model.hooked([(name, put)]):
        logits = model.forward(target.tokens)
    return logits[0, read]


def _inside(prompt: Prompt, name: str, position: int) -> int:
    found = whole(name, position)
    if not -len(prompt) <= found < len(prompt):
        raise ValueError(f"{name}: position {found} lies outside the prompt's {len(prompt)} tokens")
    return found % len(prompt)
