"""The main job on a handful of facts of the embedded model: folder, page, honest counts, resumption."""

import html
import json
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import spiritlens as sl
from spiritlens.files import atomic
from spiritlens.prompts.facts.fact import Fact
from spiritlens.runs.answers import known_prompts
from spiritlens.studies import kept_answers, pairs
from spiritlens.studies.accuracy import accuracy_rows
from spiritlens.studies.pairs import Asked, PairedPrompts, ask, asked_phrasing, write_wavs
from spiritlens.studies.selection import ChosenFact, choose, choose_known, selection_sentences

SETTINGS = sl.studies.StudySettings(n_facts=4, n_token_maps=1, samples=2, components=("resid_pre", "mlp_out"), seed=3)


@pytest.fixture(scope="module")
def lens() -> "sl.Lens":
    return sl.load()


@pytest.fixture(scope="module")
def facts() -> tuple["sl.Fact", ...]:
    both = [fact for fact in sl.load_facts() if fact.group == "both"]
    rest = [fact for fact in sl.load_facts() if fact.group == "text only"]
    return (*both[:8], *rest[:2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def result(lens: "sl.Lens", facts: tuple["sl.Fact", ...], folder: Path) -> "sl.studies.Study":
    return sl.study(lens, folder, SETTINGS, facts)


@pytest.fixture(scope="module")
def asked(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> Asked:
    return ask(lens, facts, voice="espeak:en-us", phrasing="held out")


def broken_fact(fact: Fact, **change: object) -> Fact:
    """A fact of another id, and with other values."""
    return replace(fact, id=f"{fact.id} {' '.join(change)}", **change)


def test_the_folder_holds_data_sound_and_page(result: "sl.studies.Study", folder: Path) -> None:
    assert {"config.json", "environment.json", "prompts.parquet", "accuracy.json", "effects.nc", "index.html"} <= {
        path.name for path in folder.iterdir()
    }
    wavs = list((folder / "wavs").glob("*.wav"))
    assert len(wavs) == SETTINGS.n_facts
    assert all(sl.speech.read_waveform(wav).duration > 0.5 for wav in wavs)
    assert result.page == folder / "index.html"
    page = html.unescape(re.sub(r"</?a\b[^>]*>", "", result.page.read_text(encoding="utf-8")))  # numbers are links
    assert all(sentence in page for sentence in result.findings)
    assert sl.effects.load(folder / "effects.nc").sizes["prompt"] == 2 * SETTINGS.n_facts


def test_the_page_is_made_anew_of_the_folder_and_the_comparison_is_read_from_it(
    result: "sl.studies.Study", folder: Path, tmp_path: Path
) -> None:
    pages = [path.read_text(encoding="utf-8") for path in (result.page, sl.page.of_folder(folder, tmp_path))]
    files = re.compile(r'\s*<h3 id="files-title">.*?</ul>', flags=re.DOTALL)  # linked where the page lies beside them
    assert [bool(files.search(page)) for page in pages] == [True, False]
    pages[0] = files.sub("", pages[0])
    sounds = re.compile(r'<script type="text/plain" id="sounds">[^<]+')  # whose stream has a random number
    assert all(sounds.search(page) for page in pages)
    assert sounds.sub("", pages[0]) == sounds.sub("", pages[1])
    comparison = sl.comparison.load(folder / "comparison.nc")
    assert comparison.findings == result.comparison.findings
    assert repr(comparison) == repr(result.comparison)
    assert comparison.cells.identical(result.comparison.cells)
    kept = json.loads((folder / "page.json").read_text(encoding="utf-8"))
    assert kept["findings"] == list(result.findings)
    assert kept["settings"]["samples"] == SETTINGS.samples
    assert kept["settings"]["protocol"] == "own"
    assert len(kept["sounds"]) == SETTINGS.n_facts


def test_both_maps_are_of_the_same_facts_and_all_are_known(result: "sl.studies.Study") -> None:
    effects = result.effects
    by_kind = {kind: effects["fact_id"].values[effects["modality"].values == kind].tolist() for kind in ("T2T", "S2T")}
    assert by_kind["T2T"] == by_kind["S2T"]
    assert effects["known"].values.all()


def test_restoring_the_whole_subject_at_the_embeddings_restores_the_answer(result: "sl.studies.Study") -> None:
    effects = result.effects.sel(component="resid_pre", role="subject", metric="probability").isel(layer=0)
    clean = effects["clean"].values[:, None]
    np.testing.assert_allclose(effects["restored"].values, np.broadcast_to(clean, effects["restored"].shape), atol=1e-5)


def test_what_was_compared_and_the_design_are_printed(result: "sl.studies.Study") -> None:
    compared = len(result.comparison.findings)
    assert result.findings[:compared] == result.comparison.findings
    assert result.findings[compared:] == (repr(result.marker), result.dose.sentence)
    assert result.effects.attrs["dose"] == result.dose.rule == "matched"
    assert not any("doses of noise are not matched" in sentence for sentence in result.findings)
    assert repr(result).splitlines() == [*result.findings, *repr(result.cells).splitlines(), f"Page: {result.page}"]


def test_the_same_call_resumes_and_gives_the_same_numbers(
    result: "sl.studies.Study", lens: "sl.Lens", facts: tuple["sl.Fact", ...], folder: Path
) -> None:
    parts = sorted((folder / "parts").glob("*.nc"))
    parts[0].unlink()
    kept = {path: path.stat().st_mtime_ns for path in parts[1:]}
    again = sl.study(lens, folder, SETTINGS, facts)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    np.testing.assert_allclose(again.effects["restored"].values, result.effects["restored"].values, atol=1e-6)


def test_other_settings_in_the_same_folder_are_refused(
    result: "sl.studies.Study", lens: "sl.Lens", facts: tuple["sl.Fact", ...], folder: Path
) -> None:
    before = (folder / "accuracy.json").read_bytes()
    with pytest.raises(ValueError, match="other settings"):
        sl.study(lens, folder, replace(SETTINGS, samples=3), facts)
    assert (folder / "accuracy.json").read_bytes() == before


def test_accuracy_counts_every_group(asked: Asked) -> None:
    rows = {row["group"]: row for row in accuracy_rows(asked)}
    assert set(rows) == {"both", "text only", "all"}
    assert rows["both"]["facts"] == 8
    assert rows["all"]["T2T"] == np.mean([each.known["T2T"] for each in asked.pairs])
    assert json.loads(json.dumps(list(rows.values())))


def test_facts_are_drawn_by_the_seed_from_those_known_in_both(asked: Asked) -> None:
    first, again = choose_known(asked, 3, seed=1), choose_known(asked, 3, seed=1)
    assert [each.fact.id for each in first] == [each.fact.id for each in again]
    assert all(each.known_in_both for each in choose_known(asked, 100, seed=0))
    (sentence,) = selection_sentences(asked, [ChosenFact(each) for each in first])
    assert sentence.startswith(f"Of {len(asked.pairs)} facts")
    assert "3 of those" in sentence


def test_no_known_fact_is_one_clear_error(asked: Asked) -> None:
    nothing = [PairedPrompts(each.fact, each.written, each.spoken, {"T2T": True, "S2T": False}) for each in asked.pairs]
    with pytest.raises(ValueError, match="none of the 10 facts is known in both modalities"):
        choose_known(replace(asked, pairs=tuple(nothing)), 3, seed=0)


def test_asking_stops_when_enough_are_known(lens: "sl.Lens", facts: tuple["sl.Fact", ...], asked: Asked) -> None:
    some = ask(lens, facts, voice="espeak:en-us", phrasing="held out", enough=2)
    assert some.n_known == 2
    assert len(some.pairs) < len(facts)
    assert [each.written.id for each in some.pairs] == [each.written.id for each in asked.pairs[: len(some.pairs)]]
    (sentence,) = selection_sentences(some, choose(some, 2, seed=0))
    assert sentence.startswith(f"Of 10 facts, {len(some.pairs)} were asked in random order until enough were known")


def made_up(asked: Asked, cells: str) -> Asked:
    """The asked facts as if the model knew them as it is said: b both, t in writing, s in speech, n neither."""
    known = {"b": (True, True), "t": (True, False), "s": (False, True), "n": (False, False)}
    pairs = [
        replace(each, known=dict(zip(("T2T", "S2T"), known[cell], strict=True)))
        for each, cell in zip(asked.pairs, cells, strict=True)
    ]
    return replace(asked, pairs=tuple(pairs))


def test_each_selects_the_facts_known_in_each_modality(asked: Asked) -> None:
    found = made_up(asked, "bbttttssnn")
    chosen = choose(found, 4, 0, "each")
    by_kind = {kind: [each.pair for each in chosen if kind in each.kinds] for kind in ("T2T", "S2T")}
    assert {kind: len(pairs) for kind, pairs in by_kind.items()} == {"T2T": 4, "S2T": 4}
    assert all(pair.known[kind] for kind, pairs in by_kind.items() for pair in pairs)
    assert [prompt.kind for each in chosen for prompt in each.prompts] == [
        kind for each in chosen for kind in each.kinds
    ]
    (sentence,) = selection_sentences(found, chosen, "each")
    assert "4 of those known in writing and 4 of those known in speech" in sentence
    assert choose(found, 4, 0, "each")[0].pair.fact.id == chosen[0].pair.fact.id
    only_written = choose(made_up(asked, "ttttnnnnnn"), 3, 0, "each")
    assert [each.kinds for each in only_written] == [("T2T",)] * 3
    with pytest.raises(ValueError, match="none of the 10 facts is known in writing or in speech"):
        choose(made_up(asked, "n" * 10), 3, 0, "each")


def test_all_selects_whether_known_or_not(asked: Asked) -> None:
    chosen = choose(made_up(asked, "n" * 10), 100, 0, "all")
    assert len(chosen) == 10
    assert all(len(each.prompts) == 2 for each in chosen)
    with pytest.raises(ValueError, match="selection='none'"):
        choose(asked, 3, 0, "none")


def test_asking_stops_by_the_selection(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    for selection in ("each", "all"):
        some = ask(lens, facts, voice="espeak:en-us", enough=2, selection=selection)
        counts = [sum(each.known[kind] for each in some.pairs) for kind in ("T2T", "S2T")]
        assert (len(some.pairs) if selection == "all" else min(counts)) == 2


def test_facts_of_any_set_are_asked_in_their_own_phrasing(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    """Other phrasings than the shipped, no group, no foil, no relation's others, an answer of two words, capitals."""
    shipped = facts[0]
    assert asked_phrasing(shipped, None) == "held out"
    assert asked_phrasing(shipped, "second") == "second"
    templates = {"cloze": "The capital of {subject} is", "asked": "What is the capital of {subject}?"}
    own = sl.Fact("Q1", "P36", "France", "Paris city", "", templates, aliases=("Paris",))
    other = sl.Fact("Q2", "P37", "Italy", "Rome", "", {"cloze": "{subject} has its capital in"})
    bare = sl.Fact("Q3", "P36", "", "Rome", "", {"cloze": "rome is"})
    rule = sl.prompts.Knowing("generated", tokens=3)
    asked = ask(replace(lens, knowing=rule), (own, other, bare), voice="espeak:en-us")
    assert [each.written.phrasing for each in asked.pairs] == ["cloze", "cloze"]
    assert asked.pairs[0].known["T2T"], "the alias is said"
    assert [(each.fact.id, each.reason) for each in asked.left_out] == [
        ("Q3", "it has no subject, so that nothing of it can be corrupted")
    ]
    assert [row["group"] for row in accuracy_rows(asked)] == ["all"]


def test_a_fact_that_brings_its_sound_is_heard_in_it(lens: "sl.Lens", facts: tuple["sl.Fact", ...]) -> None:
    fact = facts[0]
    spoken = {name: lens.speak(fact.text(name), fact.subject, fact.answer) for name in ("first", "second")}
    words = {
        name: [
            (word.word, word.start, word.end) for word in sl.speech.voice("espeak:en-us").speak(fact.text(name)).words
        ]
        for name in spoken
    }
    sounds = tuple(
        sl.prompts.FactSound(voice, name, spoken[name].waveform, words[name])
        for voice, name in (("anna", "second"), ("bert", "second"), ("bert", "first"))
    )
    own = replace(fact, sounds=sounds)
    (pair,) = ask(lens, [own], voice="espeak:en-us").pairs
    assert (pair.spoken.voice, pair.spoken.phrasing, pair.written.phrasing) == ("anna", "second", "second")
    assert pair.spoken.ids == spoken["second"].ids
    (pair,) = ask(lens, [own], voice="bert", phrasing="first").pairs
    assert (pair.spoken.voice, pair.spoken.ids) == ("bert", spoken["first"].ids)
    with pytest.raises(ValueError, match="the fact has no sound in this voice or phrasing"):
        ask(lens, [own], voice="anna", phrasing="third")
    settings = sl.studies.StudySettings(voice="bert")
    assert settings.checked([own]).voice == "bert"
    with pytest.raises(ValueError, match="bert"):  # no engine has a voice of that name
        settings.checked([fact])


def test_a_fact_that_cannot_be_spoken_or_asked_is_left_out_with_its_reason(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path
) -> None:
    """Too long for the model, an answer without tokens, the words of another fact: the study goes on without them."""
    good = facts[0]
    broken = (
        broken_fact(good, subject="France " * 200),
        broken_fact(good, answer="[Text]"),
        broken_fact(good, group="text only"),
    )
    settings = sl.studies.StudySettings(
        n_facts=2, n_token_maps=0, components=("resid_pre",), samples=1, seed=3, ask="all", floors=()
    )
    result = sl.study(lens, tmp_path, settings, (good, *broken, facts[1], facts[2]))
    assert [each.fact.id for each in result.left_out] == [fact.id for fact in broken]
    reasons = [each.reason for each in result.left_out]
    assert "more than the model's context" in reasons[0]
    assert "unknown to the vocabulary" in reasons[1]
    assert f"its prompt is that of {good.id}" in reasons[2]
    written = json.loads((tmp_path / "left_out.json").read_text(encoding="utf-8"))
    assert written == [{"fact": each.fact.id, "reason": each.reason} for each in result.left_out]
    page = html.unescape(result.page.read_text(encoding="utf-8"))
    assert "3 could not be spoken or asked and were left out" in page
    assert repr(result).count("Left out: ") == 3


@pytest.mark.parametrize("error", [IndexError("index 7 is out of range"), RuntimeError("shapes differ"), MemoryError()])
@pytest.mark.parametrize("where", ["spoken", "asked"])
def test_whatever_one_fact_meets_the_others_go_on(
    where: str,
    error: Exception,
    lens: "sl.Lens",
    facts: tuple["sl.Fact", ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its sound in the encoder, alone or in a block, or its prompt in the model."""
    bad, owner, name = facts[1], *((pairs, "pair_prompts") if where == "spoken" else (kept_answers, "known_prompts"))
    original = getattr(owner, name)

    def failing(lens: "sl.Lens", given: Any, *rest: Any) -> Any:
        if given is bad or (isinstance(given, tuple) and any(prompt.fact_id == bad.id for prompt in given)):
            raise error
        return original(lens, given, *rest)

    monkeypatch.setattr(owner, name, failing)
    found = ask(lens, facts[:3], voice="espeak:en-us", answers=tmp_path / "answers.jsonl")
    assert [pair.fact.id for pair in found.pairs] == [facts[0].id, facts[2].id]
    (left_out,) = found.left_out
    assert left_out.reason.startswith(f"{type(error).__name__}: {error}")
    monkeypatch.setattr(owner, name, lambda *rest: (_ for _ in ()).throw(RuntimeError("CUDA error: 700")))
    with pytest.raises(RuntimeError, match="CUDA error"):
        ask(lens, facts[:1], voice="espeak:en-us")


def test_a_study_of_nothing_but_broken_facts_tells_the_first_reason(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path
) -> None:
    with pytest.raises(
        ValueError, match=r"none of the 1 facts can be spoken and asked; the first: .*unknown to the voc"
    ):
        sl.study(lens, tmp_path, facts=[broken_fact(facts[0], answer="[Text]")])


def test_answers_are_kept_as_they_come_and_not_asked_again(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop in the second batch keeps the first; a hook of the user's own makes the model another one."""
    from spiritlens.studies import kept_answers, pairs

    answers, questions = tmp_path / "answers.jsonl", []

    def stopping(lens: "sl.Lens", prompts: tuple["sl.Prompt", ...]) -> tuple[bool, ...]:
        if questions:
            raise KeyboardInterrupt
        questions.extend(prompts)
        return tuple(prompt.id in known for prompt in prompts)

    known = {prompt.id for each in asked.pairs for prompt in each.prompts if each.known[prompt.kind]}
    monkeypatch.setattr(pairs, "TOGETHER", 3)
    monkeypatch.setattr(kept_answers, "known_prompts", stopping)
    with pytest.raises(KeyboardInterrupt):
        ask(lens, facts, voice="espeak:en-us", phrasing="held out", answers=answers)
    assert len(answers.read_text().splitlines()) == len(questions) == 6
    with answers.open("a") as lines:
        lines.write('{"prompt": "cut')
    questions.clear()

    def answering(lens: "sl.Lens", prompts: tuple["sl.Prompt", ...]) -> tuple[bool, ...]:
        questions.extend(prompts)
        return (True,) * len(prompts)

    monkeypatch.setattr(kept_answers, "known_prompts", answering)
    again = ask(lens, facts, voice="espeak:en-us", phrasing="held out", answers=answers)
    assert len(questions) == 14
    assert [each.known for each in again.pairs[:3]] == [each.known for each in asked.pairs[:3]]
    with lens.model.hooks(fwd_hooks=[("blocks.0.hook_mlp_out", lambda value, hook: value * 0)]):
        ask(lens, facts[:1], voice="espeak:en-us", phrasing="held out", answers=answers)
    assert len(questions) == 16, "with a hook of the user's own the model is another one"
    other = replace(lens, knowing=sl.prompts.Knowing("generated", tokens=2))
    for _ in range(2):
        ask(other, facts[:1], voice="espeak:en-us", phrasing="held out", answers=answers)
    assert len(questions) == 18, "another rule asks anew, once"
    ask(other, [replace(facts[0], aliases=("paname",))], voice="espeak:en-us", phrasing="held out", answers=answers)
    assert len(questions) == 20, "so do other aliases, where they count"


def test_shards_share_the_asking_and_the_whole_asks_nothing_more(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second shard is stopped after its own blocks of three facts; the first asks the others."""
    from spiritlens.studies import kept_answers, pairs

    known = {prompt.id for each in asked.pairs for prompt in each.prompts if each.known[prompt.kind]}
    asked_together: list[tuple[str, ...]] = []

    def answering(lens: "sl.Lens", prompts: tuple["sl.Prompt", ...]) -> tuple[bool, ...]:
        if len(asked_together) == stop_after:
            raise KeyboardInterrupt
        asked_together.append(tuple(prompt.fact_id for prompt in prompts if prompt.kind == "T2T"))
        return tuple(prompt.id in known for prompt in prompts)

    monkeypatch.setattr(pairs, "TOGETHER", 3)
    monkeypatch.setattr(kept_answers, "known_prompts", answering)
    about = {"voice": "espeak:en-us", "phrasing": "held out", "answers": tmp_path / "answers.jsonl"}
    stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        ask(lens, facts, shard=sl.effects.Shard(2, 2), **about)
    stop_after = -1
    first = ask(lens, facts, shard=sl.effects.Shard(1, 2), **about)
    ids = [fact.id for fact in facts]
    assert asked_together == [tuple(ids[start : start + 3]) for start in (3, 9, 0, 6)]
    assert sorted(path.name for path in (tmp_path / "answers").iterdir()) == ["1-of-2.jsonl", "2-of-2.jsonl"]
    whole = ask(lens, facts, **about)
    assert len(asked_together) == 4
    assert [each.known for each in whole.pairs] == [each.known for each in first.pairs]
    assert [each.known for each in whole.pairs] == [each.known for each in asked.pairs]
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 20, "the whole has all answers in one file"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_shard_stops_asking_at_the_very_fact_where_one_process_does(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path, number: int
) -> None:
    about = {"voice": "espeak:en-us", "phrasing": "held out", "enough": 3}
    whole = ask(lens, facts, **about)
    shard = ask(lens, facts, answers=tmp_path / "answers.jsonl", shard=sl.effects.Shard(number, 3), **about)
    assert [each.fact.id for each in shard.pairs] == [each.fact.id for each in whole.pairs]
    assert whole.n_known == 3
    assert whole.pairs[-1].known_in_both


def test_facts_asked_together_are_asked_as_one_by_one(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spiritlens.studies import pairs

    monkeypatch.setattr(pairs, "TOGETHER", 1)
    singly = ask(lens, facts, voice="espeak:en-us", phrasing="held out")
    assert [each.known for each in singly.pairs] == [each.known for each in asked.pairs]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"n_facts": 0}, "n_facts=0: expected a whole number ≥ 1"),
        ({"n_facts": -1}, "n_facts=-1: expected a whole number ≥ 1"),
        ({"n_facts": True}, "n_facts=True: expected a whole number"),
        ({"n_token_maps": -1}, "n_token_maps=-1: expected a whole number ≥ 0"),
        ({"window": 0}, "window=0: expected a whole number ≥ 1"),
        ({"samples": 0}, "samples=0: expected a whole number ≥ 1"),
        ({"components": "resid_pre"}, r"components='resid_pre': expected several; write \['resid_pre'\]"),
        ({"voice": "espeak:en-xx"}, "has no voice of the accent or language 'en-xx'"),
        ({"voice": "en-us"}, "voice 'en-us' is unknown"),
        ({"phrasing": 5}, r"phrasing=5 \(int\): expected a text"),
        ({"knowing": "exact"}, "knowing='exact' .*expected a rule, such as"),
        ({"selection": "known"}, "selection='known'"),
        ({"ending": "marked"}, "ending='marked'"),
        ({"dose": "half"}, "dose='half'"),
        ({"floors": ("control", "twin")}, r"floors\[1\]='twin'"),
        ({"twins": -1}, "twins=-1: expected a whole number ≥ 0"),
    ],
)
def test_impossible_settings_are_refused_before_the_model_or_the_facts_are_looked_at(
    counts: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        sl.study(None, tmp_path / "new", sl.studies.StudySettings(**counts), ())
    with pytest.raises(ValueError, match=message):
        sl.studies.study_cost(None, sl.studies.StudySettings(**counts), ())
    assert list(tmp_path.iterdir()) == []


def test_a_phrasing_that_the_facts_lack_is_refused_before_a_folder_is_begun(lens: sl.Lens, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="phrasing 'sung' is unknown to fact capital/france; choose one of first"):
        sl.study(lens, tmp_path / "new", sl.studies.StudySettings(phrasing="sung"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 3}, "samples: 2 there, 3 here"),
        ({"seed": 4}, "seed: 3 there, 4 here"),
        ({"window": 3}, "window: 2 there, 3 here"),
        ({"components": ("resid_pre",)}, "components: "),
    ],
)
def test_a_folder_of_other_settings_is_refused_before_anything_is_spoken(
    result: "sl.studies.Study",
    lens: "sl.Lens",
    facts: tuple["sl.Fact", ...],
    folder: Path,
    change: dict[str, object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sl.Lens, "speak", None)
    with pytest.raises(ValueError, match=message):
        sl.study(lens, folder, replace(SETTINGS, **change), facts)


def test_a_component_that_the_model_lacks_is_refused_before_anything_is_spoken(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sl.Lens, "speak", None)
    with pytest.raises(ValueError, match="resid_per"):
        sl.study(lens, tmp_path / "new", sl.studies.StudySettings(components=("resid_per",)), facts)
    assert not (tmp_path / "new").exists()


def test_a_negative_number_of_facts_drops_none(asked: Asked) -> None:
    with pytest.raises(ValueError, match="n_facts=-1: expected a whole number"):
        choose_known(asked, -1, seed=0)


def test_a_file_in_the_place_of_the_folder_is_refused_before_anything_is_spoken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(ValueError, match="is a file; name a folder"):
            sl.study(None, out, facts=())


def test_a_study_without_token_maps_has_none(lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path) -> None:
    settings = sl.studies.StudySettings(n_facts=1, n_token_maps=0, components=("resid_pre",), samples=1, floors=())
    result = sl.study(lens, tmp_path, settings, facts[:3])
    assert result.tokens is None
    assert not (tmp_path / "tokens").exists()
    assert result.page.is_file()


def test_written_prompts_end_as_spoken_ones_do_and_are_asked_so(asked: Asked, lens: "sl.Lens") -> None:
    for pair in asked.pairs:
        assert pair.written.roles[-1] == pair.spoken.roles[-1] == "final marker"
        assert pair.plain.ids == pair.written.ids[:-1]
        assert (pair.written.phrasing, pair.plain.phrasing) == (pair.spoken.phrasing,) * 2
        assert pair.known["T2T"] == known_prompts(lens, [pair.written])[0]
    plain = ask(lens, [asked.pairs[0].fact], voice="espeak:en-us", ending="plain").pairs[0]
    assert (plain.written.ids, plain.plain) == (asked.pairs[0].plain.ids, None)


def test_plain_writing_is_a_second_map_of_the_same_facts_with_the_same_noise(
    result: "sl.studies.Study", folder: Path
) -> None:
    written = result.effects.isel(prompt=result.effects["modality"].values == "T2T")
    assert written["fact_id"].values.tolist() == result.plain["fact_id"].values.tolist()
    assert not any(text.endswith("[Text]") for text in result.plain["text"].values)
    assert all(text.endswith("[Text]") for text in written["text"].values)
    for name in ("noise_scale_text", "noise_scale_speech", "seed"):
        assert result.plain.attrs[name] == result.effects.attrs[name]
    xr.testing.assert_equal(sl.effects.load(folder / "plain" / "effects.nc")["clean"], result.plain["clean"])
    assert "plain writing" in html.unescape(result.page.read_text(encoding="utf-8"))


def test_a_study_may_leave_out_what_its_map_is_read_against(
    lens: "sl.Lens", facts: tuple["sl.Fact", ...], tmp_path: Path
) -> None:
    settings = replace(SETTINGS, n_facts=2, n_token_maps=0, samples=1, components=("resid_pre",), floors=())
    alike = sl.study(lens, tmp_path / "alike", replace(settings, ending="as spoken"), facts[:3])
    assert (alike.plain, alike.marker, dict(alike.floors.by_name)) == (None, None, {})
    assert "what the marker does by itself was not measured" in alike.findings[-2]
    unlike = sl.study(lens, tmp_path / "unlike", replace(settings, ending="plain", dose="equal"), facts[:3])
    assert "the marker may be what differs" in unlike.findings[-2]
    assert unlike.findings[-1].startswith("Doses are not matched (as was asked for)")
    assert not unlike.effects["text"].values[0].endswith("[Text]")
    for folder in ("alike", "unlike"):
        assert not {"plain", "floors"} & {path.name for path in (tmp_path / folder).iterdir()}


def test_wavs_of_facts_with_other_letters_keep_apart(asked: Asked, tmp_path: Path) -> None:
    pairs = asked.pairs
    names = ("столица/Франция", "столица/Италия")
    prompts = [replace(pairs[place].spoken, fact_id=name) for place, name in enumerate(names)]
    write_wavs([*prompts, replace(pairs[2].spoken, fact_id=names[0])], tmp_path)
    found = sorted(path.name for path in tmp_path.iterdir())
    assert len(found) == 3
    assert f"столица_Франция_{prompts[0].id}.wav" in found


@pytest.mark.parametrize("settings", [None, {"n_facts": 2}, ("facts",), sl.studies.StudySettings])
def test_other_values_than_settings_are_refused_before_anything_is_looked_at(settings: object, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"settings=.*: expected StudySettings, such as sl\.studies\.StudySettings\(n_facts"
    ):
        sl.study(None, tmp_path / "new", settings)
    with pytest.raises(ValueError, match=r"settings=.*: expected StudySettings"):
        sl.studies.study_cost(None, settings)


@pytest.mark.slow
def test_facts_of_two_recorded_voices_are_studied_traced_and_compared(lens, facts, tmp_path) -> None:
    """A study speaks in the voice that is named; traced together, both voices are one fact, paired with its writing,
    a source of variance of their own, and each other's ceiling."""

    def recorded(fact: Fact) -> Fact:
        name = asked_phrasing(fact, None)
        spoken = {who: sl.speech.voice(f"espeak:{code}").speak(fact.text(name)) for who, code in WHO.items()}
        sounds = [
            sl.prompts.FactSound(
                who, name, said.waveform, tuple((word.word, word.start, word.end) for word in said.words)
            )
            for who, said in spoken.items()
        ]
        return replace(fact, sounds=tuple(sounds))

    own = [recorded(fact) for fact in facts[:7]]
    few = replace(SETTINGS, n_facts=2, n_token_maps=0, components=("mlp_out",), floors=(), ending="as spoken")
    for who in WHO:
        found = sl.study(lens, tmp_path / who, replace(few, voice=who), own)
        assert set(found.effects["voice"].values.tolist()) == {"", who}
        assert any(f"one voice in speech ({who})" in sentence for sentence in found.comparison.conditions)

    prompts = sl.prompts.spoken_prompts(lens, own, progress="none").prompts
    traced = sl.causal_trace(lens, prompts, sl.Grid(("mlp_out",), at="role"), samples=2, progress="none")
    kept = traced.isel(prompt=traced["known"].values == 1)
    voices = {who: kept.isel(prompt=kept["voice"].values == who) for who in WHO}
    found = sl.compare(
        traced,
        references=sl.comparison.References(ceilings={"two voices": (voices["anna"], voices["bert"])}),
        resamples=20,
        permutations=20,
    )
    written = kept.isel(prompt=kept["modality"].values == "T2T")
    means = []
    for fact in written["fact_id"].values.tolist():
        of_fact = [sl.effects.total(one.isel(prompt=one["fact_id"].values == fact)) for one in voices.values()]
        each = [float(total.sel(metric="probability").mean()) for total in of_fact if total.sizes["prompt"]]
        means += [np.mean(each)] if each else []
    assert found.n_facts == found.n_subjects == len(means) >= 5
    assert found.total[1].value == pytest.approx(np.mean(means), abs=1e-12)
    assert not any("one voice" in sentence for sentence in found.conditions)
    assert found.limited_by[1]["voice"].n_levels == 2
    assert [row.name for row in found.components[0].beside.rows if row.part == "ceiling"] == ["two voices"]


WHO = {"anna": "en-us", "bert": "en-us+f2"}
"""Two recorded voices."""


def test_a_finished_study_is_only_read_and_needs_no_permission_to_write(
    result: sl.studies.Study,
    lens: sl.Lens,
    facts: tuple[sl.Fact, ...],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does it write what it holds already: no file is made in it, also by somebody who may."""
    places = [folder, *folder.rglob("*")]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in places}
    monkeypatch.setattr(atomic, "_created", lambda path: pytest.fail(f"{path} is written"))
    for path in places:
        path.chmod(stat.S_IRUSR | (stat.S_IXUSR if path.is_dir() else 0))
    try:
        again = sl.study(lens, folder, SETTINGS, facts)
    finally:
        for path in places:
            path.chmod(stat.S_IRWXU)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in places} == before
    assert sorted(folder.rglob("*")) == sorted(places[1:])
    assert (again.findings, again.page) == (result.findings, result.page)
