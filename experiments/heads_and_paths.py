"""What `head_level.py` and `paths_to_the_answer.py` share: the facts asked, the estimate of a head, and their page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import spiritlens as sl
from spiritlens.report.page.document import Section, Table, write_page
from spiritlens.studies.pairs import PairedPrompts, ask
from spiritlens.studies.selection import choose_known

METRIC = "logit_difference"
READ_OUT = {"T2T": "last word", "S2T": "final marker"}


def known_pairs(
    lens: sl.Lens, n_facts: int, asked: int, seed: int, voice: str, phrasing: str
) -> tuple[PairedPrompts, ...]:
    """Of `asked` facts that training wrote and spoke, drawn by the seed: `n_facts` known in both modalities."""
    facts = [fact for fact in sl.load_facts() if fact.group == "both"]
    order = np.random.default_rng(seed).permutation(len(facts))[:asked]
    found = ask(lens, [facts[at] for at in order], voice=voice, phrasing=phrasing, ending="plain")
    return choose_known(found, n_facts, seed)


def estimated_heads(lens: sl.Lens, prompts: Sequence[sl.Prompt], kind: str, seed: int) -> xr.DataArray:
    """Attribution patching of every head's output at the read-out, mean over facts: ``[layer head]``."""
    effects = sl.attribution_patch(
        lens,
        prompts,
        sl.Noise(),
        sl.Grid(("z",), at="role"),
        steps=5,
        samples=sl.Draws(1, seed=seed),
        metrics=(METRIC,),
    )
    mean = sl.effects.average(effects, facts="known")["mean"].isel(group=0)
    return mean.sel(component="z", metric=METRIC, role=READ_OUT[kind])


def write_finding_page(
    out: Path,
    title: str,
    lead: str,
    findings: Sequence[str],
    sections: Sequence[Section],
    methods: Sequence[str],
    settings: Mapping[str, Any],
) -> Path:
    """One offline page: findings, sections, how it was done, and the attributes of the result as its settings."""
    rows = pd.DataFrame(settings.items(), columns=["name", "value"])
    return write_page(
        out / "index.html",
        title=title,
        lead=lead,
        findings=findings,
        sections=sections,
        methods=methods,
        settings=Table("Settings", rows, folded=True),
    )
