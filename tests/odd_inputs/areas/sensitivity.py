"""The table of sensitivity: settings, variants and moved spans are refused in one sentence, before anything is run."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.studies.sensitivity.sensitivity import given_variants


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _settings(bench)
    yield from _variants(bench)
    yield from _moved(bench)


def _settings(bench: Bench) -> Iterator[Odd]:
    settings = sl.studies.SensitivitySettings

    def made(**given: Any) -> Any:
        return sl.sensitivity(None, bench.folder(), settings(**given))

    for name, value in (
        *(("n_facts", value) for value in (0, -1, 1.5, "3", None, True)),
        *(("samples", value) for value in (0, None, math.nan)),
        *(("seed", value) for value in (-1, 1.0)),
        ("window", 0),
    ):
        yield error("sensitivity", f"{name}={value!r}", lambda n=name, v=value: made(**{n: v}), f"{name}=", "whole")
    yield error("sensitivity", "the same voice", lambda: made(other_voice="espeak:en-us"), "other_voice=", "another")
    for value in ("", None, 5):
        yield error("sensitivity", f"other_voice={value!r}", lambda v=value: made(other_voice=v), "other_voice")
    yield error("sensitivity", "an unknown voice", lambda: made(voice="en-us"), "voice")
    yield error("sensitivity", "one component", lambda: made(components="mlp_out"), "components=", "several")
    study = sl.studies.StudySettings()
    yield error("sensitivity", "a study's settings", lambda: sl.sensitivity(None, "runs", study), "SensitivitySettings")
    yield error("sensitivity", "no lens", lambda: made(), "lens is None", "load")
    yield error("sensitivity", "n_facts=", lambda: sl.sensitivity(None, "runs", n_facts=3), "no argument n_facts=")
    deaf = bench.planted.lens
    yield error("sensitivity", "a lens without ears", lambda: sl.sensitivity(deaf, bench.folder()), "no speech encoder")
    yield error(
        "sensitivity",
        "a component that is not there",
        lambda: sl.sensitivity(bench.lens, bench.folder(), settings(components=("resid",))),
        "resid",
        "resid_pre",
    )
    file = bench.file("file")
    yield error("sensitivity", "a file in the folder's place", lambda: sl.sensitivity(None, file), "is a file")
    for value in ("whisper", 5):
        yield error(
            "sensitivity",
            f"recogniser={value!r}",
            lambda v=value: sl.sensitivity(bench.lens, bench.folder(), recogniser=v),
            "recogniser",
        )
    yield error(
        "sensitivity", "phrasing", lambda: sl.sensitivity(bench.lens, "runs", settings(phrasing="sung")), "sung"
    )
    cost = sl.studies.sensitivity_cost
    for value in (0, -1, "1", None, math.nan):
        yield error(
            "sensitivity_cost", f"tflops={value!r}", lambda v=value: cost(bench.lens, tflops=v), "tflops=", "> 0"
        )
    yield error("sensitivity_cost", "a text as facts", lambda: cost(bench.lens, facts="embedded"), "facts=", "several")
    yield error("sensitivity_cost", "no variants", lambda: cost(bench.lens, variants=[]), "variants is empty")


def _variants(bench: Bench) -> Iterator[Odd]:
    variant, setup = sl.studies.Variant, lambda ground: ground.setup
    for name in ("", "  ", None, 5):
        yield error("Variant", f"name={name!r}", lambda n=name: variant(n, "noise", setup), "name")
    yield error("Variant", "changes nothing in words", lambda: variant("a", "", setup), "changes")
    for value in (None, "setup", 5):
        yield error("Variant", f"setup={value!r}", lambda v=value: variant("a", "noise", v), "setup=", "function")
    for value in (5, "logit", sl.studies.VARIANTS[0], [None], ["logit"]):
        yield error("sensitivity", f"variants={value!r:.40}", lambda v=value: given_variants(v), "variants")
    twice = (sl.studies.VARIANTS[0], sl.studies.VARIANTS[0])
    yield error("sensitivity", "a variant twice", lambda: given_variants(twice), "share the folder", "rename")
    yield result(
        "sensitivity",
        "a generator of variants",
        lambda: given_variants(one for one in sl.studies.VARIANTS),
        lambda found: found == sl.studies.VARIANTS,
    )
    draws = sl.Draws(1)
    for change, words in (
        ({"prompts": ()}, "prompts is empty"),
        ({"prompts": bench.spoken}, "expected several"),
        ({"grid": ("mlp_out",)}, "sl.Grid("),
        ({"draws": 3}, "sl.Draws("),
        ({"metric": "rank"}, "probability, log_probability, logit"),
        ({"corruption": "noise"}, "sl.Noise()"),
        ({"left_out": "one"}, "left_out"),
    ):
        given = {"prompts": [bench.spoken], "grid": sl.Grid(), "draws": draws, **change}
        yield error("Setup", f"{change!r:.40}", lambda g=given: sl.studies.Setup(**g), words)


def _moved(bench: Bench) -> Iterator[Odd]:
    prompt = bench.planted.prompts[12]
    for name in ("shift_subject", "dilate_subject"):
        move = getattr(sl.prompts, name)
        for by in (1.0, "1", None, True, math.nan):
            yield error(name, f"by={by!r}", lambda move=move, by=by: move(prompt, by), "by=", "whole number")
        for by in (30, 10**9):
            yield error(name, f"by={by}", lambda move=move, by=by: move(prompt, by), "leave its segment", prompt.id)
        for given in (None, "marlo", prompt.subject):
            yield error(name, f"{given!r:.20}", lambda move=move, given=given: move(given, 1), "prompt=", "Prompt")
        without = bench.lens.text("The capital of France is", answer="Paris")
        yield error(name, "no subject", lambda move=move, without=without: move(without, 1), "no subject")
        yield result(
            name,
            "numpy's step",
            lambda move=move: move(prompt, np.int64(1)),
            lambda found: len(found.subject) in (6, 8),
        )
    yield error("dilate_subject", "nothing left", lambda: sl.prompts.dilate_subject(prompt, -3), "nothing is left")
