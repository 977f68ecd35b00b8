"""From interventions to hooks: which of them belong to a lens and a prompt, what they put in, and in which order.

    placed = given_interventions(lens, prompt, interventions)
    embeddings = corrupted_of(lens, prompt, placed, forced, samples, seed)
    hooks = inner_hooks(model, prompt, placed, (tokens, embeddings), samples, seed)

Corruptions change the embeddings; all others act on components inside blocks, in the order of the model's computation
and, at one site, in the order in which they are given. What they take from the clean or the corrupted run is recorded
before the run that they act on.
"""

from collections.abc import Iterator, Sequence

from torch import Tensor

from spiritlens.arguments import shown
from spiritlens.components import STAGE, hook_name
from spiritlens.models.given import given_prompt
from spiritlens.models.lens import Lens
from spiritlens.models.protocol import HookFunction, LensModel
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.given import given_corruption
from spiritlens.runs.corruptions.noise import derived_seed
from spiritlens.runs.interventions import Intervention
from spiritlens.runs.sites import Site
from spiritlens.runs.sweep.full_length import through_attn_out
from spiritlens.runs.sweep.recorded import by_position, record
from spiritlens.runs.values import Change, Runs, Value

VERBS = "corrupt, restore, freeze, swap, ablate, replace_with, add and apply make one"


def given_interventions(lens: Lens, prompt: Prompt, given: Sequence[object]) -> tuple[Intervention, ...]:
    """Interventions whose other prompts belong to this lens, with positions counted from the start."""
    return tuple(_placed(lens, prompt, place, intervention) for place, intervention in enumerate(given))


def _placed(lens: Lens, prompt: Prompt, place: int, given: object) -> Intervention:
    if not isinstance(given, Intervention):
        remedy = "put a * before several" if isinstance(given, (list, tuple, Iterator)) else VERBS
        raise ValueError(
            f"interventions[{place}] is {shown(given)} ({type(given).__name__}): expected an Intervention; {remedy}"
        )
    given = given.of_prompt(prompt)
    site, value, model = given.site, given.value, lens.backend
    if site.component == "embed" and isinstance(value, Value):
        raise ValueError(
            f"'{given.label}': embeddings are changed by corrupt(...); other verbs take inner components "
            "(resid_pre of layer 0 is what the first block reads)"
        )
    if site.component != "embed" and not isinstance(value, Value):
        raise ValueError(f"'{given.label}': corruptions act on embeddings; use another verb inside of blocks")
    if donor := getattr(value, "donor", None):
        given_prompt(lens, donor, "donor")
    for name in ("reference", "donors"):
        for number, other in enumerate(getattr(value, name, ())):
            given_prompt(lens, other, f"{name}[{number}]")
    counted = site.resolved(len(prompt), model.n_layers, model.n_heads, model.n_kv_heads)
    if site.component != "embed":  # values belong to positions in the order in which these are given
        own = tuple(dict.fromkeys(position % len(prompt) for position in site.positions))
        counted = Site(site.component, site.layer, own, site.head)
    return Intervention(counted, value, given.label)


def is_random(intervention: Intervention) -> bool:
    """Whether it differs between noise samples."""
    return not isinstance(intervention.value, Value) or intervention.value.random


def corrupted_of(
    lens: Lens, prompt: Prompt, placed: Sequence[Intervention], forced: Sequence[int], samples: int, seed: int
) -> Tensor | None:
    """Embeddings ``[sample pos d_model]`` of the corrupted run, None where nothing is corrupted.

    Several corruptions change their own spans, each with numbers of its own.
    """
    result: Tensor | None = None
    corruptions = (intervention for intervention in placed if intervention.site.component == "embed")
    for order, intervention in enumerate(corruptions):
        positions = list(intervention.site.positions)
        new = corrupted_embeddings(
            lens,
            prompt,
            given_corruption(lens, intervention.value, prompt, positions, f"the corruption of '{intervention.label}'"),
            positions=positions,
            samples=samples,
            seed=derived_seed(seed, f"corruption {order}") if order else seed,
            forced=forced,
        )
        if result is None:
            result = new
        else:
            result[:, positions] = new[:, positions]
    return result


def inner_hooks(
    model: LensModel,
    prompt: Prompt,
    placed: Sequence[Intervention],
    corrupted: tuple[Tensor, Tensor | None],
    samples: int,
    seed: int,
) -> list[tuple[str, HookFunction]]:
    """The hooks of interventions inside of blocks; ``corrupted``: the tokens ``[1 pos]`` and their embeddings."""
    tokens, embeddings = corrupted
    inner = [intervention for intervention in placed if intervention.site.component != "embed"]
    names = [intervention.site.hook for intervention in inner]
    clean, disturbed = record(model, tokens, None, names), record(model, tokens, embeddings, names)
    hooks: list[tuple[str, HookFunction]] = []
    for intervention in sorted(inner, key=lambda one: (one.site.layer, STAGE[one.site.component])):
        site = intervention.site
        runs = Runs(model, prompt, clean, disturbed, samples, seed, intervention.label)
        place = _placing(site, intervention.value.values(site, runs))  # type: ignore[union-attr]
        if site.component == "resid_mid":
            hooks.extend(through_attn_out(site.layer, place))
        else:
            hooks.append((hook_name(site.component, site.layer), place))
    return hooks


def _placing(site: Site, change: Change) -> HookFunction:
    """A hook that changes the values at the site's positions (and head) in every row."""
    positions = list(site.positions)
    index = (slice(None), positions) if site.head is None else (slice(None), positions, site.head)

    def place(activation: Tensor) -> Tensor:
        changed = activation.clone()
        view = by_position(site.component, changed)
        view[index] = change(view[index]).to(changed.dtype)
        return changed

    return place
