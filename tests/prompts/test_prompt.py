import hashlib
import json
import math
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_making import mixed_prompt, speech_prompt, text_prompt

from spiritlens.prompts import prompt_values
from spiritlens.prompts.building.segments import SpeechSegment, TextSegment
from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.prompts.prompt_values import HEARD_NUMBERS, HEARD_TEXTS
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.units import UnitStream
from spiritlens.speech.words import WordInterval


@pytest.fixture
def spoken(spirit, units, words) -> Prompt:
    sound = Waveform(np.full(26_880, 0.1, dtype=np.float32), 16_000, source="nz.wav")
    return speech_prompt(
        spirit, units, words, "New Zealand", "the", foil="cat", waveform=sound, voice="test", fact_id="nz"
    )


@pytest.fixture
def written(spirit) -> Prompt:
    return text_prompt(spirit, "the cat of the capital is", "capital", "Paris", marker="final")


# ---- the value ---------------------------------------------------------------------------------------------------


def test_tokens_are_ready_for_the_model(written):
    assert written.tokens.shape == (1, len(written))
    assert written.tokens.dtype == torch.long
    assert written.tokens[0].tolist() == list(written.ids)


def test_opening_a_prompt_needs_no_torch():
    code = "import sys, spiritlens.prompts.prompt; sys.exit(any(m in sys.modules for m in ('torch', 'transformers')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_number_of_values_per_token_that_differs(written):
    with pytest.raises(ValueError, match=r"values per token differ in number: .*'roles': 3"):
        replace(written, roles=written.roles[:3])


@pytest.mark.parametrize(
    ("name", "value"), [("roles", "verb"), ("parts", "end"), ("families", "phone"), ("modalities", "sign")]
)
def test_a_value_outside_of_the_closed_sets(written, name, value):
    with pytest.raises(ValueError, match=rf"unknown {name}: \['{value}'\]; use "):
        replace(written, **{name: (*getattr(written, name)[:-1], value)})


def test_an_unknown_kind(written):
    with pytest.raises(ValueError, match="kind='T2S': expected one of T2T, S2T, mixed"):
        replace(written, kind="T2S")


def test_a_subject_outside_of_the_prompt(written):
    with pytest.raises(ValueError, match=r"span 'capital' reaches position 99, but the prompt has \d+ tokens"):
        replace(written, subject=Span("capital", (3, 99)))


def test_a_word_index_outside_of_the_words(written):
    with pytest.raises(ValueError, match="points outside the 6 words"):
        replace(written, word_index=(*written.word_index[:-1], 6))


def test_an_answer_without_ids(written):
    with pytest.raises(ValueError, match="answer 'Paris' has no token ids"):
        replace(written, answer_ids=())


# ---- cautions ----------------------------------------------------------------------------------------------------


def test_most_prompts_need_no_caution(spoken, written):
    assert spoken.cautions == written.cautions == ()
    assert "Caution" not in repr(spoken)


def test_a_subject_on_the_attention_sink_is_noted(vocabularies):
    prompt = text_prompt(vocabularies["text"], "Rome is the capital of", "Rome", "the")
    assert len(prompt.cautions) == 1
    assert "begins at position 1, which many models use as an attention sink" in repr(prompt).splitlines()[-1]
    assert "attention sink" in prompt._repr_html_()


def test_an_answer_and_a_foil_that_begin_alike_are_noted(spirit):
    prompt = text_prompt(spirit, "the capital of California is", "California", "the cat", foil="the capital")
    assert prompt.answer_ids[0] == prompt.foil_ids[0]
    assert "begin with the same token (266)" in prompt.cautions[0]


# ---- spans -------------------------------------------------------------------------------------------------------


def test_a_span_is_sorted_unique_and_not_empty():
    assert list(Span("word", (2, 5))) == [2, 5]
    assert (Span("word", (2, 5)).first, Span("word", (2, 5)).last, len(Span("word", (2, 5)))) == (2, 5, 2)
    for positions in [(5, 2), (2, 2), (-1, 2)]:
        with pytest.raises(ValueError, match="must be sorted, unique and not negative"):
            Span("word", positions)
    with pytest.raises(ValueError, match="has no positions"):
        Span("word", ())


def test_spans_by_name(spoken):
    assert spoken.span("subject") == Span("subject", (13, 14, 15, 16, 17, 18))
    assert spoken.span("last token").positions == (24,)
    assert spoken.span("final marker").positions == (24,)
    assert spoken.span("Zealand").positions == (16, 17, 18)
    assert spoken.span("last word").positions == spoken.span("is").positions == (19, 20, 21)


def test_spans_by_position(spoken):
    assert spoken.span(-1).positions == (24,)
    assert spoken.span(np.int64(3)).positions == (3,)
    assert spoken.span([7, -1, 3, 7]).positions == (3, 7, 24)
    assert spoken.span(slice(2, 6)) == Span("2-5", (2, 3, 4, 5))
    assert spoken.span(spoken.subject) is spoken.subject


@pytest.mark.parametrize("where", [{3, 7}, np.array([7, 3]), torch.tensor([3, 7]), iter((3, 7)), {3: 0, 7: 0}.keys()])
def test_spans_of_sets_arrays_and_generators(spoken, where):
    assert spoken.span(where).positions == (3, 7)


@pytest.mark.parametrize("where", [1.5, 1.0, True, None, ["3"], [1.7], np.array([1.5]), b"3"])
def test_a_position_is_a_whole_number(spoken, where):
    with pytest.raises(ValueError, match=r"position=.*: expected a whole number"):
        spoken.span(where)


@pytest.mark.parametrize("where", [3, "subject", slice(2, 4), Span("x", (1,))])
def test_an_occurrence_is_for_words(spoken, where):
    with pytest.raises(ValueError, match="occurrence=1 says which of several words is meant"):
        spoken.span(where, occurrence=1)


@pytest.mark.parametrize("by", [-1, 1.0, "1", True])
def test_spans_grow_and_shrink_by_whole_numbers(spoken, by):
    for verb in (spoken.dilate, spoken.erode):
        with pytest.raises(ValueError, match=r"by=.*: expected a whole number ≥ 0"):
            verb("subject", by)


def test_a_prompt_reads_each_column_once_and_holds_pythons_own_numbers(spoken):
    columns = {name: iter(np.array(getattr(spoken, name))) for name in ("ids", "word_index", "starts")}
    again = replace(spoken, **columns)
    assert same(again, spoken)
    assert {type(again.ids[0]), type(again.word_index[0]), type(again.starts[3])} == {int, float}
    with pytest.raises(ValueError, match=r"ids\[0\]=1.0: expected a whole number ≥ 0"):
        replace(spoken, ids=tuple(map(float, spoken.ids)))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ids", (0, 7)),
        ("ids", ()),
        ("ids", (-1, 7)),
        ("ids", (1, True)),
        ("ids", (1, 2.0)),
        ("word_index", (-1, 3)),
        ("word_index", ("1",)),
        ("starts", (0.0, math.nan, 2.5)),
        ("starts", (None, 1)),
        ("ends", (-0.5,)),
        ("ends", (1.0, math.inf)),
        ("words", ("", "the")),
        ("words", ("the", 1)),
    ],
)
def test_a_column_seen_at_a_glance_is_what_its_values_are_one_by_one(name, values):
    def found(read):
        try:
            return repr(read())
        except ValueError as error:
            return str(error)

    slow = found(lambda: tuple(prompt_values._value(name, place, item) for place, item in enumerate(values)))
    assert found(lambda: prompt_values.column_values(name, values)) == slow


def test_a_word_that_occurs_twice_asks_which(written):
    with pytest.raises(
        ValueError, match="the word 'the' occurs 2 times; say which one: occurrence=0 at 3, occurrence=1 at"
    ):
        written.span("the")
    first, second = written.span("the", occurrence=0), written.span("the", occurrence=1)
    assert first.last < second.first
    assert written.span("the", occurrence=-1) == second
    with pytest.raises(ValueError, match=r"occurrence=2, but the word 'the' occurs 2 time\(s\)"):
        written.span("the", occurrence=2)


def test_an_unknown_name_lists_what_there_is(written):
    with pytest.raises(
        ValueError, match=r"no span 'dog': use all, .*last token, .*final marker.*, a word \(the cat of the"
    ):
        written.span("dog")


def test_a_role_that_the_prompt_lacks(spirit):
    prompt = text_prompt(spirit, "the cat is", "cat", "Paris")
    with pytest.raises(ValueError, match=r"no tokens of 'final marker': use all, .*, bos, modality marker"):
        prompt.span("final marker")


@pytest.mark.parametrize("where", [25, -26, [0, 25]])
def test_positions_outside_of_the_prompt(spoken, where):
    with pytest.raises(ValueError, match=r"position -?\d+ lies outside the prompt's 25 tokens \(0 to 24\)"):
        spoken.span(where)


def test_a_span_of_a_longer_prompt(spoken):
    with pytest.raises(ValueError, match=r"span 'x' reaches position 30, but the prompt has 25 tokens \(0 to 24\)"):
        spoken.span(Span("x", (3, 30)))


def test_role_spans_share_out_all_positions(spoken, written):
    for prompt in (spoken, written):
        positions = [position for span in prompt.role_spans().values() for position in span]
        assert sorted(positions) == list(range(len(prompt)))
    assert list(spoken.role_spans()) == [
        "bos", "modality marker", "before subject", "subject", "after subject", "last word", "final marker"
    ]  # fmt: skip


def test_word_spans(spoken, written):
    assert [span.name for span in spoken.word_spans()] == ["the", "capital", "of", "new", "zealand", "is"]
    assert [len(span) for span in spoken.word_spans()] == [3] * 6
    assert [span.name for span in written.word_spans()] == ["the", "cat", "of", "the", "capital", "is"]


def test_dilating_stops_at_markers_and_at_the_ends(spoken, spirit):
    assert spoken.dilate("subject").positions == tuple(range(12, 20))
    assert spoken.dilate("subject", by=50).positions == tuple(range(3, 24))
    assert spoken.dilate("subject", by=0).positions == spoken.subject.positions
    heard = SpeechSegment(UnitStream.from_frames(np.arange(6)), [WordInterval("rome", 0.0, 0.24)])
    mixed = mixed_prompt(spirit, [TextSegment("the city of"), heard, TextSegment("is")], "rome", "Paris")
    grown = mixed.dilate("subject", by=3)
    assert {mixed.modalities[position] for position in grown} == {"speech"}
    assert len(grown) == 6


def test_eroding(spoken):
    assert spoken.erode("subject").positions == (14, 15, 16, 17)
    assert spoken.erode("subject", by=2).positions == (15, 16)
    assert spoken.erode("subject", by=0).positions == spoken.subject.positions
    with pytest.raises(ValueError, match=r"has 6 token\(s\), so 3 from each side leave none"):
        spoken.erode("subject", by=3)


# ---- rows --------------------------------------------------------------------------------------------------------


def same(one: Prompt, other: Prompt) -> bool:
    def value(prompt, name):
        return [None if np.isnan(item) else item for item in getattr(prompt, name)]

    timed = ("starts", "ends")
    names = [field.name for field in fields(Prompt) if field.name not in (*timed, *HEARD_NUMBERS, "waveform")]
    plain = all(getattr(one, name) == getattr(other, name) for name in names)
    heard = np.array([[getattr(prompt, name) for name in HEARD_NUMBERS] for prompt in (one, other)])
    return (
        plain
        and np.array_equal(*heard, equal_nan=True)
        and all(value(one, name) == value(other, name) for name in timed)
    )


def test_rows_survive_json_and_parquet(spoken, written, tmp_path):
    prompts = [spoken, written]
    pd.DataFrame([prompt.to_dict() for prompt in prompts]).to_parquet(tmp_path / "prompts.parquet")
    read = pd.read_parquet(tmp_path / "prompts.parquet").to_dict("records")
    assert all(same(Prompt.from_dict(row), prompt) for row, prompt in zip(read, prompts, strict=True))
    assert all(same(Prompt.from_dict(json.loads(json.dumps(p.to_dict()))), p) for p in prompts)
    assert type(Prompt.from_dict(read[0]).ids[0]) is int


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@st.composite
def prompts(draw) -> Prompt:
    """Any prompt: texts of any letters and lengths, times that are NaN or not, with and without words and a foil."""
    n = draw(st.integers(1, 8))
    words = tuple(draw(st.lists(names, max_size=3)))

    def column(values):
        return tuple(draw(st.lists(values, min_size=n, max_size=n)))

    positions = st.sets(st.integers(0, n - 1), min_size=1).map(lambda found: tuple(sorted(found)))
    spans = st.builds(Span, names, positions)
    answer_ids = tuple(draw(st.lists(st.integers(0, 2**31), max_size=3)))
    return Prompt(
        ids=column(st.integers(0, 2**31)),
        text=draw(names),
        labels=column(names),
        families=column(st.sampled_from(["bos", "marker", "text", "unit", "pitch", "style"])),
        modalities=column(st.sampled_from(["none", "text", "speech"])),
        words=words,
        word_index=column(st.integers(-1, len(words) - 1)),
        roles=column(st.sampled_from(["bos", "subject", "after subject"])),
        parts=column(st.sampled_from(["first", "none"])),
        starts=column(st.one_of(st.just(float("nan")), st.floats(0, 1e6))),
        ends=column(st.one_of(st.just(float("nan")), st.floats(0, 1e6))),
        subject=draw(st.one_of(st.just(Span("", ())), spans)),
        answer=draw(names) if answer_ids else "",
        answer_ids=answer_ids,
        kind=draw(st.sampled_from(["T2T", "S2T", "mixed"])),
        foil=draw(names),
        foil_ids=tuple(draw(st.lists(st.integers(0, 2**31), max_size=3))),
        fact_id=draw(names),
        relation=draw(names),
        phrasing=draw(names),
        voice=draw(names),
        group=draw(names),
        audio=draw(names),
        vocabulary=draw(names),
        heard=draw(names),
        word_error=draw(st.one_of(st.just(float("nan")), st.floats(0, 1e6))),
        subject_units_changed=draw(st.integers(0, 99)),
    )


@given(st.lists(prompts(), min_size=1, max_size=3))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_every_value_of_every_prompt_survives_json_and_parquet(tmp_path, written):
    rows = [prompt.to_dict() for prompt in written]
    assert all(same(Prompt.from_dict(json.loads(json.dumps(row))), p) for row, p in zip(rows, written, strict=True))
    pd.DataFrame(rows).to_parquet(tmp_path / "prompts.parquet")
    read = pd.read_parquet(tmp_path / "prompts.parquet").to_dict("records")
    assert all(same(Prompt.from_dict(row), prompt) for row, prompt in zip(read, written, strict=True))


@given(prompts())
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_an_id_is_the_digest_of_its_content_as_json(prompt):
    content = [prompt.ids, prompt.subject.positions, prompt.answer_ids, prompt.foil_ids]
    content += [prompt.voice] if prompt.voice else []
    assert prompt.id == hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def test_a_row_of_version_0_1_has_no_vocabulary_and_an_id_without_the_voice(spoken):
    old = {name: value for name, value in spoken.to_dict().items() if name != "vocabulary"}
    content = [spoken.ids, spoken.subject.positions, spoken.answer_ids, spoken.foil_ids]
    old["id"] = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    assert same(Prompt.from_dict(old), replace(spoken, vocabulary=""))
    joined = pd.DataFrame([old, spoken.to_dict()]).to_dict("records")
    assert [Prompt.from_dict(row).id for row in joined] == [spoken.id] * 2
    with pytest.raises(ValueError, match="is not that of its content"):
        Prompt.from_dict({**old, "id": spoken.id})


def test_a_row_of_before_recognisers_has_none(spoken):
    old = {name: value for name, value in spoken.to_dict().items() if name not in (*HEARD_TEXTS, *HEARD_NUMBERS)}
    assert same(Prompt.from_dict(old), spoken)
    heard = replace(spoken, recogniser="parrot", heard="the capital", word_error=np.float32(0.5))
    assert (heard.id, heard.word_error, type(heard.word_error)) == (spoken.id, 0.5, float)
    joined = pd.DataFrame([old, heard.to_dict()]).to_dict("records")  # NaN for the texts of the first
    assert all(same(Prompt.from_dict(row), prompt) for row, prompt in zip(joined, (spoken, heard), strict=True))
    with pytest.raises(ValueError, match="word_error=-1: expected a number ≥ 0"):
        replace(spoken, word_error=-1)


def test_a_row_gets_its_sound_back(spoken):
    assert "waveform" not in spoken.to_dict()
    assert Prompt.from_dict(spoken.to_dict()).waveform is None
    assert Prompt.from_dict(spoken.to_dict(), spoken.waveform).waveform is spoken.waveform


def test_a_changed_row_is_refused(written):
    row = written.to_dict()
    row["ids"] = [*row["ids"][:-1], 5]
    with pytest.raises(ValueError, match="is not that of its content"):
        Prompt.from_dict(row)


def test_a_row_of_something_else_is_refused():
    with pytest.raises(ValueError, match=r"the row lacks \['id', 'subject_positions', 'ids'"):
        Prompt.from_dict({"text": "the cat"})


# ---- showing itself ----------------------------------------------------------------------------------------------


def test_a_prompt_prints_its_tokens_with_words_roles_and_times(spoken):
    lines = repr(spoken).splitlines()
    assert (
        lines[0] == f"Prompt {spoken.id}: S2T, 25 tokens, subject 'new zealand', answer 'the', foil 'cat', voice test"
    )
    assert lines[1].split() == ["pos", "token", "id", "family", "word", "role", "part", "time"]
    assert lines[2 + 13].split() == ["13", "[Hu10]", "2012", "unit", "new", "subject", "first", "0.80–0.88", "s"]
    assert len(lines) == 2 + 25


def test_a_notebook_shows_the_table_under_a_player(spoken, written):
    page = spoken._repr_html_()
    assert page.count("<tr>") == 26
    assert "<audio" in page
    assert "&lt;s&gt;" in page
    assert "<audio" not in written._repr_html_()
