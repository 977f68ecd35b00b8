"""The main job: the same facts told in writing and in speech, checked, traced and compared.

1. **Speak.** Each fact's prompt is spoken by a voice (a wav file each) and turned into units with times.
2. **Ask.** The model answers each fact in writing (T2T) and in speech (S2T); a fact is *known* in a modality when its
   answer has the highest logit of all text ids.
3. **Choose.** A seeded sample of the facts that are known in *both* modalities is traced, so that both maps are of the
   same facts; how many facts were left out, and why, is kept and shown.
4. **Trace** with noise on the subject: spans of all tokens of a role are restored together, which makes a written word
   of two pieces and a spoken one of ten units comparable; a few facts are traced token by token as well.
5. **Compare** the modalities with intervals over facts, and write the page.

The folder is the run directory of the trace by role (see `spiritlens.effects.store`) with ``accuracy.json``, ``wavs/``,
``index.html`` and, in ``tokens/``, the run directory of the maps by token. The same call resumes what was interrupted.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm.auto import tqdm

from spiritlens.analysis.causal_tracing import causal_trace
from spiritlens.analysis.causal_tracing_cost import Cost, estimate_cost, shape_of
from spiritlens.analysis.comparison import Comparison, compare, findings
from spiritlens.analysis.knowledge import known_prompts
from spiritlens.analysis.tracing_grid import make_grid
from spiritlens.effects.schema import At
from spiritlens.files.atomic import write_whole
from spiritlens.models.lens import Lens, Provenance
from spiritlens.prompts.facts import GROUPS, Fact, commonest_answers, load_facts
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.dashboard import dashboard
from spiritlens.speech.synthesis import DEFAULT_VOICE

KINDS = ("T2T", "S2T")


@dataclass(frozen=True, eq=False)
class Told:
    """One fact in both modalities, and whether the model knows it in each."""

    fact: Fact
    text: Prompt
    spoken: Prompt
    known: Mapping[str, bool]

    @property
    def known_in_both(self) -> bool:
        """The answer is the arg-max over text ids in writing and in speech."""
        return all(self.known[kind] for kind in KINDS)

    @property
    def prompts(self) -> tuple[Prompt, Prompt]:
        """The T2T and the S2T prompt."""
        return self.text, self.spoken


@dataclass(frozen=True, eq=False)
class Study:
    """What a study found and where it lies."""

    effects: xr.Dataset
    tokens: xr.Dataset | None
    """The maps by token; None where none was asked for."""
    accuracy: tuple[dict[str, Any], ...]
    comparison: Comparison
    findings: tuple[str, ...]
    page: Path = field(default_factory=Path)

    def __repr__(self) -> str:
        return "\n".join([*self.findings, f"Page: {self.page}"])


def study(
    lens: Lens,
    out: str | Path,
    facts: Sequence[Fact] | None = None,
    voice: str = DEFAULT_VOICE,
    phrasing: str = "held out",
    n_facts: int = 40,
    *,
    n_token_maps: int = 2,
    components: Sequence[str] = ("resid_pre", "mlp_out", "attn_out"),
    window: int | None = None,
    samples: int = 10,
    seed: int = 0,
) -> Study:
    """Run the main job and write its folder.

    `n_facts` facts known in both modalities are traced by role, `n_token_maps` of them also token by token (0: none);
    `window` None is the design's default, max(1, round(0.3 · layers)). Raises ValueError when no fact is known in both.
    """
    out = Path(out)
    _check_counts(n_facts, n_token_maps)
    _check_folder(out)
    facts = load_facts() if facts is None else tuple(facts)
    told = tell(lens, facts, voice=voice, phrasing=phrasing)
    accuracy = accuracy_rows(told)
    chosen = choose_known(told, n_facts, seed)
    prompts = [prompt for each in chosen for prompt in each.prompts]

    def trace(some: Sequence[Prompt], at: At, folder: Path) -> xr.Dataset:
        return causal_trace(lens, some, components, at=at, window=window, samples=samples, seed=seed, folder=folder)

    effects = trace(prompts, "role", out)
    tokens = trace(prompts[: 2 * n_token_maps], "token", out / "tokens") if n_token_maps else None
    write_whole(out / "accuracy.json", json.dumps(accuracy, indent=1).encode())
    write_wavs(prompts, out / "wavs")
    comparison = compare(effects)
    sentences = findings(comparison)
    page = dashboard(
        {"by role": effects, **({} if tokens is None else {"by token": tokens})},
        out,
        prompts=prompts,
        accuracy=accuracy,
        findings=sentences,
        notes=(selection_sentence(told, chosen),),
    )
    return Study(effects, tokens, tuple(accuracy), comparison, sentences, page)


def price(
    lens: Lens,
    facts: Sequence[Fact] | None = None,
    voice: str = DEFAULT_VOICE,
    phrasing: str = "held out",
    n_facts: int = 40,
    *,
    n_token_maps: int = 2,
    components: Sequence[str] = ("resid_pre", "mlp_out", "attn_out"),
    window: int | None = None,
    samples: int = 10,
    tflops: float = 1.0,
) -> dict[str, Cost]:
    """What a study's traces would cost, by role and by token; no model is run: the first facts stand for the known."""
    _check_counts(n_facts, n_token_maps)
    facts = load_facts() if facts is None else tuple(facts)
    about = [Told(fact, *_prompts(lens, fact, voice, phrasing), {}) for fact in facts[:n_facts]]
    prompts = [prompt for each in about for prompt in each.prompts]

    def cost(some: Sequence[Prompt], at: At) -> Cost:
        grid = make_grid(lens.inside, tuple(components), window, at, "denoising", "none")
        return estimate_cost(shape_of(lens.inside), some, grid, samples=samples, tflops=tflops)

    by_token = {"by token": cost(prompts[: 2 * n_token_maps], "token")} if n_token_maps else {}
    return {"by role": cost(prompts, "role"), **by_token}


def _check_counts(n_facts: int, n_token_maps: int) -> None:
    """Before anything is spoken: some facts are traced, and no negative number of them token by token."""
    if n_facts < 1:
        raise ValueError(f"n_facts={n_facts}: at least 1 fact is traced")
    if n_token_maps < 0:
        raise ValueError(f"n_token_maps={n_token_maps}: give 0 for none, or how many facts are traced token by token")


def _check_folder(out: Path) -> None:
    """Before anything is spoken: no file stands where the folder will be."""
    existing = next((path for path in (out, *out.parents) if path.exists()), None)
    if existing is not None and not existing.is_dir():
        raise ValueError(f"out={out}: {existing} is a file; name a folder, new or of an earlier run")


def tell(lens: Lens, facts: Sequence[Fact], *, voice: str, phrasing: str) -> tuple[Told, ...]:
    """Build both prompts of each fact and ask the model."""
    told = []
    for fact in tqdm(facts, desc="speaking and asking", unit="fact"):
        text, spoken = _prompts(lens, fact, voice, phrasing)
        told.append(Told(fact, text, spoken, dict(zip(KINDS, known_prompts(lens, (text, spoken)), strict=True))))
    return tuple(told)


def _prompts(lens: Lens, fact: Fact, voice: str, phrasing: str) -> tuple[Prompt, Prompt]:
    about: Provenance = {"fact_id": fact.id, "relation": fact.relation, "group": fact.group, "phrasing": phrasing}
    asked = (fact.text(phrasing), fact.subject, fact.answer, fact.foil)
    return lens.text(*asked, **about), lens.speak(*asked, voice=voice, **about)


def write_wavs(prompts: Sequence[Prompt], folder: Path) -> None:
    """One wav file per spoken prompt, named after its fact and its id."""
    folder.mkdir(parents=True, exist_ok=True)
    for prompt in prompts:
        if prompt.waveform is not None:
            name = re.sub(r"[^\w-]+", "_", f"{prompt.fact_id} {prompt.id}".strip())
            prompt.waveform.write(folder / f"{name}.wav")


def accuracy_rows(told: Sequence[Told]) -> list[dict[str, Any]]:
    """Per group: facts, the share known in each modality, and what guessing each relation's commonest answer gives."""
    guess = commonest_answers([each.fact for each in told])
    rows = []
    for group in (*GROUPS, "all"):
        of_group = [each for each in told if group in (each.fact.group, "all")]
        if of_group:
            row: dict[str, Any] = {"group": group, "facts": len(of_group)}
            row |= {kind: float(np.mean([each.known[kind] for each in of_group])) for kind in KINDS}
            row["known in both"] = float(np.mean([each.known_in_both for each in of_group]))
            row["guessing"] = float(np.mean([guess[each.fact.relation] == each.fact.answer for each in of_group]))
            rows.append(row)
    return rows


def choose_known(told: Sequence[Told], n_facts: int, seed: int) -> tuple[Told, ...]:
    """A seeded sample, in random order, of the facts that are known in both modalities."""
    _check_counts(n_facts, 0)
    known = [each for each in told if each.known_in_both]
    if not known:
        raise ValueError(f"none of the {len(told)} facts is known in both modalities; give others, or another model")
    order = np.random.default_rng([seed, len(known)]).permutation(len(known))
    return tuple(known[place] for place in order[:n_facts])


def selection_sentence(told: Sequence[Told], chosen: Sequence[Told]) -> str:
    """How many facts were traced, and why the others were not."""
    counts = {
        "known in both modalities": sum(each.known_in_both for each in told),
        "only in writing": sum(each.known["T2T"] and not each.known["S2T"] for each in told),
        "only in speech": sum(each.known["S2T"] and not each.known["T2T"] for each in told),
        "in neither": sum(not any(each.known.values()) for each in told),
    }
    listing = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return (
        f"Of {len(told)} facts, the model knows {listing}; {len(chosen)} of those known in both were drawn and traced."
    )
