"""The page holds everything, fetches nothing, and works in a real browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.curves import peak_layers
from spiritlens.report.dashboard import dashboard
from spiritlens.report.methods_text import methods_sentences, unknown_sentence

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
        findings=FINDINGS,
        notes=("Of 60 facts 20 were left out.",),
    )


def figures_of(html: str) -> dict[str, dict[str, object]]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found.group(1))  # type: ignore[no-any-return]


def test_one_file_with_plotly_once_and_no_address_to_fetch(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]
    assert html.count("plotly.js v") == 1
    own = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', own) == []
    assert "http" not in own.replace("http-equiv", "")


def test_figures_have_headings_and_wide_and_narrow_forms(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    figures = figures_of(html)
    assert set(re.findall(r'data-figure="([^"]+)"', html)) == set(figures)
    assert {"role-maps", "curves", "total", "peaks", "e0-resid_pre", "e1-speech"} <= set(figures)
    assert set(figures["role-maps"]) == {"wide", "narrow"}
    for key in figures:
        assert re.search(rf'<h\d id="{key}-heading">[^<]+', html), key


def test_findings_notes_and_accuracy_are_shown_as_text(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert "<li>Restoring &lt;the subject&gt; helps &amp; more.</li>" in html
    assert "Of 60 facts 20 were left out." in html
    assert "<td>92\u00a0%</td>" in html


def test_audio_is_embedded_for_spoken_prompts(page: Path) -> None:
    assert page.read_text(encoding="utf-8").count("data:audio/wav;base64,UklGR") == 3


def test_one_dataset_without_prompts_suffices(roles: xr.Dataset, tmp_path: Path) -> None:
    html = dashboard(roles, tmp_path / "deep" / "folder", examples=1).read_text(encoding="utf-8")
    assert 'id="findings"' not in html
    assert html.count('<article class="example"') == 2
    assert "<td>100\u00a0%</td>" in html


def test_one_fact_alone_makes_a_page_without_intervals(roles: xr.Dataset, tmp_path: Path) -> None:
    html = dashboard(roles.isel(prompt=[0, 1]), tmp_path).read_text(encoding="utf-8")
    assert "n = 1 facts" in html
    assert "NaN" not in json.dumps(figures_of(html)["curves"])


def test_heads_and_further_figures_have_their_sections(roles: xr.Dataset, tmp_path: Path) -> None:
    cell = ("prompt", "component", "layer", "role", "head")
    restored, status = roles["restored"].expand_dims(head=2), roles["status"].expand_dims(head=2)
    heads = roles.drop_vars(["restored", "status"]).assign(
        restored=restored.transpose(*cell, "sample", "metric"), status=status.transpose(*cell)
    )
    heads = heads.assign_coords(head=[0, 1])
    html = dashboard({"by role": roles, "heads": heads}, tmp_path, figures=[peak_layers(roles)]).read_text("utf-8")
    assert {"role-maps", "heads-0", "heads-1", "more-0"} <= set(figures_of(html))
    assert "heads · indirect effect on the probability of the answer" in html
    alone = dashboard({"heads": heads}, tmp_path).read_text("utf-8")
    assert set(figures_of(alone)) == {"heads-0", "heads-1"}


def test_few_facts_by_token_get_no_map_of_averages(page: Path) -> None:
    assert "Single sites, averaged within a role" not in page.read_text(encoding="utf-8")


def test_methods_tell_what_was_run(roles: xr.Dataset, tokens: xr.Dataset) -> None:
    text = " ".join(methods_sentences({"role": roles, "token": tokens}))
    for words in (
        "12 facts told in writing (T2T, 12 prompts)",
        "gaussian noise of scale 0.3 on text and 0.4 on speech units",
        "2 samples per prompt",
        "seed 0",
        "mlp_out (windows of up to 3 layers) all tokens of a role together",
        "one token at a time",
        "at most 1e-09",
    ):
        assert words in text


def test_unknown_facts_are_counted_by_modality(roles: xr.Dataset) -> None:
    assert unknown_sentence(roles).startswith("Every traced fact is known")
    known = np.ones(24, dtype=np.int8)
    known[[1, 3]] = 0
    assert "2 told in speech (S2T)." in unknown_sentence(roles.assign_coords(known=("prompt", known)))


def test_refusals(roles: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no effects to show"):
        dashboard({}, tmp_path)
    with pytest.raises(ValueError, match="examples=-1"):
        dashboard(roles, tmp_path, examples=-1)
    with pytest.raises(ValueError, match=r"expected 'spiritlens\.effects/1'"):
        dashboard(xr.Dataset(), tmp_path)


PROBE = """<script>
window.problems = [];
window.addEventListener("error", (event) => window.problems.push(String(event.message)));
document.addEventListener("securitypolicyviolation", (event) => window.problems.push("blocked " + event.blockedURI));
const waiting = () => [...document.querySelectorAll(".plot")].some((one) => one.offsetParent && !one.dataset.drawn);
const whenDrawn = (then) => setTimeout(() => (waiting() ? whenDrawn(then) : then()), 100);
window.addEventListener("load", () => whenDrawn(() => {
  const choice = document.getElementById("choose-fact");
  choice.selectedIndex = 1;
  choice.dispatchEvent(new Event("change"));
  whenDrawn(() => {
    const root = document.documentElement;
    const names = performance.getEntriesByType("resource").map((one) => one.name);
    root.dataset.problems = JSON.stringify(window.problems);
    root.dataset.fetched = JSON.stringify(names.filter((name) => !name.startsWith("data:")));
    root.dataset.overflow = root.scrollWidth - root.clientWidth;
  });
}));
</script>"""


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("width", [1280, 500])
def test_renders_in_chromium_without_errors_or_requests(page: Path, tmp_path: Path, width: int) -> None:
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text(encoding="utf-8").replace("<body>", "<body>" + PROBE), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--enable-logging=stderr",
    ]
    command = ["chromium", *flags, f"--window-size={width},900", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=60000", "--dump-dom", probed.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    root = dict(re.findall(r'data-(\w+)="([^"]*)"', done.stdout[: done.stdout.index(">", done.stdout.index("<html"))]))
    assert root == {"problems": "[]", "fetched": "[]", "overflow": "0"}
    assert "CONSOLE" not in done.stderr
    drawn = re.findall(r'class="plot js-plotly-plot" data-figure="([^"]+)"', done.stdout)
    never_chosen = {"e4-resid_pre", "e5-resid_pre", "e5-speech"}
    assert set(drawn) == set(figures_of(page.read_text(encoding="utf-8"))) - never_chosen
    assert done.stdout.count('class="main-svg"') >= 2 * len(drawn)
