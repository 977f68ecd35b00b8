"""Do the heads (sites, edges) that carry facts in writing carry them in speech, and the other way round?

`python experiments/interchange.py --out runs/interchange` needs no data and some minutes on two cores (edges: more). It
writes the result (netCDF), its areas (CSV) and one offline page.

1. **Ask.** Facts are asked in writing (T2T) and in speech (S2T), both read at a final marker; those known in both stay.
2. **Interchange.** Parts are ranked in each modality on half of the facts and kept in both on the other half, and the
   other way round (`sl.interchange`).
3. **Read.** Faithfulness curves, areas under f and |1 − f|, and f where the own ranking suffices, each beside the
   modality's own, reversed and random rankings.
"""

from pathlib import Path

import pandas as pd
import tyro
from heads_and_paths import METRIC, known_pairs, write_finding_page

import spiritlens as sl
from spiritlens.analysis.interchange.parts import EdgeRanking, PartKind
from spiritlens.report.page.document import Plot, Section, Table
from spiritlens.runs.corruptions.knock_out import KnockOutKind
from spiritlens.studies.pairs import PairedPrompts
from spiritlens.terms import DEFAULT_VOICE

SHOWN = ("direction", "ranking", "facts", "k*", "CPR", "CPR low", "CPR high", "CMD", "f(k*)", "f(k*) low", "f(k*) high")


def main(
    out: Path = Path("runs/interchange"),
    parts: PartKind = "heads",
    removed: KnockOutKind = "mean",
    edges_by: EdgeRanking = "gradients",
    n_facts: int = 32,
    asked: int = 60,
    samples: int = 3,
    random_rankings: int = 5,
    seed: int = 0,
    voice: str = DEFAULT_VOICE,
    phrasing: str = "first",
) -> None:
    """Interchange parts over `n_facts` facts (of `asked`, those known in both modalities)."""
    lens = sl.load()
    pairs = known_pairs(lens, n_facts, asked, seed, voice, phrasing)
    written = [final_written(lens, pair, phrasing) for pair in pairs]
    known = sl.known_prompts(lens, written)
    both = [(one, pair.spoken) for one, pair, knows in zip(written, pairs, known, strict=True) if knows]
    kept = sl.interchange(
        lens,
        [one for one, _ in both],
        [other for _, other in both],
        sl.heads.Parts(parts, removed=removed, edges_by=edges_by, random_rankings=random_rankings),
        metric=METRIC,
        samples=sl.Draws(samples, seed=seed),
        folder=out / parts,
    )
    sl.effects.save(kept, out / f"{parts}.nc")
    areas = sl.heads.faithfulness_areas(kept)
    areas.to_csv(out / f"{parts}.csv", index=False)
    print(f"\n{areas[list(SHOWN)].to_string(index=False, float_format=lambda value: f'{value:.3f}')}")
    findings = sentences(areas, parts)
    print("", *findings, sep="\n")
    table = Table("Areas and f(k*), with intervals over facts", areas[list(SHOWN)].round(3))
    sections = [
        Section("curves", "What the first parts keep", "", plots=[Plot("f", sl.figures.faithfulness_curves(kept))]),
        Section("areas", "Areas under the curves", "", tables=[table]),
    ]
    lead = f"{len(both)} facts, asked in writing and by {voice}; {parts} ranked on half of them, kept on the others."
    title, methods = f"Interchange of {parts}", [str(sl.heads.faithfulness_areas.__doc__).partition("\n")[0]]
    page = write_finding_page(out, title, lead, findings, sections, methods, kept.attrs)
    print(f"\nPage: {page.resolve()}")


def final_written(lens: sl.Lens, pair: PairedPrompts, phrasing: str) -> sl.Prompt:
    """The written prompt, ending in a marker as the spoken one does, so that roles are the same in both."""
    fact = pair.fact
    asked = (fact.text(phrasing), fact.subject, fact.answer, fact.foil)
    return lens.text(*asked, marker="final", origin=pair.written.origin)


def sentences(areas: pd.DataFrame, parts: str) -> list[str]:
    """What a ranking of the other modality reaches, where the own one suffices."""
    ranked = areas[areas["ranking"] == "ranked"].set_index("direction")
    said = []
    for found, kept, medium in (("T2T", "S2T", "speech"), ("S2T", "T2T", "writing")):
        cross, own = ranked.loc[f"{found}→{kept}"], ranked.loc[f"{kept}→{kept}"]
        if cross["why"]:
            said.append(f"In {medium} there is {cross['why']}.")
            continue
        difference, low, high = (cross[f"f(k*) below own{end}"] for end in ("", " low", " high"))
        told = "which these facts do not tell apart"
        if low > 0:  # NaN, where there is no interval, settles nothing
            told = f"{difference:.2f} [{low:.2f}, {high:.2f}] less"
        elif high < 0:
            told = f"{-difference:.2f} [{-high:.2f}, {-low:.2f}] more"
        said.append(
            f"In {medium}, {own['k*']} {parts} by its own ranking keep {own['f(k*)']:.2f} of the recall; as many by "
            f"the ranking of {found} keep {cross['f(k*)']:.2f}, {told}."
        )
    return said


if __name__ == "__main__":
    tyro.cli(main)
