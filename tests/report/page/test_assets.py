"""The scripts of the page: joined in order, each file once, and named in the policy by their hashes."""

import base64
import hashlib
import re
import zlib
from importlib.resources import files
from pathlib import Path

import pandas as pd
from plotly.offline import get_plotlyjs_version

from spiritlens.report.page.assets import SCRIPTS, page_script, plotly_block, plotly_script, policy
from spiritlens.report.page.document import Table, write_page


def test_every_file_is_joined_once() -> None:
    folder = files("spiritlens.report") / "templates" / "script"
    assert sorted(f"{name}.js" for name in SCRIPTS) == sorted(one.name for one in folder.iterdir())
    assert page_script().count("function drawMap(") == 1
    assert "</script" not in page_script() + plotly_script()


def test_plotly_is_the_one_that_python_writes_for() -> None:
    assert zlib.decompress(base64.b64decode(plotly_block())).decode() == plotly_script()
    assert f"(cartesian - minified) v{get_plotlyjs_version()}" in plotly_script()[:200]
    assert (files("spiritlens.report") / "templates" / "vendor" / "plotly-cartesian.LICENSE").is_file()


def test_the_policy_lets_only_these_scripts_run() -> None:
    digest = base64.b64encode(hashlib.sha256(b"one()").digest()).decode()
    told = policy(["one()"])
    assert f"script-src 'sha256-{digest}';" in told
    for part in ("default-src 'none'", "connect-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert part in told
    assert "unsafe-eval" not in told
    assert "media-src blob:;" in told
    assert "style-src 'unsafe-inline';" in told
    assert policy(["one()"], "beside it") == told.replace("'unsafe-inline'", "'unsafe-inline' 'self'")


def test_a_page_without_figures_has_no_plotly(tmp_path: Path) -> None:
    settings = Table("Settings", pd.DataFrame({"setting": ["a"], "value": ["b"]}))
    page = write_page(tmp_path / "a.html", title="t", lead="l", sections=[], methods=[], settings=settings)
    text = page.read_text(encoding="utf-8")
    assert len(re.findall("'sha256-|&#39;sha256-", text)) == 1
    assert 'data-block="plotly"' not in text
