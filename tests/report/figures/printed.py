"""Figures as they are printed: drawn as SVG by kaleido, and the boxes of their texts measured in chromium."""

import asyncio
import html
import json
import re
import subprocess
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

MEASURE = """
<script>
const found = [...document.querySelectorAll(".figure")].map(figure => {
  const outer = figure.firstElementChild.getBoundingClientRect();
  const texts = [...figure.querySelectorAll("text")].filter(text => text.textContent.trim());
  return {
    name: figure.dataset.name, width: outer.width, height: outer.height,
    texts: texts.map(text => {
      const box = text.getBoundingClientRect();
      return {
        text: text.textContent, size: parseFloat(getComputedStyle(text).fontSize),
        left: box.left - outer.left, right: box.right - outer.left, top: box.top - outer.top,
        bottom: box.bottom - outer.top
      };
    })
  };
});
const result = document.createElement("script");
result.type = "application/json";
result.id = "measured";
result.textContent = JSON.stringify(found).replaceAll("<", "\\\\u003c");
document.body.append(result);
</script>
"""


def svgs(figures: Mapping[str, go.Figure]) -> dict[str, str]:
    """The figures as SVG, all in one browser."""
    import kaleido

    async def draw() -> dict[str, str]:
        async with kaleido.Kaleido(mathjax=False) as browser:
            found = {}
            for name, figure in figures.items():
                size = {"width": figure.layout.width, "height": figure.layout.height}
                found[name] = (await browser.calc_fig(figure, opts={"format": "svg", **size})).decode()
            return found

    return asyncio.run(draw())


def measured(drawn: Mapping[str, str], folder: Path) -> dict[str, dict[str, Any]]:
    """Size and text boxes (pixels) of each SVG."""
    parts = [f'<div class="figure" data-name="{html.escape(name)}">{svg}</div>' for name, svg in drawn.items()]
    page = folder / "figures.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{''.join(parts)}{MEASURE}", encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={folder / 'profile'}"]
    dom = subprocess.run(["chromium", *flags, page.as_uri()], capture_output=True, text=True, check=True, timeout=600)
    text = re.search(r'<script type="application/json" id="measured">(.*?)</script>', dom.stdout, re.DOTALL)
    assert text, dom.stderr[-500:]
    return {one["name"]: one for one in json.loads(text[1])}


def outside(one: Mapping[str, Any]) -> list[str]:
    """Texts that leave the figure."""
    return [
        text["text"]
        for text in one["texts"]
        if text["left"] < -0.5
        or text["top"] < -0.5
        or text["right"] > one["width"] + 0.5
        or text["bottom"] > one["height"] + 0.5
    ]


def overlapping(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of texts that stand on each other by more than half a pixel both ways."""
    return [
        (a["text"], b["text"])
        for a, b in combinations(one["texts"], 2)
        if min(a["right"], b["right"]) - max(a["left"], b["left"]) > 0.5
        and min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) > 0.5
    ]
