"""Which heads carry a fact from its subject to its answer, in writing and in speech, and are they the same heads?

`python experiments/head_level.py --out runs/head-level` needs no data and less than ten minutes on two cores. It
writes effects (netCDF), tables (CSV, JSON) and one offline page.

1. **Ask.** Facts are asked in writing (T2T) and in speech (S2T); those known in both are split by subject into a half
   to find heads on and a half to test them on.
2. **Find.** On the first half: noise on the subject, then each head's output restored at each role (`causal_trace` of
   z). A head's score is its mean effect on the logit difference at the read-out. Direct logit attribution,
   attribution patching and the attention from the read-out to the subject stand beside it.
3. **Compare.** Overlap and rank correlation of the two rankings.
4. **Test.** On the other half: the best heads of either modality are knocked out together (mean of the first half's
   prompts), and so are as many heads drawn at random, several times.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
import xarray as xr
from heads_and_paths import METRIC, READ_OUT, estimated_heads, known_pairs, write_finding_page

import spiritlens as sl
from spiritlens.analysis.heads.head_knockout import EVERYWHERE, HeadName
from spiritlens.report.page.document import Plot, Section, Table
from spiritlens.studies.pairs import KINDS, PairedPrompts
from spiritlens.terms import DEFAULT_VOICE


def main(
    out: Path = Path("runs/head-level"),
    n_facts: int = 32,
    asked: int = 60,
    top: int = 4,
    samples: int = 3,
    random_sets: int = 5,
    seed: int = 0,
    voice: str = DEFAULT_VOICE,
    phrasing: str = "first",
) -> None:
    """Find heads on half of `n_facts` facts (of `asked`, those known in both modalities), test them on the other
    half."""
    lens = sl.load()
    out.mkdir(parents=True, exist_ok=True)
    halves = known_halves(lens, n_facts, asked, seed, voice, phrasing)
    find, test = ([prompt for pair in half for prompt in pair.prompts] for half in halves)
    effects = sl.causal_trace(
        lens, find, sl.Grid(("z",), at="role"), samples=sl.Draws(samples, seed=seed), metrics=(METRIC, "probability")
    )
    sl.effects.save(effects, out / "head_effects.nc")
    measures = {kind: measures_of(lens, [p for p in find if p.kind == kind], effects, kind, seed) for kind in KINDS}
    tables = ranking_tables(measures, top)
    groups = head_groups(lens, measures, top, random_sets, seed)
    knocked = {
        kind: sl.heads.head_knockout(
            lens,
            [p for p in test if p.kind == kind],
            sl.heads.Ablation("mean", reference=[p for p in find if p.kind == kind], spans=("last token", EVERYWHERE)),
            groups=groups,
            metrics=("probability", METRIC),
            samples=sl.Draws(1, seed=seed),
        )
        for kind in KINDS
    }
    for kind, dataset in knocked.items():
        sl.effects.save(dataset, out / f"knock_out_{kind}.nc")
    tables["knock-out"] = knock_out_table(knocked, groups, seed)
    for name, table in tables.items():
        table.to_csv(out / f"{name.replace(' ', '_')}.csv", index=False)
        print(f"\n{name}\n{table.to_string(index=False, float_format=lambda value: f'{value:.3f}')}")
    found = {kind: [list(head) for head in best_heads(measures[kind]["restore"], top)] for kind in KINDS}
    (out / "heads.json").write_text(json.dumps({"heads": found, "seed": seed, "phrasing": phrasing}, indent=1))
    print(f"\nPage: {page(out, effects, tables, halves, samples).resolve()}")


def known_halves(
    lens: sl.Lens, n_facts: int, asked: int, seed: int, voice: str, phrasing: str
) -> tuple[tuple[PairedPrompts, ...], tuple[PairedPrompts, ...]]:
    """Facts known in both modalities, split by subject: to find heads on, to test them on."""
    chosen = known_pairs(lens, n_facts, asked, seed, voice, phrasing)
    subjects = list(dict.fromkeys(pair.fact.subject for pair in chosen))
    first = set(subjects[: len(subjects) // 2])
    halves = [tuple(pair for pair in chosen if (pair.fact.subject in first) == wanted) for wanted in (True, False)]
    if not all(halves):
        raise ValueError(f"only {len(chosen)} facts are known in both modalities; ask more (--asked)")
    return halves[0], halves[1]


def measures_of(
    lens: sl.Lens, prompts: Sequence[sl.Prompt], effects: xr.Dataset, kind: str, seed: int
) -> dict[str, xr.DataArray]:
    """Measures of every head ``[layer head]`` in one modality, means over facts."""
    restored = sl.effects.average(effects, facts="known").sel(component="z", metric=METRIC, role=READ_OUT[kind])
    group = int(np.flatnonzero(restored["modality"].values == kind)[0])
    direct = sl.heads.direct_logit_attribution(lens, prompts)["heads"].mean("prompt")
    looked = sl.heads.attention_mass(lens, prompts)["mass"].sel(query=READ_OUT[kind], key="subject").mean("prompt")
    return {
        "restore": restored["mean"].isel(group=group),
        "direct": direct,
        "attribution": estimated_heads(lens, prompts, kind, seed),
        "looks at subject": looked,
    }


def best_heads(measure: xr.DataArray, top: int) -> tuple[HeadName, ...]:
    """The first heads of a ranking as (layer, head)."""
    return tuple(sl.heads.rank(measure, top)[["layer", "head"]].itertuples(index=False, name=None))


def ranking_tables(measures: dict[str, dict[str, xr.DataArray]], top: int) -> dict[str, pd.DataFrame]:
    """The best heads of either modality with all their measures, and how far the modalities agree, measure by
    measure."""
    table = sl.heads.compare_rankings(measures["T2T"]["restore"], measures["S2T"]["restore"], ("T2T", "S2T"), top)
    for kind in KINDS:
        for name in ("direct", "attribution", "looks at subject"):
            values = measures[kind][name]
            places = zip(table["layer"], table["head"], strict=True)
            table[f"{name} {kind}"] = [float(values.sel(layer=layer, head=head)) for layer, head in places]
    agreement = pd.DataFrame(
        [
            {"measure": name, **sl.heads.overlap(measures["T2T"][name], measures["S2T"][name], top)}
            for name in measures["T2T"]
        ]
    )
    return {"heads": table, "agreement": agreement}


def head_groups(
    lens: sl.Lens, measures: dict[str, dict[str, xr.DataArray]], top: int, random_sets: int, seed: int
) -> dict[str, tuple[HeadName, ...]]:
    """Groups to knock out: the best of each modality, and random ones that hold none of them."""
    groups = {f"best in {kind}": best_heads(measures[kind]["restore"], top) for kind in KINDS}
    taken = {head for heads in groups.values() for head in heads}
    others = [
        (layer, head) for layer in range(lens.n_layers) for head in range(lens.n_heads) if (layer, head) not in taken
    ]
    draw = np.random.default_rng([seed, top])
    for number in range(random_sets):
        chosen = draw.permutation(len(others))[:top]
        groups[f"random {number}"] = tuple(others[at] for at in sorted(chosen))
    return groups


def knock_out_table(knocked: dict[str, xr.Dataset], groups: dict[str, tuple[HeadName, ...]], seed: int) -> pd.DataFrame:
    """Loss of probability and logit difference on the facts kept for the test, means with 95 % intervals over facts."""
    rows = []
    for kind, dataset in knocked.items():
        names = [str(name) for name in dataset["component"].values]
        random = [at for at, name in enumerate(names) if name.startswith("random")]
        for column, site in enumerate(dataset["span_name"].values[0]):
            restored = dataset["restored"].isel(layer=0, span=column, sample=0)
            loss = (dataset["clean"] - restored).transpose("component", "prompt", "metric").values
            named = {name: loss[at] for at, name in enumerate(names) if at not in random}
            named[f"random ({len(random)} sets)"] = loss[random].mean(axis=0)
            for name, values in named.items():
                draws = np.random.default_rng(seed).integers(0, len(values), (1000, len(values)))
                low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5], axis=0)
                rows.append(
                    {
                        "prompts": kind,
                        "at": str(site),
                        "knocked out": name,
                        "heads": ", ".join(f"L{layer}H{head}" for layer, head in groups.get(name, ())),
                        "clean P": float(dataset["clean"].sel(metric="probability").mean()),
                        "loss of P": float(values[:, 0].mean()),
                        "low": float(low[0]),
                        "high": float(high[0]),
                        "loss of logit difference": float(values[:, 1].mean()),
                        "facts": len(values),
                    }
                )
    return pd.DataFrame(rows)


def page(
    out: Path,
    effects: xr.Dataset,
    tables: dict[str, pd.DataFrame],
    halves: tuple[tuple[PairedPrompts, ...], ...],
    samples: int,
) -> Path:
    """One offline page: maps of heads, rankings, agreement, knock-out."""
    restore = tables["agreement"].set_index("measure").loc["restore"]
    frames = {name: table.round(3) for name, table in tables.items()}
    maps = [
        Plot(f"map-{role.split()[0]}", sl.figures.head_map(effects, role, "z", METRIC))
        for role in ("read-out", "subject")
    ]
    return write_finding_page(
        out,
        title="Heads that carry a fact",
        lead="Which heads bring a fact from its subject to its answer, in written and in spoken prompts.",
        findings=[
            f"Of the {int(restore['top'])} best heads, {int(restore['shared'])} are the same in T2T and S2T (chance "
            f"{restore['chance']:.2f}, p = {restore['p']:.3g}; Spearman over all heads {restore['spearman']:.2f})."
        ],
        sections=[
            Section("maps", "Where restoring a head brings the answer back", "Mean effect over facts.", plots=maps),
            Section(
                "rankings",
                "The best heads",
                "",
                tables=[Table("Best heads of either modality", frames["heads"])],
            ),
            Section("agreement", "Do the modalities agree?", "", tables=[Table("Agreement", frames["agreement"])]),
            Section("test", "Knock-out on other facts", "", tables=[Table("Knock-out", frames["knock-out"])]),
        ],
        methods=[
            f"Heads were found on {len(halves[0])} facts and tested on {len(halves[1])} facts with other subjects, all "
            "of them known in both modalities.",
            f"Effects: z restored in a run with noise on the subject ({samples} samples), on the logit difference.",
            "Knock-out puts the mean over the finding half's tokens of the same role in place of z, at the last token "
            "or at all tokens but the beginning.",
        ],
        settings=effects.attrs,
    )


if __name__ == "__main__":
    tyro.cli(main)
