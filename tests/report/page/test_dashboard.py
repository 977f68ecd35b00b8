"""The page holds everything; what it shows and refuses. In a browser: `test_in_the_browser`."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import xarray as xr

from spiritlens.comparison.compare import compare
from spiritlens.effects.schema import Status
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.figures import FIGURES
from spiritlens.report.figures.accuracy_table import accuracy_table
from spiritlens.report.figures.difference_map import difference_map
from spiritlens.report.figures.figure import Figure
from spiritlens.report.figures.peak_layers import peak_layers
from spiritlens.report.methods.sentences import methods_sentences, settings_table, unknown_sentence
from spiritlens.report.page import dashboard as dashboard_module
from spiritlens.report.page.dashboard import dashboard
from spiritlens.report.page.document import Texts
from spiritlens.report.page.packing import read_page
from spiritlens.report.page.run_folder.of_folder import of_folder
from spiritlens.report.page.sounds import Sounds

FINDINGS = ("Restoring <the subject> helps & more.", "Second.", "Third.")


@pytest.fixture(scope="module")
def page(
    roles: xr.Dataset, tokens: xr.Dataset, prompts: list[Prompt], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    accuracy = [{"group": "both", "modality": "S2T", "facts": 40, "known": 37, "share": 0.925}]
    return dashboard(
        {"role": roles, "token": tokens},
        tmp_path_factory.mktemp("page"),
        prompts=prompts,
        accuracy=accuracy,
        texts=Texts(notes=("Of 60 facts 20 were left out.",), findings=FINDINGS),
    )


def figures_of(html: str) -> dict[str, dict[str, object]]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found.group(1))  # type: ignore[no-any-return]


def test_one_file_with_plotly_once_and_no_address_to_fetch(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]
    assert html.count('data-block="plotly"') == 1
    assert html.count("plotly.js, cartesian bundle, deflated. Copyright") == 1
    own = re.sub(r"<script[^>]*>.*?</script>", "", html, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', own) == []
    assert "http" not in own.replace("http-equiv", "")


def test_figures_have_headings_and_wide_and_narrow_forms(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    figures = figures_of(html)
    assert set(re.findall(r'data-figure="([^"]+)"', html)) == set(figures)
    assert {"role-maps", "curves", "total", "peaks"} <= set(figures)
    assert set(figures["role-maps"]) == {"wide", "narrow"}
    for key in figures:
        assert re.search(rf'<h\d id="{key}-heading">[^<]+', html), key


def test_findings_notes_and_accuracy_are_shown_as_text(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert "<li>Restoring &lt;the subject&gt; helps &amp; more.</li>" in html
    assert "Of 60 facts 20 were left out." in html
    assert "<td>92\u00a0%</td>" in html


def test_sounds_are_embedded_once_each(page: Path) -> None:
    found = read_page(page)
    assert len(found.numbers(found.header["sounds"]["prompts"])) == 3
    assert found.numbers(found.header["sounds"]["which"]).tolist() == [0, 0, 0]  # the same tone
    sounds = re.search(r'id="sounds">([^<]*)<', page.read_text(encoding="utf-8"))
    assert sounds
    assert base64.b64decode(sounds.group(1)).startswith(b"OggS")


def test_one_dataset_without_prompts_suffices(roles: xr.Dataset, tmp_path: Path) -> None:
    html = dashboard(roles, tmp_path / "deep" / "folder").read_text(encoding="utf-8")
    assert 'id="findings"' not in html
    assert "<td>100\u00a0%</td>" in html


def test_one_fact_alone_makes_a_page_without_intervals(roles: xr.Dataset, tmp_path: Path) -> None:
    html = dashboard(roles.isel(prompt=[0, 1]), tmp_path).read_text(encoding="utf-8")
    assert 'n = 1 fact"' in html or "n = 1 fact<" in html
    assert "NaN" not in json.dumps(figures_of(html)["curves"])


def test_heads_and_further_figures_have_their_sections(roles: xr.Dataset, tmp_path: Path) -> None:
    cell = ("prompt", "component", "layer", "role", "head")
    restored, status = roles["restored"].expand_dims(head=2), roles["status"].expand_dims(head=2)
    heads = roles.drop_vars(["restored", "status"]).assign(
        restored=restored.transpose(*cell, "sample", "metric"), status=status.transpose(*cell)
    )
    heads = heads.assign_coords(head=[0, 1])
    html = dashboard({"by role": roles, "heads": heads}, tmp_path, figures=[peak_layers(roles)]).read_text("utf-8")
    assert {"role-maps", "heads-heads-map-0", "heads-heads-ranking-0", "more-0"} <= set(figures_of(html))
    assert "heads · indirect effect on the probability of the answer" in html
    alone = dashboard({"heads": heads}, tmp_path).read_text("utf-8")
    assert set(figures_of(alone)) == {f"heads-heads-{what}-{place}" for what in ("map", "ranking") for place in (0, 2)}


def test_few_facts_by_token_get_no_map_of_averages(page: Path) -> None:
    assert "Single tokens, averaged within a role" not in page.read_text(encoding="utf-8")


def test_methods_tell_what_was_run(roles: xr.Dataset, tokens: xr.Dataset) -> None:
    text = " ".join(methods_sentences({"role": roles, "token": tokens}))
    for words in (
        "12 written facts (T2T, 12 prompts)",
        "gaussian noise (scale 0.3 on text and 0.4 on speech units)",
        "2 samples per prompt",
        "seed 0",
        "mlp_out (windows of up to 3 layers) all tokens of a role together",
        "one token at a time",
        "at most 1 × 10⁻⁹",
        "values of each prompt's own clean run were put into its corrupted run",
    ):
        assert words in text


def test_the_corruption_is_told_in_the_words_of_the_run(roles: xr.Dataset) -> None:
    config = {"corruption": {"stream": "rome"}}
    control = roles.assign_attrs(
        corruption="gaussian noise added to the embeddings of the control", config_json=json.dumps(config)
    )
    text = " ".join(methods_sentences({"control": control}))
    assert "gaussian noise added to the embeddings of the control (scale 0.3 on text" in text
    assert "the reference code's stream" in text
    assert "subject's embeddings" not in text
    assert "seed 0" not in text
    both = " ".join(methods_sentences({"one": roles, "other": control.assign_attrs(direction="noising")}))
    assert "Corruption: gaussian noise (scale" in both
    assert "of the control" in both
    assert "denoising: restored" in both
    assert "noising: corrupted in the clean run" in both


def test_knock_outs_are_not_told_as_tracing(roles: xr.Dataset, tmp_path: Path) -> None:
    cut = roles.isel(component=[0]).assign_coords(component=["attention"])
    cut = cut.assign_attrs(corruption="attention of all edges cut in all layers", noise_law="")
    html = dashboard(cut, tmp_path).read_text("utf-8")
    assert "Attention knock-out of the model" in html
    assert "Corruption: attention of all edges cut in all layers" in html
    assert "subject&#39;s embeddings" not in html
    assert "Causal tracing of" not in html


def test_settings_hold_every_dataset_and_its_call(roles: xr.Dataset) -> None:
    severed = roles.assign_attrs(method="activation patching", config_json='{"sever": "mlp", "donors": ["a"]}')
    table = settings_table({"plain": roles, "severed": severed}).set_index("setting")
    assert table.loc["call: sever"].tolist() == ["", "mlp"]
    assert table.loc["call: donors"].tolist() == ["", '["a"]']
    assert table.loc["method"].tolist() == ["", "activation patching"]


def test_facts_to_average_can_be_chosen(roles: xr.Dataset, tmp_path: Path) -> None:
    unknown = roles.assign_coords(known=("prompt", np.zeros(roles.sizes["prompt"], dtype=np.int8)))
    html = dashboard(unknown, tmp_path / "known").read_text("utf-8")
    assert "Averages are left out: no known fact is left to average" in html
    assert not {"role-maps", "curves", "total"} & set(figures_of(html))
    html = dashboard(unknown, tmp_path / "all", facts="all").read_text("utf-8")
    assert {"role-maps", "curves", "total"} <= set(figures_of(html))
    assert "averaged with the others" in html


def test_screened_maps_are_shown_without_averages(
    roles: xr.Dataset, tokens: xr.Dataset, heads: xr.Dataset, tmp_path: Path
) -> None:
    def screened(effects: xr.Dataset) -> xr.Dataset:
        status, restored = effects["status"].copy(deep=True), effects["restored"].copy(deep=True)
        status[0, 0, 3, 6], restored[0, 0, 3, 6] = Status.SCREENED, np.nan
        return effects.assign(status=status, restored=restored)

    html = dashboard(screened(tokens), tmp_path / "tokens").read_text("utf-8")
    assert "Averages are left out: some cells were screened out" in html
    assert "screened out" in read_page(tmp_path / "tokens" / "index.html").header["averages"]["effects"]["missing"]
    html = dashboard({"whole": roles, "by <head>": screened(heads)}, tmp_path / "heads").read_text("utf-8")
    assert "By head, causal tracing: by &lt;head&gt;" in html
    assert "Averages are left out: some cells were screened out" in html


def test_a_figure_that_is_added_stands_in_its_section(
    roles: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counts(average: xr.Dataset) -> go.Figure:
        """Cells by status."""
        return go.Figure(
            go.Bar(x=average["status"].values, y=average["n_cells"].sum(["group", "component", "layer", "role"]).values)
        )

    added = Figure(counts, of="averages", section="curves", key="counts")
    monkeypatch.setattr(dashboard_module, "FIGURES", (*FIGURES, added))
    html = dashboard(roles, tmp_path).read_text("utf-8")
    assert list(figures_of(html)) == ["role-maps", "curves", "total", "peaks", "counts"]


def test_nothing_is_left_behind_by_a_page_that_fails(roles: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no rows"):
        dashboard(roles, tmp_path / "new", accuracy=[])
    assert list(tmp_path.iterdir()) == []


def test_tables_and_figures_without_a_height_are_shown(roles: xr.Dataset, tmp_path: Path) -> None:
    table, plain = accuracy_table([{"modality": "T2T", "share": 0.9}]), go.Figure(go.Scatter(y=[1, 2], name="a"))
    figures = figures_of(dashboard(roles, tmp_path, figures=[table, plain]).read_text("utf-8"))
    assert figures["more-1"]["wide"]["layout"]["height"] == 450 - 100 + 40  # type: ignore[index]


def test_names_of_datasets_are_escaped(
    heads: xr.Dataset, tokens: xr.Dataset, roles: xr.Dataset, tmp_path: Path
) -> None:
    names = [np.char.add(tokens["fact_id"].values, f" {copy}") for copy in range(2)]
    many = xr.concat([tokens.assign_coords(fact_id=("prompt", name)) for name in names], dim="prompt", data_vars="all")
    html = dashboard({"a": roles, "<img src=x>": many, "<b>heads": heads}, tmp_path).read_text("utf-8")
    assert "<img src=x>" not in html
    assert "Single tokens, averaged within a role (&lt;img src=x&gt;)" in html
    assert "&lt;b&gt;heads · indirect effect" in html


def test_unknown_facts_are_counted_by_modality(roles: xr.Dataset) -> None:
    assert unknown_sentence(roles).startswith("Every traced fact is known")
    known = np.ones(24, dtype=np.int8)
    known[[1, 3]] = 0
    assert "2 spoken (S2T)." in unknown_sentence(roles.assign_coords(known=("prompt", known)))
    by_rule = roles.assign_attrs(knowing="generated 3")
    told = unknown_sentence(by_rule.assign_coords(known=("prompt", known)))
    assert told.startswith("Not known (a fact is known when the greedy continuation of 3 tokens contains its answer")
    assert told.endswith("left out of averages: 2 spoken (S2T).")
    assert "the greedy continuation of 3 tokens" in unknown_sentence(by_rule)


def test_refusals(roles: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no results to show"):
        dashboard({}, tmp_path)
    with pytest.raises(ValueError, match="facts='some': expected one of known, all"):
        dashboard(roles, tmp_path, facts="some")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has the schema 'None', which is none of a result: a page shows effects"):
        dashboard(xr.Dataset(), tmp_path)
    for change, message in (
        ({"comparison": "They agree."}, r"comparison='They agree\.' \(str\): expected what sl\.compare returns"),
        ({"sounds": "nowhere"}, "sounds='nowhere': expected one of in the page, beside it"),
        ({"figures": [None]}, r"figures\[0\] is None"),
        ({"prompts": "x"}, "prompts='x': expected several"),
        ({"accuracy": {"share": 1.0}}, r"accuracy is one mapping.*write \[row\]"),
        ({"texts": "They agree."}, r"texts='They agree\.' \(str\): expected sl\.page\.Texts"),
    ):
        with pytest.raises(ValueError, match=message):
            dashboard(roles, tmp_path, **change)
    with pytest.raises(ValueError, match=r"effects=.*\(list\): expected a result, or several by name"):
        dashboard([roles], tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"findings='They agree\.': expected several; write"):
        Texts(findings="They agree.")
    with pytest.raises(ValueError, match=r"notes\[0\] is 5"):
        Texts(notes=[5])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"title=None \(NoneType\): expected a text"):
        Texts(title=None)  # type: ignore[arg-type]
    (tmp_path / "taken").write_text("")
    with pytest.raises(ValueError, match="taken is a file; name a folder"):
        dashboard(roles, tmp_path / "taken" / "deeper")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_a_comparison_of_other_effects_is_refused(roles: xr.Dataset, tokens: xr.Dataset, tmp_path: Path) -> None:
    comparison = compare(roles, resamples=20, permutations=20)
    fewer = roles.isel(prompt=slice(2, None))
    with pytest.raises(ValueError, match=r"comparison= is not of the effects on this page \(12 facts of 12 subjects"):
        dashboard(fewer, tmp_path, comparison=comparison)
    with pytest.raises(ValueError, match=r"the comparison is of other effects \(12 facts"):
        difference_map(fewer, comparison)
    assert not (tmp_path / "index.html").exists()
    beside = read_page(dashboard({"fewer": fewer, "beside": comparison}, tmp_path))  # a result of its own
    assert beside.header["difference"]["tested"] is None
    assert 'id="findings"' not in (tmp_path / "index.html").read_text("utf-8")
    both = read_page(dashboard({"fewer": fewer, "all": roles}, tmp_path, comparison=comparison))
    assert both.header["difference"]["tested"] is None  # it is of the second


@pytest.mark.parametrize("sounds", ["in the page", "beside it"])
def test_what_cannot_be_made_is_one_sentence_and_leaves_nothing(
    roles: xr.Dataset, tokens: xr.Dataset, prompts: list[Prompt], tmp_path: Path, sounds: Sounds
) -> None:
    """Prompts of other effects, nothing to show, no run folder, a place that cannot be written."""
    page = tmp_path / "page"
    taken = tmp_path / "taken" / "index.html"
    taken.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    foreign = [replace(prompts[1], answer_ids=(5,))]
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: dashboard(tokens, page, prompts=foreign, sounds=sounds), r"prompts\[0\] .* is not among the prompts"),
        (lambda: dashboard(roles, page, prompts=prompts, sounds=sounds), r"prompts\[0\] .* is not among the prompts"),
        (lambda: dashboard(roles.isel(prompt=[]), page, sounds=sounds), "effects is empty: it has no prompt; pass"),
        (
            lambda: dashboard({"a": tokens, "b": roles.isel(layer=[])}, page, prompts=prompts),
            r"effects\['b'\] is empty",
        ),
        (lambda: dashboard(tokens, taken.parent, prompts=prompts, sounds=sounds), "is a folder itself; name another"),
        (lambda: of_folder(tmp_path), "is no run folder"),
    ]
    for call, sentence in cases:
        with pytest.raises(ValueError, match=sentence) as refused:
            call()
        assert "\n" not in str(refused.value)
        assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(OSError, match=r"cannot be looked at .* name another place") as failed:
        dashboard(tokens, tmp_path / ("long" * 100), prompts=prompts)
    assert "\n" not in str(failed.value)


def test_effects_without_sound_make_a_page_without_any(roles: xr.Dataset, tmp_path: Path) -> None:
    page = dashboard(roles, tmp_path, sounds="beside it")
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]
    header = read_page(page)
    assert header.texts(header.header["sounds"]["files"]) == []
