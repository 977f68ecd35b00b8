"""Parts of a model that are ranked, kept and removed: heads, sites, or edges.

=======  ===============================================================================================================
parts    what one part is, and what is removed with it
=======  ===============================================================================================================
heads    a head's z at every token but the first
sites    a component's output (``attn_out``, ``mlp_out``) in one layer, at the tokens of one role
edges    what one node (embedding, head, MLP) says to one reader (a head's query, key or value, an MLP, the logits) at
         every token but the first; the node still says it to all others
=======  ===============================================================================================================

The beginning of the sequence, where heads rest, is never touched. Embeddings stay where heads or sites are removed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spiritlens.analysis.grid.given import given_names
from spiritlens.arguments import check_choice, listed, whole
from spiritlens.models.protocol import LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.prompts.spans import EVERYWHERE
from spiritlens.runs.corruptions.knock_out import KnockOutKind
from spiritlens.runs.sweep.plan import Action, Program
from spiritlens.terms import ROLES

PartKind = Literal["heads", "sites", "edges"]
EdgeRanking = Literal["patching", "gradients"]
"""patching: each edge is run alone, exactly; gradients: all at once, to first order, as large models need."""
SITE_COMPONENTS = ("attn_out", "mlp_out")
BEGINNING = "bos"


@dataclass(frozen=True)
class Parts:
    """Which parts are ranked, and how they are removed and counted.

    `removed`: what stands in for a removed part: ``mean`` (of tokens of the same role and modality in prompts about
    other subjects), ``zero``, or one of those tokens drawn at random (``resample``). `components` are those of sites,
    `edges_by` says how edges are ranked. `sizes`: how many parts are kept; none and all are always among them (None:
    powers of two, from either end). `random_rankings`: how many orders of chance stand beside the rankings.
    """

    kind: PartKind = "heads"
    removed: KnockOutKind = "mean"
    components: Sequence[str] = SITE_COMPONENTS
    edges_by: EdgeRanking = "patching"
    sizes: Sequence[int] | None = None
    random_rankings: int = 5

    def __post_init__(self) -> None:
        check_choice("kind of parts", self.kind, PartKind)
        check_choice("removed", self.removed, KnockOutKind)
        check_choice("edges_by", self.edges_by, EdgeRanking)
        object.__setattr__(self, "components", given_names("components", self.components, SITE_COMPONENTS))
        rankings = whole("random_rankings", self.random_rankings, at_least=1, at_most=1000)
        object.__setattr__(self, "random_rankings", rankings)
        if self.sizes is not None:
            sizes = tuple(whole("a size", size, at_least=0) for size in listed("sizes", self.sizes))
            object.__setattr__(self, "sizes", tuple(sorted(set(sizes))))


@dataclass(frozen=True)
class Part:
    """A head or a site; `role` "": every token but the first."""

    component: str
    layer: int
    head: int | None = None
    role: str = ""

    @property
    def name(self) -> str:
        """``L6H1``, or ``mlp_out 2 subject``."""
        return f"{self.component} {self.layer} {self.role}" if self.head is None else f"L{self.layer}H{self.head}"

    def positions(self, prompt: Prompt) -> tuple[int, ...]:
        """Where it is in a prompt; nowhere if the prompt lacks the role."""
        if not self.role:
            return prompt.span(EVERYWHERE).positions
        span = prompt.role_spans().get(self.role)
        return () if span is None else span.positions


def parts_of(model: LensModel, asked: Parts, prompts: Sequence[Prompt]) -> tuple[Part, ...]:
    """All heads, or all sites at roles that some prompt has, in the order of the computation."""
    layers = range(model.n_layers)
    if asked.kind == "heads":
        return tuple(Part("z", layer, head) for layer in layers for head in range(model.n_heads))
    there = {role for prompt in prompts for role in prompt.roles} - {BEGINNING}
    roles = [role for role in ROLES if role in there]
    return tuple(Part(name, layer, None, role) for layer in layers for name in asked.components for role in roles)


def removing(parts: Sequence[Part], places: Mapping[Part, tuple[int, ...]]) -> Program:
    """The program that puts other values in the place of these parts; empty where the prompt has none of them."""
    program: dict[int, tuple[Action, ...]] = {}
    for part in parts:
        if places[part]:
            action = Action(part.component, places[part], part.head)
            program[part.layer] = (*program.get(part.layer, ()), action)
    return program
