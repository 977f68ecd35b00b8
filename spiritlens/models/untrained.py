"""The untrained twin of a model: the same shape, vocabulary and ears, and weights that learnt nothing.

Every parameter is drawn anew, Gaussian with the parameter's own mean and standard deviation over all its entries: so
activations, and with them the model's wiring by attention, norms and residual stream, stay of the size that they have
in the trained model, and what its training put into the weights is gone. What two modalities still share in a twin is
shared by architecture and prompts, not by what was learnt.

Source: Adebayo et al. 2018, Sanity checks for saliency maps (the model parameter randomisation test).
"""

import copy
from dataclasses import replace
from typing import TypeVar

import torch

from spiritlens.arguments import told_keywords, whole
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_lens
from spiritlens.models.lens import Lens
from spiritlens.prompts.knowing import EXACT

Model = TypeVar("Model", bound=torch.nn.Module)


@told_keywords
@plain_torch
def untrained_twin(lens: Lens, seed: int = 0) -> Lens:
    """The lens on a model of the same shape whose weights are drawn anew by the seed; it takes the same memory again.

    A twin knows what it happens to say, so its rule of knowing is `exact`. Returns it, named after the lens.
    Raises ValueError for what is no lens, or a seed that is no whole number ≥ 0.
    """
    lens, seed = given_lens(lens), whole("seed", seed, at_least=0)
    name = f"{lens.name or 'model'}, untrained twin {seed}"
    return replace(lens, model=_drawn(lens.model, seed), name=name, folder=None, knowing=EXACT)


def _drawn(model: Model, seed: int) -> Model:
    """A copy with drawn parameters; the tokenizer is shared, for it learnt nothing here."""
    shared = getattr(model, "tokenizer", None)
    twin = copy.deepcopy(model, {} if shared is None else {id(shared): shared})
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in twin.parameters():
            trained = parameter.to(torch.float32)
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32).to(parameter.device)
            deviation, mean = torch.std_mean(trained, correction=0)
            parameter.copy_(noise * deviation + mean)
    return twin
