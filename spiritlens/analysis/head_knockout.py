"""Head knock-out: take a head's output away and see what the answer loses; one head at a time, or a set of heads
together.

A head's z is replaced at a site by ``zero``, by the ``mean`` over reference prompts, or by a value ``resample``d from
them (once per sample). Mean and resample take tokens of the same role as the replaced one (a subject's by subjects',
a marker's by markers'), so that a knocked-out head still says what it says on average there. Without references, the
prompts serve as each other's.

Result: an effects dataset, direction="noising": ``restored`` holds the knocked-out run's metric. ``corrupted`` is the
run without any head (all heads of all layers knocked out, at all spans together). Axes: ``prompt component layer span
[head] sample metric``. With groups, the component is the group's name and the layer −1.

Signs: effect = metric(clean) − metric(knocked out), positive where the head was needed. Heads that only stand by
(backup) have none.

Source: Wang et al. 2022 (arXiv 2211.00593), section 2.2 (mean ablation); Chan et al. 2022 (resampling).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm.auto import tqdm

from spiritlens.analysis.knowledge import known_prompts
from spiritlens.analysis.results import array, model_attributes, prompt_columns
from spiritlens.analysis.tracing_prompt import batched_coordinates
from spiritlens.analysis.tracing_sites import GridSites, grid_sites, named_span
from spiritlens.effects.schema import Status, new_effects
from spiritlens.effects.store import join_effects
from spiritlens.environment import plain_torch
from spiritlens.models.given import given_prompts
from spiritlens.models.hooked import LensModel, hook_name
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.runs.metrics import SIGNS, Scorer, prompt_scorers
from spiritlens.runs.noise import generator
from spiritlens.runs.plan import Action, Program
from spiritlens.runs.states import RecordedRun, record
from spiritlens.runs.sweep import SweepResult, names_to_record, sweep_runs

if TYPE_CHECKING:
    from spiritlens.models.lens import Lens

KnockOutKind = Literal["zero", "mean", "resample"]
LeaveOut = Literal["nothing", "same subject"]
"""References that give a prompt nothing: none, or those about its own subject."""
HeadName = tuple[int, int]
"""Layer and head."""
TokenKind = tuple[str, str]
"""Role and modality of a token."""
EVERYWHERE = "all but the beginning"
"""The site of all tokens but the beginning of the sequence."""


@plain_torch
def head_knockout(
    lens: "Lens",
    prompts: Sequence[Prompt],
    kind: KnockOutKind = "mean",
    *,
    groups: Mapping[str, Sequence[HeadName]] | None = None,
    reference: Sequence[Prompt] | None = None,
    spans: Sequence[str] = (EVERYWHERE,),
    metrics: Sequence[str] = ("probability", "log_probability"),
    samples: int = 1,
    seed: int = 0,
    progress: Literal["bar", "none"] = "bar",
) -> xr.Dataset:
    """Knock out every head (or each group of heads) of each prompt at each span; `samples` count for ``resample``
    only."""
    chosen = given_prompts(lens, prompts)
    _check_settings(lens.inside, kind, groups or {}, samples)
    others = chosen if reference is None else tuple(reference)
    leave_out: LeaveOut = "same subject" if reference is None else "nothing"
    pool = None if kind == "zero" else Reference(lens.inside, others, kind, leave_out)
    known = known_prompts(lens, chosen)
    config = {
        "kind": kind,
        "groups": {name: list(heads) for name, heads in (groups or {}).items()},
        "spans": spans,
        "reference": [] if pool is None else [other.id for other in others],
        "left_out": leave_out,
    }
    attributes = {
        **model_attributes(lens, seed, config),
        "corruption": f"{kind} knock-out of all heads",
        "method": f"head knock-out ({kind})",
    }
    count = samples if kind == "resample" else 1
    parts = []
    for prompt, knows in zip(tqdm(chosen, desc="knock-out", disable=progress == "none"), known, strict=True):
        parts.append(
            _one_prompt(lens, prompt, pool, groups, tuple(spans), tuple(metrics), count, seed, knows, attributes)
        )
    return join_effects(parts)


def _check_settings(model: LensModel, kind: str, groups: Mapping[str, Sequence[HeadName]], samples: int) -> None:
    if kind not in get_args(KnockOutKind):
        raise ValueError(f"knock-out kind {kind!r} is unknown; one of {', '.join(get_args(KnockOutKind))}")
    if samples < 1:
        raise ValueError(f"samples is {samples}; at least one is needed")
    for name, heads in groups.items():
        for layer, head in heads:
            if not (0 <= layer < model.n_layers and 0 <= head < model.n_heads):
                raise ValueError(
                    f"group {name!r} names L{layer}H{head}; "
                    f"the model has {model.n_layers} layers of {model.n_heads} heads"
                )


class Reference:
    """z of reference prompts, token by token: where a head's mean and its resampled values come from."""

    def __init__(
        self,
        model: LensModel,
        prompts: Sequence[Prompt],
        kind: Literal["mean", "resample"],
        leave_out: LeaveOut = "nothing",
    ) -> None:
        if not prompts:
            raise ValueError("mean and resample need reference prompts; give at least one")
        names = [hook_name("z", layer) for layer in range(model.n_layers)]
        self.kind, self.leave_out = kind, leave_out
        self.tokens: dict[TokenKind, list[tuple[str, Tensor]]] = {}
        for prompt in prompts:
            cache = model.cache(prompt.tokens, names)
            stacked = torch.stack([cache[name][0] for name in names])  # [layer pos head d_head]
            for position, token_kind in enumerate(zip(prompt.roles, prompt.modalities, strict=True)):
                self.tokens.setdefault(token_kind, []).append((_subject(prompt), stacked[:, position]))

    def values(self, prompt: Prompt, positions: Sequence[int], samples: int, seed: int) -> Tensor:
        """What stands in for z at the positions, ``[sample position layer head d_head]``: the mean of tokens like
        each, or one of them, drawn for every sample."""
        kinds = [(prompt.roles[position], prompt.modalities[position]) for position in positions]
        alike = {kind: self._alike(prompt, kind) for kind in dict.fromkeys(kinds)}
        if self.kind == "mean":
            means = {kind: torch.stack(found).mean(0) for kind, found in alike.items()}
            return torch.stack([means[kind] for kind in kinds]).expand(samples, -1, -1, -1, -1)
        rows = [
            [_drawn(alike[kind], prompt, at, sample, seed) for at, kind in zip(positions, kinds, strict=True)]
            for sample in range(samples)
        ]
        return torch.stack([torch.stack(row) for row in rows])

    def _alike(self, prompt: Prompt, kind: TokenKind) -> list[Tensor]:
        """z ``[layer head d_head]`` of each reference token of this role and modality; where there are none, of the
        modality."""
        of_modality = [other for other in self.tokens if other[1] == kind[1] and other[0] != "bos"]
        for kinds in ([kind], of_modality):
            found = [
                z
                for some in kinds
                for subject, z in self.tokens.get(some, ())
                if self.leave_out == "nothing" or subject != _subject(prompt)
            ]
            if found:
                return found
        about = "" if self.leave_out == "nothing" else " about another subject"
        raise ValueError(
            f"nothing can stand in for the role '{kind[0]}' ({kind[1]}) of prompt {prompt.id} about "
            f"'{prompt.subject.name}': no reference prompt{about} has tokens of that modality; give reference=… "
            "prompts that have, or use kind='zero'"
        )


def _drawn(found: Sequence[Tensor], prompt: Prompt, position: int, sample: int, seed: int) -> Tensor:
    """One of the values, the same whenever prompt, position, sample and seed are."""
    stream = generator(seed, prompt.id, sample, f"resample z {position}")
    return found[int(torch.randint(len(found), (1,), generator=stream))]


def _subject(prompt: Prompt) -> str:
    return prompt.subject.name.casefold()


def _one_prompt(
    lens: "Lens",
    prompt: Prompt,
    pool: Reference | None,
    groups: Mapping[str, Sequence[HeadName]] | None,
    spans: tuple[str, ...],
    metrics: tuple[str, ...],
    samples: int,
    seed: int,
    known: bool,
    attributes: dict[str, Any],
) -> xr.Dataset:
    model = lens.inside
    sites = _sites(prompt, spans)
    programs, places, shape = _cells(model, groups, sites)
    positions = tuple(sorted({position for span in sites.spans if span is not None for position in span}))
    if not positions:
        raise ValueError(f"prompt {prompt.id} has none of the spans {spans}")
    parts = prompt_scorers(lens, prompt, metrics)
    nothing: Program = {0: (Action("z", (len(prompt) - 1,), None, "base"),)}
    programs = [*programs, _program(_all_heads(model), Span("all spans", positions)), nothing]
    put_in = None if pool is None else pool.values(prompt, positions, samples, seed)
    results = [_swept(model, prompt, positions, put_in, programs, scorer, samples) for scorer in parts]
    values = array(sum((found.values for found in results[1:]), results[0].values))
    base = array(sum((found.base for found in results[1:]), results[0].base))
    restored = np.full((*shape, samples, len(metrics)), np.nan, dtype=values.dtype)
    status = np.full(shape, int(Status.ABSENT), dtype=np.int8)
    unmoved = frozenset.intersection(*(frozenset(found.unmoved) for found in results))
    for cell, place in enumerate(places):
        restored[place] = values[cell]
        status[place] = int(Status.EXACT if cell in unmoved else Status.MEASURED)
    if groups is not None:
        restored, status = restored[:, :, :, 0], status[..., 0]
    return new_effects(
        clean=base[:1],
        corrupted=values[-2][None],
        restored=restored[None],
        status=status[None],
        noise_floor=np.abs(values[-1] - base).max(axis=0)[None],
        components=("z",) if groups is None else tuple(groups),
        layers=range(model.n_layers) if groups is None else (-1,),
        metrics={name: SIGNS[name] for name in metrics},
        prompts=prompt_columns([prompt], [known]),
        sites=batched_coordinates(sites),
        at="span",
        direction="noising",
        attributes=attributes,
    )


def _sites(prompt: Prompt, names: tuple[str, ...]) -> GridSites:
    """Named spans, `EVERYWHERE` among them."""
    rest = tuple(position for position, family in enumerate(prompt.families) if family != "bos")
    found = [Span(name, rest) if name == EVERYWHERE else named_span(prompt, name) for name in names]
    known = grid_sites(prompt, "span", [name if name != EVERYWHERE else "last token" for name in names])
    coordinates = {
        **known.coordinates,
        "span_name": list(names),
        "n_tokens": [len(span) if span else 0 for span in found],
        "span_role": [prompt.roles[span.positions[0]] if span else "" for span in found],
    }
    return GridSites("span", tuple(found), coordinates)


def _cells(
    model: LensModel, groups: Mapping[str, Sequence[HeadName]] | None, sites: GridSites
) -> tuple[list[Program], list[tuple[int, int, int, int]], tuple[int, int, int, int]]:
    """Programs with their places ``(component, layer, span, head)``, and the shape of these axes."""
    programs: list[Program] = []
    places: list[tuple[int, int, int, int]] = []
    for column, span in enumerate(sites.spans):
        if span is None:
            continue
        if groups is None:
            for layer, head in _all_heads(model):
                programs.append(_program([(layer, head)], span))
                places.append((0, layer, column, head))
        else:
            for row, heads in enumerate(groups.values()):
                programs.append(_program(heads, span))
                places.append((row, 0, column, 0))
    n_sites = len(sites.spans)
    shape = (1, model.n_layers, n_sites, model.n_heads) if groups is None else (len(groups), 1, n_sites, 1)
    return programs, places, shape


def _all_heads(model: LensModel) -> list[HeadName]:
    return [(layer, head) for layer in range(model.n_layers) for head in range(model.n_heads)]


def _program(heads: Sequence[HeadName], span: Span) -> Program:
    program: dict[int, tuple[Action, ...]] = {}
    for layer, head in sorted(set(heads)):
        program[layer] = (*program.get(layer, ()), Action("z", span.positions, head))
    return program


def _swept(
    model: LensModel,
    prompt: Prompt,
    positions: Sequence[int],
    put_in: Tensor | None,
    programs: Sequence[Program],
    scorer: Scorer,
    samples: int,
) -> SweepResult:
    """All programs in one sweep; the last patches nothing and is run all the same."""
    tokens = torch.tensor([[*prompt.ids, *scorer.forced]], device=model.device)
    z_names = [hook_name("z", layer) for layer in range(model.n_layers)]
    always = (len(programs) - 1,)
    names = names_to_record(model, programs, tokens.shape[1], 0, scorer.n_readouts, always)
    base = record(model, tokens, None, list(dict.fromkeys([*names["base"], *z_names])), scorer.n_readouts)
    replaced = _replaced(base, z_names, positions, put_in, samples)
    marker = torch.zeros(samples, 1, 1, dtype=model.dtype, device=model.device) if samples > 1 else None
    source = RecordedRun(tokens, marker, replaced, base.logits)
    return sweep_runs(
        model,
        programs,
        base=base,
        source=source,
        first_changed=0,
        score=scorer.with_clean(base.logits),
        n_readouts=scorer.n_readouts,
        always=always,
    )


def _replaced(
    base: RecordedRun, names: Sequence[str], positions: Sequence[int], put_in: Tensor | None, samples: int
) -> dict[str, Tensor]:
    """What is put in the place of z, by hook name, ``[sample pos head d_head]``: zero, or `put_in` ``[sample position
    layer head d_head]`` at the positions."""
    result = {name: torch.zeros_like(base.values[name]).repeat(samples, 1, 1, 1) for name in names}
    if put_in is not None:
        for layer, name in enumerate(names):
            result[name][:, list(positions)] = put_in[:, :, layer]
    return result
