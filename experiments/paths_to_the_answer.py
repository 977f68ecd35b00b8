"""What the heads that carry a fact read: a map of paths, sender by receiver, in written and in spoken prompts.

`python experiments/paths_to_the_answer.py --out runs/paths-to-the-answer` needs no data and less than ten minutes on
two cores. The heads are those that `experiments/head_level.py` found (``--heads runs/head-level/heads.json``); without
that file they are found by attribution patching.

1. Facts known in both modalities are asked; the contrast of each prompt is the same prompt about another subject, in
   place of the subject's tokens (units are warped to the same number). Facts whose subject has no fitting donor are
   left out and counted.
2. The embedding, every head and every MLP is patched on its way into the query, key and value of each found head
   (heads between held, MLPs recomputed), and into every MLP and the logits (heads and MLPs between held). Clean base
   run, norms recomputed.
3. The page shows the mean change of the logit difference over facts: T2T beside S2T.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
import xarray as xr
from heads_and_paths import METRIC, estimated_heads, known_pairs, write_finding_page

import spiritlens as sl
from spiritlens.effects.paths import Frozen, path_change
from spiritlens.report.figures.path_map import node_name
from spiritlens.report.page.document import Plot, Section, Table
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.studies.pairs import KINDS
from spiritlens.terms import DEFAULT_VOICE


def main(
    out: Path = Path("runs/paths-to-the-answer"),
    heads: Path = Path("runs/head-level/heads.json"),
    n_facts: int = 16,
    asked: int = 40,
    top: int = 4,
    seed: int = 0,
    voice: str = DEFAULT_VOICE,
    phrasing: str = "first",
) -> None:
    """Patch all paths into the found heads, the MLPs and the logits, for `n_facts` facts in both modalities."""
    lens = sl.load()
    out.mkdir(parents=True, exist_ok=True)
    pairs = known_pairs(lens, asked, asked, seed, voice, phrasing)
    prompts = {kind: [prompt for pair in pairs for prompt in pair.prompts if prompt.kind == kind] for kind in KINDS}
    found = found_heads(lens, prompts, heads, top, seed)
    corruptions = {kind: sl.corruptions.Replacement("symmetric", tuple(prompts[kind])) for kind in KINDS}
    fitting = {kind: fit(lens, prompts[kind], corruptions[kind], seed) for kind in KINDS}
    fits = [at for at in range(len(pairs)) if all(fitting[kind][at] for kind in KINDS)]
    if not fits or n_facts < 1:
        raise ValueError(
            f"{len(fits)} of {len(pairs)} facts known in both modalities have donors that fit, n_facts={n_facts}: at "
            "least 1 is needed of each; ask more facts (--asked)"
        )
    both = fits[:n_facts]
    chosen = {kind: [prompts[kind][at] for at in both] for kind in KINDS}
    outputs: list[sl.paths.Receiver] = [
        *(sl.paths.Receiver("mlp_in", layer) for layer in range(lens.n_layers)),
        sl.paths.Receiver("logits"),
    ]
    maps = {
        "into heads": patch(lens, chosen, corruptions, inputs_of(lens, found), "heads", seed),
        "into MLPs and logits": patch(lens, chosen, corruptions, outputs, "heads+mlps", seed),
    }
    tables = {name: strongest(paths, top=12) for name, paths in maps.items()}
    agreements = {name: edge_agreement(paths) for name, paths in maps.items()}
    for name, paths in maps.items():
        sl.effects.save(paths, out / f"paths_{name.replace(' ', '_')}.nc")
        tables[name].to_csv(out / f"paths_{name.replace(' ', '_')}.csv", index=False)
        print(f"\nPaths {name}\n{tables[name].to_string(index=False, float_format=lambda value: f'{value:.3f}')}")
        print(f"Spearman of all edges between T2T and S2T: {agreements[name]:.2f}; {len(both)} facts in both")
    print(f"\nPage: {page(out, maps, tables, agreements, found, len(pairs), len(fits)).resolve()}")


def patch(
    lens: sl.Lens,
    prompts: dict[str, list[sl.Prompt]],
    corruptions: dict[str, sl.corruptions.Replacement],
    receivers: Sequence[sl.paths.Receiver],
    frozen: Frozen,
    seed: int,
) -> xr.Dataset:
    """All paths into the receivers, both modalities in one dataset."""
    parts = [
        sl.path_patch(
            lens,
            prompts[kind],
            corruptions[kind],
            sl.paths.Paths(receivers=receivers, frozen=frozen),
            metrics=(METRIC,),
            samples=sl.Draws(1, seed=seed),
        )
        for kind in KINDS
    ]
    joined = xr.concat(
        parts, "prompt", data_vars="all", coords="minimal", compat="override", join="exact", combine_attrs="override"
    )
    return joined.assign_coords(prompt=np.arange(joined.sizes["prompt"]))


def found_heads(
    lens: sl.Lens, prompts: dict[str, list[sl.Prompt]], file: Path, top: int, seed: int
) -> dict[str, list[tuple[int, int]]]:
    """The heads of the file, or the best by attribution patching at the read-out."""
    if file.is_file():
        stored = json.loads(file.read_text())["heads"]
        return {kind: [(layer, head) for layer, head in stored[kind]][:top] for kind in KINDS}
    found = {}
    for kind in KINDS:
        table = sl.heads.rank(estimated_heads(lens, prompts[kind], kind, seed), top)
        found[kind] = list(table[["layer", "head"]].itertuples(index=False, name=None))
    return found


def inputs_of(lens: sl.Lens, found: dict[str, list[tuple[int, int]]]) -> list[sl.paths.Receiver]:
    """Query, key and value inputs of the found heads (key and value: of their key-value heads)."""
    each = lens.n_heads // lens.backend.n_kv_heads
    nodes: list[sl.paths.Receiver] = []
    for layer, head in sorted({head for heads in found.values() for head in heads}):
        nodes.append(sl.paths.Receiver("q_input", layer, head))
        nodes += [sl.paths.Receiver("k_input", layer, head // each), sl.paths.Receiver("v_input", layer, head // each)]
    return list(dict.fromkeys(nodes))


def fit(lens: sl.Lens, prompts: Sequence[sl.Prompt], corruption: sl.corruptions.Replacement, seed: int) -> list[bool]:
    """For every prompt, whether the donors have a subject that fits into its place."""
    fitting = []
    for prompt in prompts:
        try:
            corrupted_embeddings(lens, prompt, corruption, samples=1, seed=seed)
            fitting.append(True)
        except ValueError:
            fitting.append(False)
    return fitting


def edges(paths: xr.Dataset) -> pd.DataFrame:
    """Mean change of every measured edge over facts, one column per modality."""
    change = path_change(paths).sel(metric=METRIC).isel(pos=0)
    columns = {
        kind: change.isel(prompt=np.flatnonzero(paths["modality"].values == kind)).mean("prompt") for kind in KINDS
    }
    frame = pd.DataFrame({kind: values.to_series() for kind, values in columns.items()}).dropna()
    return frame


def strongest(paths: xr.Dataset, top: int) -> pd.DataFrame:
    """The edges whose patch changes the logit difference most in either modality."""
    frame = edges(paths)
    frame = frame.loc[frame.abs().max(axis=1).sort_values(ascending=False).index].head(top)
    names = [(node_name(*index[:3]), node_name(*index[3:6])) for index in frame.index]
    return pd.DataFrame(names, columns=["sender", "receiver"]).assign(
        **{kind: frame[kind].to_numpy() for kind in KINDS}
    )


def edge_agreement(paths: xr.Dataset) -> float:
    """Spearman correlation of mean edge changes between the modalities."""
    return float(edges(paths).corr("spearman").loc["T2T", "S2T"])


def page(
    out: Path,
    maps: dict[str, xr.Dataset],
    tables: dict[str, pd.DataFrame],
    agreements: dict[str, float],
    found: dict[str, list[tuple[int, int]]],
    n_known: int,
    n_fitting: int,
) -> Path:
    """One offline page with the maps of paths."""
    names = {kind: ", ".join(f"L{layer}H{head}" for layer, head in heads) for kind, heads in found.items()}
    one = next(iter(maps.values()))
    n_facts = one.sizes["prompt"] // 2
    return write_finding_page(
        out,
        title="Paths into the heads that carry a fact",
        lead="What the embedding, heads and MLPs bring to the heads that carry a fact, the MLPs and the logits.",
        findings=[
            f"Paths {name}: the strongest is {tables[name]['sender'][0]} → {tables[name]['receiver'][0]}; edges of T2T "
            f"and S2T correlate by {agreement:.2f} (Spearman)."
            for name, agreement in agreements.items()
        ],
        sections=[
            Section(
                f"paths-{number}",
                f"Paths {name}",
                "",
                plots=[Plot(f"paths-{number}", sl.figures.path_map(paths, METRIC))],
                tables=[Table("Strongest paths", tables[name].round(3))],
            )
            for number, (name, paths) in enumerate(maps.items())
        ],
        methods=[
            f"{n_known} facts are known in both modalities; the subjects of {n_fitting} have donors that fit in both, "
            f"and {n_facts} of these were patched.",
            f"Found heads: T2T {names['T2T']}; S2T {names['S2T']}.",
            "Clean base run, the subject replaced by another prompt's. Into heads: heads between the two nodes are "
            "held, MLPs recomputed; into MLPs and logits: both are held.",
        ],
        settings=one.attrs,
    )


if __name__ == "__main__":
    tyro.cli(main)
