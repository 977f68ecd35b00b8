"""The command line: one line, no traceback, before a model is loaded."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import Any

from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens import cli


def command(*arguments: str) -> str:
    """What the command prints. A wrong use, which is told in a box, ends as one line of the box's words."""
    before, sys.argv = sys.argv, ["spiritlens", *arguments]
    printed, told = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
            cli.main()
    except SystemExit as stopped:
        if stopped.code in (None, 0):
            return printed.getvalue()
        if stopped.code == 2:
            raise SystemExit(" ".join(word for word in told.getvalue().split() if word.strip("╭╮╰╯│─"))) from None
        raise
    finally:
        sys.argv = before
    return printed.getvalue()


def cases(bench: Bench) -> Iterator[Odd]:
    def said(what: str, *arguments: str, words: tuple[str, ...]) -> Odd:
        return error("spiritlens", what, lambda: command(*arguments), *words)

    def trace(what: str, *arguments: str, words: tuple[str, ...]) -> Odd:
        return said(f"trace: {what}", "trace", *arguments, words=words)

    yield said("no verb", words=("trace", "check", "align", "voices"))
    yield said("an unknown verb", "sing", words=("sing", "trace"))
    yield said("a misspelt verb", "trcae", words=("trcae", "subcommands"))
    yield said("the version and more", "--version", "trace", words=("--version",))
    for option, name in (
        ("--smaples", "--samples"),
        ("--sead", "--seed"),
        ("--n-fact", "--n-facts"),
        ("--fact", "--facts"),
    ):
        yield trace(option, option, "3", words=(option, name))
    for option in ("--samples", "--n-facts", "--seed", "--window"):
        for value in ("1.5", "two", ""):
            yield trace(f"{option} {value!r}", option, value, words=(option,))
    for option, name in (("--samples", "samples"), ("--n-facts", "n_facts"), ("--window", "window")):
        for value in ("0", "-1"):
            yield trace(f"{option} {value}", option, value, words=(f"{name}={value}", "≥ 1"))
    yield trace("--seed -1", "--seed", "-1", words=("seed=-1", "≥ 0"))
    for value in ("nan", "0", "-2"):
        yield trace(f"--tflops {value}", "--tflops", value, words=("tflops=", "> 0"))
    yield trace("--tflops fast", "--tflops", "fast", words=("--tflops",))
    for value in ("sung", "", "First"):
        yield trace(f"--phrasing {value!r}", "--phrasing", value, words=("phrasing", "held out"))
    for value in ("en-us", "espeak:", "siri:one", "espeak:en-xx", ""):
        yield trace(f"--voice {value!r}", "--voice", value, words=("voice",))
    yield trace("--ask some", "--ask", "some", words=("--ask", "enough"))
    for value in ("none.json", ""):
        yield trace(f"--facts {value!r}", "--facts", value, words=("no facts at", "embedded"))
    yield trace("--facts of latin-1", "--facts", str(bench.file("f.json", b"\xe9")), words=("f.json", "UTF-8"))
    yield trace("--facts without facts", "--facts", str(bench.file("f.json", '{"relations": {}}')), words=("no facts",))
    yield trace("--facts is a folder", "--facts", str(bench.folder()), words=("no facts at",))
    file = str(bench.file("file"))
    yield trace("--out is a file", "--out", file, words=("is a file", "folder"))
    yield trace("--out below a file", "--out", f"{file}/runs", words=("is a file", "folder"))
    yield trace("--device gpu", "--device", "gpu", words=("device='gpu'", "cpu"))
    yield trace("--device of nothing", "--device", "", words=("device=''", "cpu"))
    for value in ("0", "-2"):
        yield trace(f"--workers {value}", "--workers", value, words=(f"workers={value}", "≥ 1"))
        yield trace(f"--threads {value}", "--threads", value, words=(f"threads={value}", "≥ 1"))
    yield trace("--workers two", "--workers", "two", words=("--workers",))
    yield trace("--cluster pbs", "--cluster", "pbs", words=("--cluster", "slurm"))
    for option, name in (("--partition", "partition"), ("--gpus", "gpus"), ("--hours", "hours")):
        yield trace(f"{option} without SLURM", option, "1", words=(f"{name}=", "cluster='slurm'"))
    for option, value in (("--hours", "0"), ("--hours", "nan"), ("--memory-gb", "-1"), ("--memory-gb", "inf")):
        name = option[2:].replace("-", "_")
        yield trace(f"{option} {value}", "--cluster", "slurm", option, value, words=(f"{name}=", "> 0"))
    yield trace("--gpus -1", "--cluster", "slurm", "--gpus", "-1", words=("gpus=-1", "≥ 0"))
    yield trace("--partition of nothing", "--cluster", "slurm", "--partition", "", words=("partition", "empty"))
    yield trace("a shard and workers", "--shard", "1/2", "--workers", "2", words=("shard 1/2", "workers"))
    yield trace("--dtype int4", "--dtype", "int4", words=("--dtype", "bfloat16"))
    yield trace("a model that is not there", "--model", "./none", words=("none",))
    yield trace("a value too many", "embedded", words=("embedded",))
    for option, value, words in (
        ("--other-voice", "espeak:en-us", ("other_voice=", "another")),
        ("--n-facts", "0", ("n_facts=0", "≥ 1")),
        ("--recogniser", "me", ("--recogniser", "whisper")),
        ("--selection", "all", ("--selection",)),
    ):
        yield said(f"sensitivity: {option} {value}", "sensitivity", option, value, words=words)
    yield said("check: no folder", "check", words=("folder",))
    yield said("check: a folder that is not there", "check", "./none", words=("none",))
    yield said("check: an empty folder", "check", str(bench.folder()), words=("config.json",))
    yield said("check: a file", "check", file, words=("file",))
    yield said("align: no text", "align", file, words=("TEXT",))
    yield said("align: no audio", "align", "none.wav", "the colour", words=("none.wav",))
    yield said("align: a blank file", "align", file, "the colour", words=("file",))
    yield said("voices: a value too many", "voices", "all", words=("all",))
    yield result("spiritlens", "--version", lambda: command("--version"), f"spiritlens {sl.__version__}\n".__eq__)
    yield result(
        "spiritlens", "--help", lambda: command("--help"), lambda text: "trace" in text and "--version" in text
    )
    yield result("spiritlens", "trace --help", lambda: command("trace", "--help"), _tells_all)


def _tells_all(text: Any) -> bool:
    return all(option in text for option in ("--device", "--dtype", "--seed", "--ask", "--out"))
