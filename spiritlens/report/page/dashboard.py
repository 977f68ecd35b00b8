"""The page of a study: findings, maps side by side, curves, accuracy, prompts to listen to, and what was run.

`dashboard` writes one ``index.html`` that opens offline: nothing is fetched. It takes any result, or several by name
(`spiritlens.report.page.sections.kinds`). Effects of whole layers that were made alike are its main part: the role maps
come from the first with at="role", the maps of single prompts from the first that has single tokens; each other result
has a section of its own. Each dataset is averaged once. Where there are no averages (no fact is known, or other cells
were screened out in each prompt) the page says so.
"""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import check_choice, listed, told_keywords
from spiritlens.arguments import shown as shown_value
from spiritlens.comparison.result import Comparison
from spiritlens.effects.averages import average, average_total, obstacle
from spiritlens.effects.metric_words import words_of
from spiritlens.effects.paths import PATHS_SCHEMA
from spiritlens.effects.schema import SCHEMA, site_axis
from spiritlens.effects.statistics import fact_names, of_facts
from spiritlens.files.atomic import given_path
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.acts import done_words, reading_words
from spiritlens.report.figures import FIGURES
from spiritlens.report.figures.figure import OnPage
from spiritlens.report.figures.role_maps import role_maps
from spiritlens.report.methods.sentences import (
    knowing_of,
    methods_sentences,
    model_words,
    settings_table,
)
from spiritlens.report.page.contents import Deeper, contents_of
from spiritlens.report.page.document import Contents, Plot, Section, Table, Texts, write_page
from spiritlens.report.page.findings import MAIN_VIEWS, Shown, headline, linked
from spiritlens.report.page.leading import leading
from spiritlens.report.page.sections.commands import deeper as not_run
from spiritlens.report.page.sections.effects import done_text
from spiritlens.report.page.sections.given import Among
from spiritlens.report.page.sections.kinds import KINDS, BringsSections, given_result, sections_of, sentences_of
from spiritlens.report.page.sounds import Sounds
from spiritlens.report.tables import Accuracy, as_frame, peak_table, shown
from spiritlens.report.words import method_words, site_words
from spiritlens.terms import Facts

FEWEST_FACTS = 5
"""A second map of averages is shown for datasets of at least so many averaged facts."""

Result: TypeAlias = xr.Dataset | Comparison | pd.DataFrame | pd.Series | BringsSections
"""What a page shows: what a method returned, averages, a comparison, a table, or what brings sections of its own (a
table of sensitivity)."""


@told_keywords
def dashboard(
    effects: Result | Mapping[str, Result],
    folder: str | Path,
    prompts: Sequence[Prompt] | None = None,
    accuracy: Accuracy | None = None,
    *,
    comparison: Comparison | None = None,
    texts: Texts = Texts(),  # noqa: B008  a frozen value
    figures: Sequence[go.Figure] = (),
    facts: Facts = "known",
    sounds: Sounds = "in the page",
) -> Path:
    """Write the page of a study into `folder` and return the path of its ``index.html``.

    `prompts` are the traced prompts (those with a waveform can be listened to); `accuracy` a table of who knows what
    (by default counted from `known`); `comparison` that of the modalities, whose findings stand at the top and whose
    cells are outlined; `texts` the title, findings of one's own and notes (`sl.page.Texts`); `figures` further ones,
    such as those of `spiritlens.report.figures`; `facts` which facts are averaged; `sounds` where they lie. Each
    kind of result has its section (`spiritlens.report.page.sections.kinds`).

    Raises ValueError for what no section shows (the sentence says what is shown), for a dataset without a prompt, for
    prompts that are not theirs and a comparison of other effects; OSError where it cannot be written. Nothing is left
    half-written.
    """
    path = _given_folder(folder) / "index.html"
    results = _given_results(effects)
    prompts = listed("prompts", () if prompts is None else prompts, of=Prompt, empty=True)
    accuracy = None if accuracy is None else as_frame(accuracy)
    figures = listed("figures", figures, of=go.Figure, empty=True)
    check_choice("facts", facts, Facts)
    check_choice("sounds", sounds, Sounds)
    _check_values(texts, comparison)
    traced = {name: one for name, one in results.items() if _schema(one) == SCHEMA}
    lead = leading(comparison, results, traced)
    main = _main(traced)
    others = {name: one for name, one in results.items() if name not in main}
    first = lead.paired[_first(main, "role")] if main else None
    theirs = sections_of(others, Among(facts, first))
    tables, added = lead.tables()
    sections = [
        *(_sections(main, accuracy, facts) if main else []),
        *theirs,
        *added,
        *_more(figures),
        *_not_run(results, traced, facts),
    ]
    deeper = Deeper(results, theirs)
    contents = contents_of(lead, prompts, facts, sounds, path.parent, deeper) if traced else Contents()
    views = MAIN_VIEWS[: 2 + bool(contents.header["difference"])] if traced else ()
    measured = {name: one for name, one in results.items() if isinstance(one, xr.Dataset)}
    return write_page(
        path,
        title=texts.title,
        lead=_lead(measured),
        findings=linked(
            texts.findings or (lead.comparison.findings if lead.comparison is not None else ()),
            lead.comparison,
            Shown([*views, *(one.key for one in sections)], views if lead.drawn is not None else (), tables),
        ),
        sections=sections,
        methods=[*texts.notes, *_methods(results, traced, facts)],
        settings=Table("Settings", settings_table(measured)),
        contents=contents,
        headline=headline(contents.header) if traced else (),
    )


def _main(traced: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """The datasets of whole layers that were made as the first one by role was; others have sections of their own."""
    wholes = {name: one for name, one in traced.items() if "head" not in one.dims}
    if not wholes:
        return {}
    done = done_words(wholes[_first(wholes, "role")])
    return {name: one for name, one in wholes.items() if done_words(one) == done}


def _schema(result: Any) -> str:
    return str(result.attrs.get("schema")) if isinstance(result, xr.Dataset) else ""


def _methods(results: Mapping[str, Any], traced: Mapping[str, xr.Dataset], facts: Facts) -> list[str]:
    """What was run, of effects together and of every other result."""
    others = {name: one for name, one in results.items() if name not in traced}
    return [*(methods_sentences(traced, facts) if traced else []), *sentences_of(others)]


def _more(figures: Sequence[go.Figure]) -> list[Section]:
    """Further figures, as they were given."""
    plots = [Plot(f"more-{place}", figure) for place, figure in enumerate(figures)]
    return [Section("more", "Further figures", "", plots)] if plots else []


def _not_run(results: Mapping[str, Any], traced: Mapping[str, xr.Dataset], facts: Facts) -> list[Section]:
    """How to go deeper, where that was not done."""
    commands = not_run(traced, any(_schema(one) == PATHS_SCHEMA for one in results.values()), facts)
    return [Section("deeper", "What was not run", "", commands=commands)] if commands else []


def _check_values(texts: object, comparison: object) -> None:
    if not isinstance(texts, Texts):
        raise ValueError(
            f"texts={shown_value(texts)} ({type(texts).__name__}): expected sl.page.Texts(title=…, notes=…)"
        )
    if comparison is not None and not isinstance(comparison, Comparison):
        raise ValueError(
            f"comparison={shown_value(comparison, 40)} ({type(comparison).__name__}): expected what sl.compare returns"
        )


def _given_results(effects: Any) -> dict[str, Any]:
    """The results by name; what cannot be shown is refused before anything is drawn."""
    if isinstance(effects, Mapping) and not isinstance(effects, xr.Dataset):
        if not effects:
            raise ValueError("no results to show: pass one, or a mapping from names to results")
        if any(not isinstance(name, str) or not name for name in effects):
            raise ValueError(f"effects has the names {shown_value(list(effects))}: expected texts, such as 'by role'")
        return {str(name): given_result(f"effects[{name!r}]", one) for name, one in effects.items()}
    if isinstance(effects, (list, tuple)):
        raise ValueError(
            f"effects={shown_value(effects, 40)} ({type(effects).__name__}): expected a result, or several by name, "
            "such as {'by role': effects, 'by token': tokens}"
        )
    return {"effects": given_result("effects", effects)}


def _given_folder(folder: str | Path) -> Path:
    """A folder, new or there already; no file stands in its place."""
    path = given_path("folder", folder)
    existing = next((each for each in (path, *path.parents) if each.exists()), None)
    if existing is not None and not existing.is_dir():
        raise ValueError(f"folder={path}: {existing} is a file; name a folder, new or there already")
    if (path / "index.html").is_dir():
        raise ValueError(f"folder={path}: {path / 'index.html'} is a folder itself; name another place")
    return path


def _lead(measured: Mapping[str, xr.Dataset]) -> str:
    """What was run on which model, and when."""
    if not measured:
        return ""
    first = next(iter(measured.values()))
    methods = " and ".join(dict.fromkeys(map(_method, measured.values())))
    model = model_words(first) if {"model_name", "model_hash"} <= set(first.attrs) else "a speech-text language model"
    made = f", {first.attrs['created'][:10]}" if first.attrs.get("created") else ""
    return f"{methods[0].upper()}{methods[1:]} of {model}{made}."


def _method(dataset: xr.Dataset) -> str:
    """What was run, by the method's name, else by the kind of result."""
    if "component" in dataset.coords:
        return method_words(dataset)
    return str(dataset.attrs.get("method") or KINDS[str(dataset.attrs["schema"])].words)


def _first(datasets: Mapping[str, xr.Dataset], axis: str) -> str:
    """The name of the first dataset with this site axis, or simply of the first."""
    return next((name for name, one in datasets.items() if site_axis(one) == axis), next(iter(datasets)))


Averages = Mapping[str, xr.Dataset]
"""What the figures of averages draw, by `Figure.of`."""


def _sections(datasets: Mapping[str, xr.Dataset], accuracy: Accuracy | None, facts: Facts) -> list[Section]:
    first = datasets[_first(datasets, "role")]
    known = _accuracy_section(first, accuracy)
    missing = obstacle(first, facts)
    if missing:
        return [Section("maps", "By role and layer", f"Averages are left out: {missing}."), known]
    averages = {"averages": average(first, facts=facts), "total averages": average_total(first, facts=facts)}
    others = {name: one for name, one in datasets.items() if one is not first}
    return [_map_section(averages, others, facts), _curve_section(averages), known]


def _plots(section: OnPage, averages: Averages) -> list[Plot]:
    """The figures of a section of the page, in the order of `FIGURES`."""
    return [
        Plot(
            figure.key,
            figure.draw(averages[figure.of]),
            figure.draw(averages[figure.of], arrangement="stacked") if figure.forms == "both" else None,
        )
        for figure in FIGURES
        if figure.section == section
    ]


def _map_section(averages: Averages, others: Mapping[str, xr.Dataset], facts: Facts) -> Section:
    means = averages["averages"]
    plots = _plots("maps", averages)
    for name, one in others.items():
        enough = site_axis(one) != "role" and _n_facts(one, facts) >= FEWEST_FACTS
        if enough and not obstacle(one, facts):
            heading = f"{site_words(one).capitalize()} ({name})"
            plots.append(_other_map(f"role-maps-{len(plots)}", average(one, facts=facts), heading))
    metric = str(means["metric"].values[0])
    numbers = shown(peak_table(means, metric), floats="number")
    words = words_of(means, metric)
    note = f"Largest mean effect on the {words} of each curve; its interval over facts holds for all layers at once."
    return Section(
        key="maps",
        heading="By role and layer",
        text=f"{done_text(means)} {reading_words(means)}",
        plots=plots,
        tables=[Table("Peaks in numbers", numbers, note, folded=True)],
    )


def _n_facts(effects: xr.Dataset, facts: Facts) -> int:
    return len(set(fact_names(of_facts(effects, facts))))


def _other_map(key: str, means: xr.Dataset, heading: str) -> Plot:
    """The role maps of a further dataset, under a heading of its own."""
    wide = role_maps(means)
    wide.layout.title.text = f"{html.escape(heading)}<br>{wide.layout.title.text.partition('<br>')[2]}"
    return Plot(key, wide, role_maps(means, arrangement="stacked"))


def _curve_section(averages: Averages) -> Section:
    return Section(
        key="curves",
        heading="By layer, and fact by fact",
        text="Averages hide how facts differ: the points and counts below show every fact that was averaged.",
        plots=_plots("curves", averages),
    )


def _accuracy_section(averaged: xr.Dataset, accuracy: Accuracy | None) -> Section:
    frame = as_frame(averaged if accuracy is None else accuracy)
    return Section(
        key="accuracy",
        heading="Which facts the model knows",
        text=f"A fact is known when {knowing_of(averaged).words}.",
        tables=[Table("Known facts" if accuracy is None else "Accuracy", shown(frame))],
    )
