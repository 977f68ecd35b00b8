"""Where a study's model and facts come from, by name: a value that travels to other processes and machines.

The command line reads this module before anything else, so it imports nothing heavy.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from spiritlens.models.lens import Lens
    from spiritlens.prompts.facts.loaded import Facts

Dtype: TypeAlias = Literal["float32", "bfloat16", "float16", "float64"]


@dataclass(frozen=True)
class Source:
    """A model and facts by name."""

    model: str | None = None
    """Checkpoint folder or name; the embedded model if left out."""
    facts: str = "embedded"
    """'embedded', or a file, a data set's folder or its name on the hub, as `sl.load_facts` reads them."""
    device: str | None = None
    """Where the model runs, such as cpu or cuda:1; the GPU where there is one if left out."""
    dtype: Dtype | None = None
    """Precision of the weights; the checkpoint's if left out."""

    def load_facts(self, phrasing: str | None = None) -> "Facts":
        """The facts, with what was left out of them; ValueError where one lacks the phrasing."""
        from spiritlens.prompts.facts.fact import check_phrasing
        from spiritlens.prompts.facts.loading import load_facts

        found = load_facts(self.facts)
        if phrasing is not None:
            check_phrasing(phrasing, found)
        return found

    def load_lens(self) -> "Lens":
        """The lens, on a device that this machine has; ValueError for another."""
        import torch

        from spiritlens.models.loading import load

        if self.device is not None:
            try:
                torch.empty(0, device=self.device)
            except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
                reason = str(error).splitlines()[0]
                raise ValueError(
                    f"device={self.device!r} cannot be used ({reason}): give cpu, or a GPU such as cuda:0"
                ) from None
        lens: Lens = load(self.model, self.dtype, self.device)
        return lens
