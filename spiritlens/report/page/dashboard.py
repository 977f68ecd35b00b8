"""The page of a study: findings, maps side by side, curves, accuracy, prompts to listen to, and what was run.

`dashboard` writes one ``index.html`` that opens offline: nothing is
fetched. It takes one effects dataset or several by name (say at="role" and at="token" of the same prompts): the role
maps come from the first with at="role", the maps of single prompts from the first that has single tokens. Each dataset
is averaged once, and the figures of `spiritlens.report.figures.FIGURES` draw the averages. Where there are none (no
fact is known, or other cells were screened out in each prompt) the page says so.
"""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import plotly.graph_objects as go
import xarray as xr

from spiritlens.arguments import check_choice, listed, told_keywords
from spiritlens.arguments import shown as shown_value
from spiritlens.comparison.result import Comparison
from spiritlens.effects.averages import average, average_total, obstacle
from spiritlens.effects.given import given_traces
from spiritlens.effects.metric_words import words_of
from spiritlens.effects.schema import check_effects, site_axis
from spiritlens.effects.statistics import fact_names, of_facts
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.figures import FIGURES
from spiritlens.report.figures.figure import OnPage
from spiritlens.report.figures.head_map import default_role, head_map
from spiritlens.report.figures.role_maps import role_maps
from spiritlens.report.page.contents import contents_of
from spiritlens.report.page.document import Plot, Section, Table, Texts, write_page
from spiritlens.report.page.findings import headline, linked
from spiritlens.report.page.methods_text import (
    knowing_of,
    methods_sentences,
    model_words,
    settings_table,
)
from spiritlens.report.page.sounds import Sounds
from spiritlens.report.tables import Accuracy, as_frame, peak_table, shown
from spiritlens.report.words import method_words, site_words
from spiritlens.terms import Facts

FEWEST_FACTS = 5
"""A second map of averages is shown for datasets of at least so many averaged facts."""

MARKS = "White does nothing. Rings: exactly nothing, without a run. Hatched grey: no such place."
READING = {
    "denoising": "Each cell restores one place of the clean run inside the corrupted one. Red brings the answer back, "
    f"blue drives it further away. {MARKS}",
    "noising": f"Each cell corrupts one place of the clean run. Red loses the answer, blue makes it likelier. {MARKS}",
}
"""How to read the maps, by direction."""


@told_keywords
def dashboard(
    effects: xr.Dataset | Mapping[str, xr.Dataset],
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
    such as those of `spiritlens.report.figures`; `facts` which facts are averaged; `sounds` where they lie. Datasets
    with heads are shown as maps of heads.

    Raises ValueError for datasets of another kind or without a fact to show, and for prompts that are not theirs;
    OSError where it cannot be written.
    """
    path = _given_folder(folder) / "index.html"
    datasets = _given_datasets(effects)
    prompts = listed("prompts", () if prompts is None else prompts, of=Prompt, empty=True)
    accuracy = None if accuracy is None else as_frame(accuracy)
    figures = listed("figures", figures, of=go.Figure, empty=True)
    check_choice("facts", facts, Facts)
    check_choice("sounds", sounds, Sounds)
    _check_values(texts, comparison)
    wholes = {name: one for name, one in datasets.items() if "head" not in one.dims}
    heads = {name: one for name, one in datasets.items() if name not in wholes}
    sections = _sections(wholes, accuracy, facts) if wholes else []
    sections += [_head_section(heads, facts)] if heads else []
    if figures:
        plots = [Plot(f"more-{place}", figure) for place, figure in enumerate(figures)]
        sections.append(Section("more", "Further figures", "", plots))
    contents = contents_of(datasets, prompts, comparison, facts, sounds, path.parent)
    return write_page(
        path,
        title=texts.title,
        lead=_lead(datasets),
        findings=linked(texts.findings or (comparison.findings if comparison is not None else ()), comparison),
        sections=sections,
        methods=[*texts.notes, *methods_sentences(datasets, facts)],
        settings=Table("Settings", settings_table(datasets)),
        contents=contents,
        headline=headline(contents.header),
    )


def _check_values(texts: object, comparison: object) -> None:
    if not isinstance(texts, Texts):
        raise ValueError(
            f"texts={shown_value(texts)} ({type(texts).__name__}): expected sl.page.Texts(title=…, notes=…)"
        )
    if comparison is not None and not isinstance(comparison, Comparison):
        raise ValueError(
            f"comparison={shown_value(comparison, 40)} ({type(comparison).__name__}): expected what sl.compare returns"
        )


def _given_datasets(effects: xr.Dataset | Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """The datasets by name; what cannot be shown is refused before anything is drawn."""
    if isinstance(effects, xr.Dataset):
        return {"effects": check_effects(given_traces(effects))}
    if not isinstance(effects, Mapping):
        raise ValueError(
            f"effects={shown_value(effects, 40)} ({type(effects).__name__}): expected a dataset, or several by name, "
            "such as {'by role': effects, 'by token': tokens}"
        )
    if not effects:
        raise ValueError("no effects to show: pass a dataset, or a mapping from names to datasets")
    if any(not isinstance(name, str) or not name for name in effects):
        raise ValueError(f"effects has the names {shown_value(list(effects))}: expected texts, such as 'by role'")
    return {str(name): check_effects(given_traces(dataset, f"effects[{name!r}]")) for name, dataset in effects.items()}


def _given_folder(folder: str | Path) -> Path:
    """A folder, new or there already; no file stands in its place."""
    if not isinstance(folder, (str, Path)) or not str(folder):
        raise ValueError(f"folder={shown_value(folder)} ({type(folder).__name__}): expected the path of a folder")
    path = Path(folder)
    existing = next((each for each in (path, *path.parents) if each.exists()), None)
    if existing is not None and not existing.is_dir():
        raise ValueError(f"folder={path}: {existing} is a file; name a folder, new or there already")
    return path


def _lead(datasets: Mapping[str, xr.Dataset]) -> str:
    """What was run on which model, and when."""
    first = next(iter(datasets.values()))
    methods = " and ".join(dict.fromkeys(method_words(one) for one in datasets.values()))
    return f"{methods[0].upper()}{methods[1:]} of {model_words(first)}, {first.attrs['created'][:10]}."


def _first(datasets: Mapping[str, xr.Dataset], axis: str) -> xr.Dataset:
    """The first dataset with this site axis, or simply the first."""
    return next((one for one in datasets.values() if site_axis(one) == axis), next(iter(datasets.values())))


Averages = Mapping[str, xr.Dataset]
"""What the figures of averages draw, by `Figure.of`."""


def _sections(datasets: Mapping[str, xr.Dataset], accuracy: Accuracy | None, facts: Facts) -> list[Section]:
    first = _first(datasets, "role")
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


def _head_section(datasets: Mapping[str, xr.Dataset], facts: Facts) -> Section:
    """Maps of heads at the read-out and at the subject, where these were traced."""
    plots: list[Plot] = []
    texts = ["Each cell patches one head's output at the named place."]
    for name, one in datasets.items():
        missing = obstacle(one, facts)
        if missing:
            texts.append(f"Averages of {name} are left out: {missing}.")
            continue
        means = average(one, facts=facts)
        rows = means["role"].values.tolist()
        for role in dict.fromkeys([default_role(means), *(["subject"] if "subject" in rows else [])]):
            figure = head_map(means, role=role)
            plots.append(Plot(f"heads-{len(plots)}", figure, caption=f"{name} · {Plot('', figure).subtitle}"))
    return Section("heads", "By head", " ".join(texts), plots)


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
        text=READING[means.attrs["direction"]],
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
