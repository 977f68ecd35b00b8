"""Causal tracing of a small real language model over Known-1000, the facts of the ROME paper.

    python experiments/known_1000.py                    # 150 facts, about half an hour on two cores
    python experiments/known_1000.py --n-facts 20       # the first twenty of the same; more are added to the folder

1. **Ask.** SmolLM2-135M (`smollm2.py`: the instruct checkpoint, quantised to Q4_1) is asked all facts, by their bare
   prompts. Known is what it completes by arg-max, the whole answer.
2. **Choose.** A seeded order of the known facts; the first `n_facts` are traced.
3. **Trace.** Noise on the subject (3 × the standard deviation of the facts' subject rows, as the paper has it), then
   states (`resid_pre`), MLP outputs and attention outputs (windows of layers) restored at each role, and at the two
   tokens that the paper speaks of: the subject's last (*early site*) and the prompt's last (*late site*).
4. **Tell.** Tables (CSV) and one offline page, beside what the paper says of GPT-2 XL.

Everything is kept in the folder: the same command goes on where it stopped.

Source: Meng et al. 2022, Locating and Editing Factual Associations in GPT (arXiv 2202.05262), section 2, appendix B.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro
import xarray as xr
from heads_and_paths import write_finding_page
from smollm2 import smollm2
from tqdm.auto import tqdm

import spiritlens as sl
from spiritlens.report.page.document import Plot, Section, Table
from spiritlens.report.tables import peak_table

FACTS = Path(__file__).parent / "facts" / "known_1000.json"
METRIC = "probability"
COMPONENTS = ("resid_pre", "mlp_out", "attn_out")
EARLY, LATE = "subject last", "last token"
SPANS = ("before subject", "subject", "after subject", "last word", EARLY, LATE)
PUBLISHED = {
    ("resid_pre", EARLY): "8.7 % (block output of layer 15)",
    ("mlp_out", EARLY): "6.6 % (layer 17)",
    ("attn_out", EARLY): "1.6 %",
    ("attn_out", LATE): "8.0 % (layer 32)",
}
"""GPT-2 XL's 48 layers, windows of 10. The paper has the last one as a probability of 16.5 %, 8.47 % when corrupted."""
AT_ONCE = 32
PUBLISHED_TOTALS = ("27.0 %", "8.5 %", "18.6 %")


def main(
    out: Path = Path("runs/known-1000"),
    n_facts: int = 150,
    samples: int = 3,
    window: int = 10,
    seed: int = 0,
    threads: int = 2,
) -> None:
    """Ask all facts, trace `n_facts` of those that are known, and tell effects by role and layer."""
    torch.set_num_threads(threads)
    lens = sl.load(smollm2(), device="cpu")
    print(experiment(lens, sl.load_facts(FACTS), out, n_facts=n_facts, samples=samples, window=window, seed=seed))


def experiment(
    lens: sl.Lens,
    facts: Sequence[sl.Fact],
    out: Path,
    *,
    n_facts: int,
    samples: int,
    window: int,
    seed: int,
) -> str:
    """The four steps on any model and facts; what was found, in words."""
    out.mkdir(parents=True, exist_ok=True)
    made = sl.prompts.writable(lens, facts)
    known = known_facts(lens, made.prompts, out)
    order = np.random.default_rng(seed).permutation(len(known))
    chosen = [known[at] for at in order[:n_facts]]
    effects = sl.causal_trace(
        lens,
        chosen,
        sl.Grid(COMPONENTS, at="span", spans=SPANS, window=window),
        sl.Noise(sl.corruptions.noise_scale(lens, made.prompts)),  # of all, so that further facts have the same
        metrics=(METRIC,),
        samples=sl.Draws(samples, seed=seed),
        folder=out / "traces",
    )
    wanted = np.isin(effects["prompt_id"].values, [prompt.id for prompt in chosen])
    effects = effects.isel(prompt=wanted)  # the folder may hold more
    average = sl.effects.average(effects)
    tables = {
        "beside GPT-2 XL": beside_gpt2_xl(effects, average),
        "peaks": peak_table(average, METRIC),
        "known by relation": by_relation(made.prompts, known),
    }
    for name, table in tables.items():
        table.to_csv(out / f"{name.replace(' ', '_')}.csv", index=False)
    by_layer(average).to_csv(out / "layers.csv", index=False)
    asked = f"{len(known):,} of {len(made.prompts):,} prompts are known, {len(chosen)} of them are traced."
    lost = [f"{len(made.left_out)} of {len(facts):,} facts are no prompts: {made.left_out.told()}."] * bool(
        made.left_out
    )
    written = page(out, lens.name, effects, average, tables, [asked, *lost])
    first = tables["beside GPT-2 XL"].to_string(index=False)
    return "\n".join([asked, *lost, "", first, "", f"Page: {written.resolve()}"])


def known_facts(lens: sl.Lens, prompts: Sequence[sl.Prompt], out: Path) -> list[sl.Prompt]:
    """The prompts whose whole answer the model gives; what was asked is kept in the folder, by model."""
    path = out / f"asked_{lens.id[:12]}.csv"
    asked: dict[str, bool] = {}
    if path.exists():
        with path.open(newline="") as file:
            asked = {row[0]: row[1] == "known" for row in csv.reader(file) if len(row) == 2}
    waiting = sorted((prompt for prompt in prompts if prompt.id not in asked), key=len)  # those of one length together
    with path.open("a", newline="") as file, tqdm(total=len(waiting), desc="asking", unit="fact") as bar:
        for start in range(0, len(waiting), AT_ONCE):
            some = waiting[start : start + AT_ONCE]
            for prompt, known in zip(some, sl.known_prompts(lens, some), strict=True):
                asked[prompt.id] = known
                csv.writer(file).writerow([prompt.id, "known" if known else "not known"])
            file.flush()
            bar.update(len(some))
    return [prompt for prompt in prompts if asked[prompt.id]]


def beside_gpt2_xl(effects: xr.Dataset, average: xr.Dataset) -> pd.DataFrame:
    """Total effect, and the largest mean over layers at the early and the late site, beside the published figures."""
    ours = sl.effects.average_total(effects).sel(metric=METRIC).isel(group=0)
    clean, corrupted = (
        float(effects[run].sel(metric=METRIC).mean(set(effects[run].dims) & {"prompt", "sample"}))
        for run in ("clean", "corrupted")
    )
    total = f"{share(ours['mean'])} ({share(ours['low'])} to {share(ours['high'])})"
    names = ("probability of the answer, clean", "probability of the answer, corrupted", "total effect (ATE)")
    rows = list(zip(names, (share(clean), share(corrupted), total), PUBLISHED_TOTALS, strict=True))
    means = average.sel(metric=METRIC).isel(group=0)
    for site, role in (("early site", EARLY), ("late site", LATE)):
        for component in COMPONENTS:
            curve = means.sel(component=component, role=role)
            peak = curve.isel(layer=int(curve["mean"].argmax("layer")))
            interval = f"{share(peak['low'])} to {share(peak['high'])}"
            told = f"{share(peak['mean'])} ({interval}; layer {int(peak['layer'])})"
            rows.append((f"{component}, {site} ({role})", told, PUBLISHED.get((component, role), "no figure")))
    return pd.DataFrame(rows, columns=["quantity", "here", "GPT-2 XL (Meng et al. 2022)"])


def share(value: float | xr.DataArray) -> str:
    """A difference of probabilities in per cent."""
    return f"{100 * float(value):.1f} %"


def by_relation(asked: Sequence[sl.Prompt], known: Sequence[sl.Prompt]) -> pd.DataFrame:
    """How many prompts of each relation are known, the commonest relation first."""
    counts = Counter(prompt.relation for prompt in asked)
    hits = Counter(prompt.relation for prompt in known)
    rows = [(relation, count, hits[relation], hits[relation] / count) for relation, count in counts.most_common()]
    return pd.DataFrame(rows, columns=["relation", "asked", "known", "share"]).round(3)


def by_layer(average: xr.Dataset) -> pd.DataFrame:
    """Every mean with its interval: `component layer role mean low high n_facts`."""
    means = average[["mean", "low", "high", "n_facts"]].sel(metric=METRIC, drop=True).isel(group=0, drop=True)
    return means.to_dataframe().reset_index()[["component", "role", "layer", "mean", "low", "high", "n_facts"]]


def page(
    out: Path,
    model: str,
    effects: xr.Dataset,
    average: xr.Dataset,
    tables: dict[str, pd.DataFrame],
    findings: Sequence[str],
) -> Path:
    """One offline page: maps by role and layer, curves at the two sites, tables."""
    peaks = tables["peaks"].round(4)
    return write_finding_page(
        out,
        title=f"Known-1000 in {model}",
        lead="Where restoring a state of the clean run brings the answer back, after noise on the subject.",
        findings=findings,
        sections=[
            Section(
                "totals",
                "Beside GPT-2 XL",
                "The largest mean over layers is a little too large: its layer is chosen on the same facts.",
                tables=[Table("Effects on the probability of the answer", tables["beside GPT-2 XL"])],
            ),
            Section("maps", "By role and layer", "", plots=[Plot("maps", sl.figures.role_maps(average))]),
            Section(
                "sites",
                "Early and late site",
                "The subject's last token, the prompt's last token.",
                plots=[Plot("curves", sl.figures.layer_curves(average, roles=(EARLY, LATE)))],
            ),
            Section(
                "tables",
                "Peaks, and what is known",
                "",
                tables=[Table("Peaks by role", peaks), Table("Known by relation", tables["known by relation"])],
            ),
        ],
        methods=[
            "Facts: Known-1000 (K. Meng et al., MIT). Known: the whole answer is the arg-max, token by token.",
            "All tokens of a span are restored together; MLP and attention outputs over windows of layers.",
            "Noise: 3 × the standard deviation of the facts' subject rows, added to the subject's embeddings.",
        ],
        settings=effects.attrs,
    )


if __name__ == "__main__":
    tyro.cli(main)
