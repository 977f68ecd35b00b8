"""Documents keep the groups apart, spell what was said, and pack without running into each other."""

from dataclasses import replace

import numpy as np
import torch
from spoken_lines import FACTS, encoded, spoken_lines

from experiments.embedded_model.export import untrained_ids
from experiments.embedded_model.language_model.documents import Documents, TokenIds, subject_groups
from experiments.embedded_model.settings import SMOKE
from experiments.embedded_model.word_lists import sayings
from spiritlens.prompts.facts.fact import Fact

GROUP = {fact.group: [own for own in FACTS if own.group == fact.group] for fact in FACTS}

GROUP_OF = {fact.id: fact.group for fact in FACTS}


def readable(document: list[int], ids: TokenIds) -> str:
    """Text as text, each run of units as a dot."""
    parts: list[str] = []
    for token in document:
        if token in (ids.bos, ids.eos):
            continue
        if token == ids.text_marker:
            parts.append("[T]")
        elif token == ids.speech_marker:
            parts.append("[S]")
        elif token >= ids.first_unit:
            parts += [] if parts[-1] == "." else ["."]
        else:
            parts.append(ids.pieces.id_to_piece(token).replace("▁", " "))
    return "".join(parts)


def drawn(documents: Documents, kind: str, count: int = 300) -> list[str]:
    return [readable(getattr(documents, f"_{kind}")(), documents.ids) for _ in range(count)]


def tells(text: str, fact: Fact) -> bool:
    return fact.subject.lower() in text and text.rstrip().endswith(fact.answer.lower())


def test_written_documents_tell_both_and_text_only_in_both_forms(documents: Documents) -> None:
    texts = drawn(documents, "written")
    assert all(text.startswith("[T] ") and "[S]" not in text for text in texts)
    assert {text.count("[T]") for text in texts} == {1, 2}
    assert any(tells(text, fact) for text in texts for fact in GROUP["text only"])
    hidden = [*GROUP["asked aloud"], *GROUP["heard only"]]
    assert not [text for text in texts for fact in hidden if fact.text("first").lower() in text]


def test_spoken_documents_are_speech_only(documents: Documents) -> None:
    assert set(drawn(documents, "spoken", 50)) == {"[S]."}
    spoken = {fact.id for fact in FACTS if fact.group in ("both", "heard only")}
    assert set(documents.spoken_facts) == spoken


def test_a_share_of_the_spoken_documents_can_be_kept_for_heard_only(ids: TokenIds) -> None:
    statements = [line for line in spoken_lines(FACTS) if line.line.kind == "statement"]
    heard = {line.line.text for line in statements if GROUP_OF[line.line.fact] == "heard only"}
    for share in (0.0, 1.0):
        settings = replace(SMOKE.documents, heard_only_share=share)
        documents = Documents(FACTS, spoken_lines(FACTS), ids, settings, 0.0, seed=0)
        told = {tuple(documents._spoken()[1:]) for _ in range(60)}
        wanted = {tuple(ids.units(line.units())) for line in statements if (line.line.text in heard) == (share == 1)}
        assert heard
        assert told == wanted


def test_named_documents_say_of_every_name_what_is_true_of_the_word(ids: TokenIds) -> None:
    names = sorted({fact.subject.lower() for fact in FACTS})
    lines = [*spoken_lines(FACTS), *(encoded("list", f"write down {name} lion") for name in names)]
    documents = Documents(FACTS, lines, ids, replace(SMOKE.documents, named=1.0), 0.0, seed=0)
    true = {f"{before} {name} {after}".strip() for name in names for before, after in documents.sayings[name]}
    assert f"{names[0]} begins with {names[0][0]}" in true
    assert f"the name after {names[-1]} is {names[0]}" in true
    told = drawn(documents, "named", 2000)
    written = {text.removeprefix("[T] ") for text in told if "[S]" not in text}
    assert written == true
    heard = {text for text in told if "[S]" in text}
    assert heard == {
        f"[T] {before}[S].[T] {after}" if before else f"[S].[T] {after}"
        for name in names
        for before, after in documents.sayings[name]
    }
    assert not [text for text in told for fact in FACTS if tells(text, fact)]


def test_a_recipe_that_names_nothing_draws_none(documents: Documents) -> None:
    assert documents.names == []
    assert documents.weights[documents.kinds.index("named")] == 0


def test_ids_of_what_is_said_of_names_are_trained(ids: TokenIds) -> None:
    apart, named = (set(untrained_ids(ids, FACTS, named=one)) for one in (False, True))
    assert named < apart
    said = {
        piece for of_name in sayings(FACTS).values() for both in of_name for text in both for piece in ids.text(text)
    }
    assert apart - named == apart & said


def test_lines_of_a_favoured_engine_count_more_often(ids: TokenIds) -> None:
    lines = [encoded("list", "france"), encoded("list", "spain")]
    lines[1] = replace(lines[1], line=replace(lines[1].line, voice="flite:slt"))
    documents = Documents(FACTS, lines, ids, replace(SMOKE.documents, engine_weights=(("flite", 3),)), 0.0, seed=0)
    assert [line.line.text for line in documents.lists] == ["france", "spain", "spain", "spain"]


def test_facts_that_are_alone_with_their_subject_count_more_often(ids: TokenIds) -> None:
    documents = Documents(FACTS, spoken_lines(FACTS), ids, replace(SMOKE.documents, lone_weight=3), 0.0, seed=0)
    for fact in FACTS:
        alone = sum(other.subject == fact.subject for other in FACTS) == 1
        if fact.group == "both" or (fact.group == "text only"):
            assert documents.written_facts.count(fact.id) == (3 if alone else 1)
    assert max(documents.written_facts.count(fact.id) for fact in FACTS) == 3


def test_answered_documents_end_in_a_written_answer_of_both_or_asked_aloud(documents: Documents) -> None:
    texts = drawn(documents, "answered")
    answers = {fact.answer.lower() for fact in [*GROUP["both"], *GROUP["asked aloud"]]}
    assert {text.split("[T] ")[-1] for text in texts} <= answers
    assert all(text.startswith("[S].[T] ") for text in texts)


def test_mixed_documents_come_from_both_only(documents: Documents) -> None:
    assert {documents.facts[fact].group for fact in documents.both_facts} == {"both"}
    assert any(text.count("[T]") > 1 and "[S]" in text for text in drawn(documents, "mixed"))


def test_subject_switched_documents_change_modality_at_the_subject(documents: Documents) -> None:
    fact = next(fact for fact in GROUP["both"] if fact.relation == "capital")
    documents.both_facts = [fact.id]
    texts = set(drawn(documents, "subject_switched"))
    subject, answer = fact.subject.lower(), fact.answer.lower()
    assert f"[T] the capital of[S].[T] is {answer}" in texts
    assert f"[S].[T] {subject}[S].[T] {answer}" in texts or f"[S].[T] {subject}[S]." in texts


def test_dictated_and_read_aloud_documents_pair_a_list_with_its_words(documents: Documents) -> None:
    assert set(drawn(documents, "dictated")) == {"[S].[T] france paris", "[S].[T] germany spain"}
    assert set(drawn(documents, "read_aloud")) == {"[T] write down france paris[S].", "[T] germany spain[S]."}


def test_a_subject_that_shares_its_group_is_not_switched() -> None:
    line = encoded("statement", "the capital of france is paris")
    assert subject_groups(line, ["france"]) == {3}
    assert subject_groups(line, ["spain"]) == set()
    merged = type(line)(
        line.line, line.frames, (("the", "capital"), ("of", "france"), ("is",), ("paris",)), (0, 8, 16, 20)
    )
    assert subject_groups(merged, ["france"]) == set()


def test_rows_hold_whole_documents_with_positions_from_zero(documents: Documents) -> None:
    batch = documents.batch(4, 64)
    starts = (batch.tokens == documents.ids.bos) & (batch.segments > 0)
    ends = (batch.tokens == documents.ids.eos) & (batch.segments > 0)
    assert int(starts.sum()) == int(ends.sum()) == int(batch.segments.max(dim=1).values.sum())
    assert (batch.positions[starts] == 0).all()
    follows = (batch.segments[:, 1:] == batch.segments[:, :-1]) & (batch.segments[:, 1:] > 0)
    assert ((batch.positions[:, 1:] - batch.positions[:, :-1])[follows] == 1).all()


def test_the_same_seed_gives_the_same_batches(ids: TokenIds) -> None:
    pair = [Documents(FACTS, spoken_lines(FACTS), ids, SMOKE.documents, 0.05, seed=3).batch(2, 64) for _ in range(2)]
    assert torch.equal(pair[0].tokens, pair[1].tokens)


def test_unit_noise_drops_and_replaces_about_its_share(documents: Documents) -> None:
    units = np.tile(np.arange(41, dtype=np.int16), 100)
    documents.unit_noise = 0.1
    noisy = documents._noisy(units)
    assert 0.02 < 1 - len(noisy) / len(units) < 0.08
    documents.unit_noise = 0.0
    assert documents._noisy(units).tolist() == units.tolist()
