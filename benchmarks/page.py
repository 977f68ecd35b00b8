"""Weight and speed of the page in two commits, on the same synthetic effects: every fact can be opened and heard.

    OMP_NUM_THREADS=1 python benchmarks/page.py 342edd0                 # 1,000 facts, against what is checked out
    OMP_NUM_THREADS=1 python benchmarks/page.py 342edd0 --facts 24

Each commit builds, in a process of its own, the page of the same effects: 8 layers, 3 components, role maps of both
modalities in two metrics, token maps of 20 columns for `token-maps` of the facts, one voice, a sound of 2.3 s for each
spoken prompt. Commits before the page was packed take about a second a fact, so they build `before-facts` facts and a
third of them: what a further fact costs is told, and what the facts of the new page would. What is checked out is built
with the sounds in the page and beside it, and opened in Debian's chromium: first paint, time and CPU until the first
view is drawn, and the switching of facts.
"""

import json
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import tyro
from bit_equal import checked_out, told_by

HOMES = ("spiritlens.speech.audio.waveform", "spiritlens.speech.waveform")
"""Where `Waveform` lives, the newest first."""
ROOT = Path(__file__).parents[1]
SECONDS = 2.3
COLUMNS = 20
Figures = dict[str, float]


def main(
    before: Annotated[str, tyro.conf.Positional],
    facts: int = 1000,
    token_maps: int = 1000,
    before_facts: int = 12,
) -> None:
    """Build both pages, and open the new one."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tree = stack.enter_context(checked_out(before, work / "tree"))
        few = max(1, before_facts // 3)
        old, least = (built(tree, work / f"old-{n}", n, min(token_maps, n), "") for n in (before_facts, few))
        whole = built(ROOT, work / "whole", facts, token_maps, "in the page")
        beside = built(ROOT, work / "beside", facts, token_maps, "beside it")
        opened = in_the_browser(work / "whole" / "index.html", work, facts)
    further = {name: (old[name] - least[name]) / (before_facts - few) for name in ("CPU s", "MB")}
    grown = {name: old[name] + (facts - before_facts) * further[name] for name in further}
    print(f"{before}, {before_facts} facts: {old['CPU s']:.1f} s of CPU, {old['MB']:.1f} MB")
    print(f"  a further fact: {further['CPU s']:.2f} s, {1000 * further['MB']:.0f} kB")
    print(f"  {facts} facts would be: {grown['CPU s']:.0f} s, {grown['MB']:.0f} MB")
    print(f"now, {facts} facts, {token_maps} with token maps: {whole['CPU s']:.1f} s of CPU, {whole['MB']:.2f} MB")
    print(f"  sounds beside it: {beside['CPU s']:.1f} s of CPU, {beside['MB']:.2f} MB")
    print(f"  {grown['CPU s'] / whole['CPU s']:.1f} times less CPU, {grown['MB'] / whole['MB']:.0f} times less weight")
    for name, value in opened.items():
        print(f"  {name}: {value:.2f}")


def built(tree: Path, folder: Path, facts: int, token_maps: int, sounds: str) -> Figures:
    """CPU seconds and megabytes of one page, made in a process of the commit's own."""
    return told_by(tree, f"from page import build; build({str(folder)!r}, {facts}, {token_maps}, {sounds!r})")


def build(folder: str, facts: int, token_maps: int, sounds: str) -> None:
    """In the commit's own process: make the page, and print what it cost."""
    import spiritlens as sl

    roles, tokens, prompts = inputs(facts, token_maps)
    given: dict[str, Any] = {"sounds": sounds} if sounds else {"examples": facts}
    began = resource.getrusage(resource.RUSAGE_SELF)
    page = sl.dashboard({"by role": roles, "by token": tokens}, folder, prompts, **given)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    cpu = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    print(json.dumps({"CPU s": cpu, "MB": page.stat().st_size / 1e6}))


def inputs(facts: int, token_maps: int) -> tuple[Any, Any, list[Any]]:
    """Effects by role and by token of the same facts, and their prompts."""
    import effects_synthetic
    import numpy as np
    import xarray as xr

    components = ("resid_pre", "mlp_out", "attn_out")
    roles = effects_synthetic.role_effects(n_facts=facts, n_layers=8, noise=0.2, components=components)
    lines = {"T2T": longer(effects_synthetic.TEXT_TOKENS), "S2T": longer(effects_synthetic.SPEECH_TOKENS)}
    effects_synthetic.TEXT_TOKENS, effects_synthetic.SPEECH_TOKENS = lines["T2T"], lines["S2T"]
    one = effects_synthetic.token_effects(n_facts=token_maps, n_layers=8)
    rng = np.random.default_rng(0)
    parts = []
    for name in components:
        noise = rng.normal(0, 0.1, one["restored"].shape) * (one["status"].values == 0)[..., None, None]
        parts.append(one.assign(restored=one["restored"] + noise).assign_coords(component=[name]))
    tokens = xr.concat(parts, dim="component", data_vars="minimal").transpose(*one["restored"].dims, ...)
    tokens = tokens.assign(status=tokens["status"].transpose(*one["status"].dims))
    prompts = [prompt_of(kind, fact, lines[kind]) for fact in range(facts) for kind in ("T2T", "S2T")]
    ids = np.array([prompt.id for prompt in prompts])
    roles = roles.assign_coords(prompt_id=("prompt", ids))
    return roles, tokens.assign_coords(prompt_id=("prompt", ids[: 2 * token_maps])), prompts


def longer(line: tuple[Any, ...]) -> tuple[Any, ...]:
    """A line of `COLUMNS` tokens: its second word, again and again."""
    return (*line[:3], *[line[2]] * (COLUMNS - len(line)), *line[3:])


def prompt_of(kind: str, fact: int, line: tuple[Any, ...]) -> Any:
    """A prompt of a fact; a spoken one has a sound of its own, of noise shaped as syllables."""
    import numpy as np

    from spiritlens.prompts.prompt import Prompt, Span

    home = next(name for name in HOMES if find_spec(name.rsplit(".", 1)[0]) and find_spec(name))
    make_waveform = import_module(home).Waveform
    columns = list(zip(*line, strict=True))
    waveform = None
    if kind == "S2T":
        rng, at = np.random.default_rng(fact), np.arange(int(SECONDS * 16000)) / 16000
        pitch = rng.uniform(90, 220)
        voice = sum(np.sin(2 * np.pi * pitch * k * at) / k for k in range(1, 12))
        syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2, 4) * at), 0, 1)
        samples = 0.15 * syllables * (voice + 0.3 * rng.normal(size=at.size))
        waveform = make_waveform(np.clip(samples, -1, 1).astype(np.float32))
    return Prompt(
        ids=tuple(range(len(line))),
        text="",
        labels=columns[0],
        families=columns[1],
        modalities=columns[2],
        words=("the", "capital", "of", "france", "is"),
        word_index=columns[6],
        roles=columns[3],
        parts=columns[4],
        starts=columns[7],
        ends=columns[8],
        subject=Span("france", tuple(place for place, role in enumerate(columns[3]) if role == "subject")),
        answer="paris",
        answer_ids=(100 + fact,),
        kind=kind,
        voice="espeak:en-us" if kind == "S2T" else "",
        waveform=waveform,
    )


def in_the_browser(page: Path, work: Path, facts: int) -> Figures:
    """Seconds of opening the page and of switching facts."""
    sys.path.insert(0, str(ROOT / "tests" / "report"))
    from browser import browser

    with browser(work) as tab:
        tab.look()
        began = tab.cpu_seconds()
        tab.open(page)
        cpu = tab.cpu_seconds() - began
        paint = tab.tell("performance.getEntriesByName('first-contentful-paint')[0]?.startTime / 1000")
        ready = tab.tell("Number(document.documentElement.dataset.readyAt) / 1000")
        tab.tell("document.getElementById('facts').scrollIntoView({behavior: 'instant'})")
        tab.wait("document.querySelector('#fact svg')")
        switches = []
        for fact in range(1, min(12, facts)):
            goal = f"fact=capital%2F{fact}"
            start, old = time.perf_counter(), tab.tell("document.querySelector('#fact-title').textContent")
            script = f"(location.hash = '{goal}', new Promise((then) => {{ const look = () => "
            script += f"document.querySelector('#fact-title').textContent !== {json.dumps(old)} ? then(1) : "
            script += "requestAnimationFrame(look); look(); }))"
            tab.tell(script)
            switches.append(time.perf_counter() - start)
    return {
        "first paint (s)": paint,
        "first view drawn (s)": ready,
        "first view drawn (s of CPU)": cpu,
        "switching a fact (median, s)": sorted(switches)[len(switches) // 2],
    }


if __name__ == "__main__":
    tyro.cli(main)
