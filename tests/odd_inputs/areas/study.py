"""Studies: settings, folder and facts are checked before anything is spoken; one broken fact ends nothing."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.studies.pairs import ask

TINY = sl.studies.StudySettings(n_facts=1, n_token_maps=0, samples=1, components=("resid_pre",))


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _settings(bench)
    yield from _folder(bench)
    yield from _given(bench)
    yield from _costs(bench)
    yield from _asked(bench)
    yield from _rules()
    yield from _cells(bench)
    yield from _untrained(bench)
    yield from _workers(bench)


def _workers(bench: Bench) -> Iterator[Odd]:
    """Before a worker is started."""
    settings = sl.studies.StudySettings()
    place = sl.effects.RunFolder(bench.folder())
    job = sl.studies.StudyJob(sl.studies.Source(), place, settings)
    for workers in (None, 2, "2", sl.studies.Workers):
        yield error(
            "hand_over", f"workers={workers!r:.30}", lambda w=workers: sl.studies.hand_over(job, w), "Workers(4)"
        )
    for name, value in (("workers", 0), ("workers", 1.5), ("workers", True), ("threads", 0), ("threads", "all")):
        odd = sl.studies.Workers(**{name: value})
        yield error("hand_over", f"{name}={value!r}", lambda w=odd: sl.studies.hand_over(job, w), f"{name}=", "whole")
    for name, value in (("hours", math.nan), ("memory_gb", "much"), ("hours", 0)):
        odd = sl.studies.Workers(2, "slurm", **{name: value})
        yield error("hand_over", f"{name}={value!r}", lambda w=odd: sl.studies.hand_over(job, w), f"{name}=", "number")
    odd = sl.studies.Workers(2, "pbs")
    yield error("hand_over", "an unknown cluster", lambda: sl.studies.hand_over(job, odd), "cluster=", "local, slurm")
    for odd in (None, "study", place):
        yield error(
            "hand_over", f"job={odd!r:.20}", lambda j=odd: sl.studies.hand_over(j, sl.studies.Workers()), "StudyJob"
        )
    for source in (None, "embedded"):
        said = (f"source={source!r}", lambda source=source: sl.studies.StudyJob(source, place, settings))
        yield error("StudyJob", *said, "source=", "Source")
    for odd in (None, "few"):
        said = (f"settings={odd!r}", lambda odd=odd: sl.studies.StudyJob(job.source, place, odd))
        yield error("StudyJob", *said, "settings=", "StudySettings")
    yield error("StudyJob", "a path", lambda: sl.studies.StudyJob(job.source, "run", settings), "place=", "RunFolder")


def _untrained(bench: Bench) -> Iterator[Odd]:
    twin, own = sl.studies.untrained_twin, sl.studies.own_answers
    for lens in (None, "llama", bench.lens.model, bench.planted):
        yield error("untrained_twin", f"lens is {lens!r:.30}", lambda lens=lens: twin(lens), "lens", "Lens")
    for seed in (-1, 0.5, "one", None, math.nan, True):
        yield error("untrained_twin", f"seed={seed!r}", lambda s=seed: twin(bench.planted.lens, s), "seed=", "whole")
    for prompts in (None, 5, "a text", ["a text"], [None], []):
        yield error("own_answers", f"prompts={prompts!r}", lambda p=prompts: own(bench.planted.lens, p), "prompts")
    yield error("own_answers", "one prompt", lambda: own(bench.planted.lens, bench.planted.prompts[0]), "prompts")
    yield error(
        "own_answers",
        "another vocabulary",
        lambda: own(bench.lens, bench.planted.prompts[:1]),
        "vocabulary",
        "prompts[0]",
    )
    bare = replace(bench.planted.prompts[0], answer="", answer_ids=(), foil="", foil_ids=())
    yield result(
        "own_answers", "no answer", lambda: own(bench.planted.lens, [bare]), lambda found: len(found[0].answer_ids) == 1
    )


def _settings(bench: Bench) -> Iterator[Odd]:
    """Without a model: nothing is looked at before the settings are right."""

    def study(**settings: Any) -> Any:
        return sl.study(None, bench.folder(), sl.studies.StudySettings(**settings))

    for name, value in (
        ("n_facts", 0), ("n_facts", -3), ("n_facts", 1.0), ("n_facts", "3"), ("n_facts", None), ("n_facts", True),
        ("samples", 0), ("samples", 2.5), ("samples", None), ("samples", "ten"),
        ("seed", -1), ("seed", "a"), ("seed", None), ("seed", 1.0), ("seed", math.nan), ("seed", np.True_),
        ("n_token_maps", -1), ("n_token_maps", None), ("n_token_maps", 0.5),
        ("window", 0), ("window", -2), ("window", 1.5), ("window", "all"), ("window", math.inf),
    ):  # fmt: skip
        yield error("study", f"{name}={value!r}", lambda n=name, v=value: study(**{n: v}), f"{name}=", "whole number")
    for value in ("resid_pre", None, 5):
        yield error(
            "study", f"components={value!r}", lambda value=value: study(components=value), "components=", "expected"
        )
    for value in ("all", True, None):
        yield error("study", f"recall={value!r}", lambda value=value: study(recall=value), "recall=", "kinds")
    yield error("study", "no components", lambda: study(components=()), "components is empty", "str")
    yield error("study", "components of numbers", lambda: study(components=[1]), "components[0]", "str")
    for value in (0, ["first"], b"first"):
        yield error("study", f"phrasing={value!r}", lambda value=value: study(phrasing=value), "phrasing=", "a text")
    for value in ("en-us", "espeak:en-xx", "", None, 5, "espeak:"):
        yield error("study", f"voice={value!r}", lambda value=value: study(voice=value), "voice")
    for value in ("some", None, True):
        yield error("study", f"ask={value!r}", lambda value=value: study(ask=value), "ask=", "enough, all")
    for value in ("known", None, True, ["both"]):
        yield error(
            "study", f"selection={value!r}", lambda value=value: study(selection=value), "selection=", "both, each, all"
        )
    for value in ("marked", None, True, ["both"]):
        yield error("study", f"ending={value!r}", lambda v=value: study(ending=v), "ending=", "both, as spoken, plain")
    for value in ("half", None, 1.0, {"text": 0.1}):
        yield error("study", f"dose={value!r}", lambda v=value: study(dose=v), "dose=", "matched, equal")
    for value in ("control", None, 3, [3], ["twin"], [None]):
        yield error("study", f"floors={value!r}", lambda v=value: study(floors=v), "floors", "expected")
    for value in ("voice", None, 3, [3], ["control"], [None]):
        yield error("study", f"ceilings={value!r}", lambda v=value: study(ceilings=v), "ceilings", "expected")
    for value in (-1, None, 2.5, "five", True, math.nan):
        yield error("study", f"twins={value!r}", lambda v=value: study(twins=v), "twins=", "whole number")
    for value in ("exact", 5, {"rule": "top k"}, sl.prompts.Knowing):
        yield error("study", f"knowing={value!r}", lambda value=value: study(knowing=value), "knowing=", "Knowing(")
    for value in ("theirs", None, 5):
        yield error(
            "study",
            f"protocol={value!r}",
            lambda value=value: sl.study(None, bench.folder(), protocol=value),
            "protocol=",
            "own, seed",
        )
    yield error(
        "study", "sample=", lambda: sl.study(None, "runs", samples=3), "study has no argument samples=", "settings"
    )
    yield error(
        "study", "settings in a dict", lambda: sl.study(None, "runs", {"samples": 3}), "settings=", "sl.studies.Study"
    )
    yield error("study", "no folder", lambda: sl.study(None), "study", "out")


def _folder(bench: Bench) -> Iterator[Odd]:
    file = bench.file("file")
    for out in (file, file / "runs", str(file)):
        yield error(
            "study",
            f"a file in the folder's place, {type(out).__name__} {Path(out).name}",
            lambda out=out: sl.study(None, out),
            "is a file",
        )
    for out in (None, 5, "", "a\0b", b"runs"):
        yield error("study", f"out={out!r}", lambda out=out: sl.study(None, out), "out=", "folder")
    begun = bench.folder()
    (begun / "study.json").write_text(json.dumps({"model": "another", "samples": 1}))
    yield error(
        "study", "a folder of another model", lambda: sl.study(bench.lens, begun, TINY), "other settings", "model"
    )
    for content in ("{", "[]", "5", ""):
        damaged = bench.folder()
        (damaged / "study.json").write_text(content)
        words = ("study.json", "cannot be read") if content != "[]" else ("other settings",)
        yield error("study", f"study.json is {content!r}", lambda d=damaged: sl.study(bench.lens, d, TINY), *words)


def _given(bench: Bench) -> Iterator[Odd]:
    def study(lens: Any, facts: Any = None, **settings: Any) -> Any:
        return sl.study(lens, bench.folder(), replace(TINY, **settings), facts)

    yield error("study", "a Planted as lens", lambda: study(bench.planted), "Planted", ".lens")
    yield error("study", "a model as lens", lambda: study(bench.planted.lens.model), "vocabulary", "Lens")
    yield error("study", "phrasing='sung'", lambda: study(bench.lens, phrasing="sung"), "phrasing 'sung'", "held out")
    yield error("study", "None as lens", lambda: study(None), "lens is None", "load")
    yield error("study", "a lens without ears", lambda: study(bench.planted.lens), "no speech encoder", "encoder=")
    fact = sl.load_facts()[0]
    for facts in ("embedded", 5, [], fact, ["capital/france"], [fact, None]):
        yield error("study", f"facts is {facts!r:.60}", lambda f=facts: study(bench.lens, f), "facts", "Fact")
    yield error("study", "a fact twice", lambda: study(bench.lens, [fact, fact]), fact.id, "twice")
    yield error(
        "study",
        "a component that is not there",
        lambda: study(bench.lens, [fact], components=("resid",)),
        "resid",
        "resid_pre",
    )
    unknown = replace(fact, answer="[Text]")
    yield error(
        "study", "nothing but a broken fact", lambda: study(bench.lens, [unknown]), "none of the 1 facts", fact.id
    )
    wrong = replace(fact, answer=fact.foil, foil="")
    yield error("study", "no fact is known", lambda: study(bench.lens, [wrong]), "none of the 1 facts", "known in both")
    each = {"selection": "each"}
    yield error(
        "study",
        "none known in each",
        lambda: study(bench.lens, [wrong], **each),
        "none of the 1 facts",
        "in writing or",
    )


def _rules() -> Iterator[Odd]:
    """Rules of knowing, as values and as texts."""
    knowing = sl.prompts.Knowing
    for rule in ("known", None, 5, "top 5"):
        yield error("Knowing", f"rule={rule!r}", lambda rule=rule: knowing(rule), "rule=", "exact, top k, generated")
    for k in (0, -1, 1.5, "5", None, math.nan, True):
        yield error("Knowing", f"k={k!r}", lambda k=k: knowing("top k", k=k), "k=", "whole number")
    for tokens in (0, "10", None, math.inf):
        yield error(
            "Knowing", f"tokens={tokens!r}", lambda t=tokens: knowing("generated", tokens=t), "tokens=", "whole"
        )
    yield error("Knowing", "an unread k", lambda: knowing("exact", k=3), "k=3", "does not read it")
    yield error("Knowing", "another rule of words", lambda: knowing("generated", normalise="none"), "squad, case")
    yield result(
        "Knowing", "numpy's numbers", lambda: knowing("top k", k=np.int64(3)), lambda found: str(found) == "top 3"
    )
    for text in ("", "exact 5", "top k", "generated ten", "generated 10 case 3", None, 5):
        yield error("Knowing.read", f"{text!r}", lambda text=text: knowing.read(text), "knowing")
    yield error("Knowing.read", "an unknown normalisation", lambda: knowing.read("generated 10 none"), "squad, case")
    for blanks in ("  top   3 ", "generated\t3"):
        yield result(
            "Knowing.read", f"blanks, {blanks!r}", lambda b=blanks: knowing.read(b), lambda rule: "3" in str(rule)
        )


def _cells(bench: Bench) -> Iterator[Odd]:
    read = sl.studies.FourCells.read
    yield error("FourCells.read", "an empty folder", lambda: read(bench.folder()), "no cells at", "study")
    for content in ("{", "[]", "5", '{"knowing": "exact"}', '{"knowing": "exact", "cells": {"both": 5}}'):
        folder = bench.folder()
        (folder / "cells.json").write_text(content)
        yield error(
            "FourCells.read", f"cells.json is {content!r}", lambda f=folder: read(f), "cannot be read", "changed"
        )


def _costs(bench: Bench) -> Iterator[Odd]:
    cost = sl.studies.study_cost
    for value in (0, -1, "1", None, math.nan):
        yield error("study_cost", f"tflops={value!r}", lambda v=value: cost(bench.lens, tflops=v), "tflops=", "> 0")
    yield error(
        "study_cost", "protocol='theirs'", lambda: cost(bench.lens, protocol="theirs"), "protocol=", "own, seed"
    )
    yield error("study_cost", "n_facts=0", lambda: cost(None, sl.studies.StudySettings(n_facts=0)), "n_facts=0", "≥ 1")
    yield error("study_cost", "a text", lambda: cost(bench.lens, facts="embedded"), "facts=", "expected several")
    memory = sl.studies.study_memory
    for value in ({}, None, {"by role": 5}, "by role"):
        yield error("study_memory", f"costs={value!r}", lambda v=value: memory(v), "costs=", "study_cost")


def _asked(bench: Bench) -> Iterator[Odd]:
    about = {"voice": "espeak:en-us", "phrasing": "held out"}
    both = [fact for fact in sl.load_facts() if fact.group == "both"][:3]
    long, unknown = (
        replace(both[0], id="long", subject="France " * 200),
        replace(both[0], id="unknown", answer="[Text]"),
    )
    mixed = (fact for fact in (long, *both, unknown))
    yield result(
        "ask",
        "a generator with two broken facts",
        lambda: ask(bench.lens, mixed, **about),
        lambda asked: [each.fact.id for each in asked.left_out] == ["long", "unknown"] and len(asked.pairs) == 3,
    )
    yield result("ask", "enough", lambda: ask(bench.lens, both, enough=1, **about), lambda asked: asked.n_known == 1)
    damaged = bench.file("answers.jsonl", b'{"prompt": 5}\nnull\n\xff\n{"prompt": "cut')
    yield result(
        "ask",
        "damaged answers are asked again",
        lambda: ask(bench.lens, both[:1], answers=damaged, **about),
        lambda asked: len(asked.pairs) == 1 and len(damaged.read_bytes().splitlines()) == 6,
    )
    yield result(
        "study",
        "numpy's numbers, a generator, and a broken fact",
        lambda: sl.study(
            bench.lens,
            bench.folder(),
            replace(
                TINY,
                samples=np.int64(1),
                seed=np.uint8(0),
                window=np.int16(2),
                components=iter(["resid_pre"]),
            ),
            (fact for fact in (unknown, both[0])),
        ),
        lambda study: study.effects.sizes["prompt"] == 2 and len(study.left_out) <= 1,
    )
