"""Recognisers, what they answer, word errors and second aligners."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from frame import Bench, Odd, error, result

import spiritlens as sl
from spiritlens.comparison.covariate import difference_by

SOUND = sl.speech.Waveform(np.full(1600, 0.1, np.float32))
WORDS = (sl.speech.WordInterval("the", 0.0, 0.11), sl.speech.WordInterval("France.", 0.7, 1.14))


def hears(answer: Any) -> Any:
    return lambda waveform: answer


def cases(bench: Bench) -> Iterator[Odd]:
    yield from _prompts(bench)
    yield from _answers(bench)
    yield from _recognisers(bench)
    yield from _words(bench)
    yield from _covariates(bench)


def _prompts(bench: Bench) -> Iterator[Odd]:
    listen = partial(sl.recognise, recogniser=hears("the capital of france is"), progress="none")
    for what, value, *names in (
        ("None", None, "prompts=None"),
        ("one prompt", bench.spoken, "write [prompt]"),
        ("no prompts", [], "prompts is empty"),
        ("a text", "the capital", "expected several"),
        ("a wav among them", [bench.spoken, "a.wav"], "prompts[1]", "expected a Prompt"),
    ):
        yield error("recognise", what, partial(listen, value), *names)
    yield error(
        "recognise", "progress misspelt", lambda: sl.recognise([bench.spoken], hears(""), progress="bars"), "bar, none"
    )
    yield result("recognise", "a written prompt", lambda: listen([bench.written]), lambda found: _is_nan(found[0]))
    silent = sl.Prompt.from_dict(bench.spoken.to_dict())
    yield result("recognise", "units without sound", lambda: listen([silent]), lambda found: _is_nan(found[0]))
    yield result(
        "recognise",
        "a generator",
        lambda: listen(prompt for prompt in (bench.written, bench.spoken)),
        lambda found: found[1].word_error == found[1].subject_word_error == 0,
    )


def _is_nan(prompt: Any) -> bool:
    return bool(np.isnan([prompt.word_error, prompt.subject_word_error]).all())


def _answers(bench: Bench) -> Iterator[Odd]:
    for what, answer in (("None", None), ("bytes", b"the"), ("a pair", ("the", [])), ("a dictionary", {"text": "a"})):
        call = lambda answer=answer: sl.recognise([bench.spoken], hears(answer), progress="none")  # noqa: E731
        yield error("recognise", f"a recogniser that answers {what}", call, "lambda", "must return a text")
    for what, value, *names in (
        ("a name", "whisper", "recogniser='whisper'", "Whisper()"),
        ("a class", sl.speech.Whisper, "expected a callable"),
        ("a number", 5, "recogniser=5"),
    ):
        yield error("recognise", what, lambda value=value: sl.recognise([bench.spoken], value), *names)
    for text in ("", "...", "北京 ١٢ 3-1 ½ \x00", "na " * 2000):
        call = lambda text=text: sl.recognise([bench.spoken], hears(text), progress="none")  # noqa: E731
        yield result("recognise", f"heard {text[:12]!r}", call, lambda found: found[0].word_error >= 1)
    for what, args, *names in (
        ("no text", (None,), "text=None"),
        ("a text for words", ("a", "a"), "words='a'"),
        ("tuples for words", ("a", [("a", 0, 1)]), "words[0]", "WordInterval"),
    ):
        yield error("Heard", what, lambda args=args: sl.speech.Heard(*args), *names)


def _recognisers(bench: Bench) -> Iterator[Odd]:
    for what, settings, *names in (
        ("a folder that is not there", {"folder": "nowhere"}, "nowhere lacks model.bin"),
        ("an empty folder", {"folder": bench.folder()}, "lacks model.bin", "tokenizer.json"),
        ("a number for a folder", {"folder": 5}, "folder=5"),
        ("no beam", {"beam": 0}, "beam=0", "≥ 1"),
        ("half a beam", {"beam": 1.5}, "beam=1.5"),
        ("no language", {"language": " "}, "language"),
    ):
        yield error("Whisper", what, lambda settings=settings: sl.speech.Whisper(**settings), *names)
    for what, value, *names in (
        ("a function without a digest", hears(""), "has no digest"),
        ("None", None, "recogniser=None"),
        ("a class", sl.speech.Whisper, "expected a callable"),
    ):
        yield error("CachedRecogniser", what, lambda value=value: sl.speech.CachedRecogniser(value), *names)


def _words(bench: Bench) -> Iterator[Odd]:
    change = sl.prompts.alignment_change
    for what, args, *names in (
        ("no words", (bench.spoken, []), "words is empty"),
        ("a text", (bench.spoken, "france"), "words='france'"),
        ("tuples", (bench.spoken, [("france", 0.7, 1.14)]), "words[0]", "WordInterval"),
        ("a written prompt", (bench.written, WORDS), "no spoken part"),
        ("None", (None, WORDS), "prompt=None"),
        ("other words", (bench.spoken, WORDS[:1]), "stands for the subject 'france'"),
    ):
        yield error("alignment_change", what, lambda args=args: change(*args), *names)
    yield result(
        "alignment_change", "its own times", lambda: change(bench.spoken, WORDS), lambda found: found.n_changed == 0
    )
    for what, said, heard in (("nothing", (), ("a",)), ("signs alone", ("...", "!"), ("a",))):
        call = lambda said=said, heard=heard: sl.speech.WordErrors(said, heard).rate()  # noqa: E731
        yield result("WordErrors", f"{what} said", call, lambda found: bool(np.isnan(found)))
    for what, args, *names in (
        ("a text", ("the cat", ("the",)), "said='the cat'"),
        ("None", (("the",), None), "heard=None"),
        ("a number among words", (("the", 5), ("the",)), "said[1] is 5"),
    ):
        yield error("WordErrors", what, lambda args=args: sl.speech.WordErrors(*args), *names)


def _covariates(bench: Bench) -> Iterator[Odd]:
    effects = bench.effects
    for what, given, settings, *names in (
        ("effects of before", effects.drop_vars("word_error"), {}, "no word_error", "recognise"),
        ("nothing recognised", effects, {}, "none of 4 facts", "recognise"),
        ("a covariate misspelt", effects, {"covariate": "wer"}, "covariate='wer'", "word_error"),
        ("a path", "effects.nc", {}, "effects='effects.nc'"),
        ("a bare Dataset", xr.Dataset(), {}, "schema None"),
        ("a metric of another", effects, {"metric": "rank"}, "metric='rank'", "not traced"),
    ):
        call = lambda given=given, settings=settings: difference_by(given, **settings)  # noqa: E731
        yield error("difference_by", what, call, *names)
