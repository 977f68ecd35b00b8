"""What is spoken follows the groups; nothing of *text only* and no held-out phrasing is ever told."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
from spoken_lines import encoded

from experiments.embedded_model.corpus import answer_sentences, monitor_sentences, sentences, word_lists
from experiments.embedded_model.language_model.unit_corpus import changed, deduplicated, word_groups
from experiments.embedded_model.settings import DEFAULT_VOICE, FULL
from experiments.embedded_model.unit_encoder.encoder_training import frame_classes
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.facts.shipped import HELD_OUT
from spiritlens.speech.engines.phones import PHONE_CLASS

FACTS = load_facts()
GROUP = {fact.id: fact.group for fact in FACTS}
TOLD = list(sentences(FACTS, "flite:slt", FULL.corpus, random.Random(0)))


def test_statements_and_prompts_follow_the_groups() -> None:
    assert {GROUP[line.fact] for line in TOLD if line.kind == "statement"} == {"both", "heard only"}
    assert {GROUP[line.fact] for line in TOLD if line.kind == "prompt"} == {"both", "asked aloud"}
    assert HELD_OUT not in {line.phrasing for line in TOLD}


def test_the_default_voice_tells_everything_and_also_at_natural_settings() -> None:
    default = list(sentences(FACTS, DEFAULT_VOICE, FULL.corpus, random.Random(0)))
    natural = {(line.fact, line.phrasing) for line in default if line.kind == "prompt" and line.natural}
    wanted = [fact.id for fact in FACTS if fact.group in ("both", "asked aloud")]
    assert all((fact, phrasing) in natural for fact in wanted for phrasing in ("first", "second", "third"))
    statements = {(line.fact, line.phrasing) for line in default if line.kind == "statement"}
    assert len(statements) == 3 * sum(group in ("both", "heard only") for group in GROUP.values())


def test_no_statement_holds_a_held_out_prompt() -> None:
    held = {fact.text(HELD_OUT).lower() for fact in FACTS}
    assert not [line.text for line in TOLD if any(line.text.startswith(prompt) for prompt in held)]


def test_word_lists_hold_every_subject_and_answer() -> None:
    said = Counter(" ".join(word_lists(FACTS, FULL.corpus, random.Random(0))).split())
    words = {word for fact in FACTS for word in f"{fact.subject} {fact.answer}".lower().split()}
    assert sum(word in said for word in words) / len(words) > 0.95
    assert all(said[fact.subject.lower()] for fact in FACTS if " " not in fact.subject)


def test_monitor_asks_each_fact_once_in_the_held_out_phrasing() -> None:
    asked = list(monitor_sentences(FACTS, FULL.corpus))
    assert len(asked) == len(FACTS)
    assert {line.phrasing for line in asked} == {HELD_OUT}


def test_every_answer_is_spoken_alone_once_to_compare_with() -> None:
    alone = [line.text for line in answer_sentences(FACTS)]
    assert len(alone) == len(set(alone))
    assert set(alone) == {fact.answer.lower() for fact in FACTS}


def test_facts_of_heard_only_are_told_as_often_as_the_settings_say() -> None:
    told = sentences(FACTS, "flite:slt", replace(FULL.corpus, heard_only_takes=3), random.Random(0))
    counts = Counter((line.fact, line.phrasing) for line in told if line.kind == "statement")
    assert {count for (fact, _), count in counts.items() if GROUP[fact] == "heard only"} == {3}
    assert {count for (fact, _), count in counts.items() if GROUP[fact] == "both"} == {1}


def test_words_that_share_an_interval_form_one_group() -> None:
    words = (("in", 0.08, 0.4), ("the", 0.08, 0.4), ("city", 0.4, 0.8))
    assert word_groups(words, speed=1.0, n_frames=20) == ((("in", "the"), ("city",)), (0, 10))
    assert word_groups(words, speed=2.0, n_frames=10) == ((("in", "the"), ("city",)), (0, 5))


def test_runs_of_units_become_one() -> None:
    assert deduplicated(np.array([3, 3, 1, 3, 3])).tolist() == [3, 1, 3]
    assert deduplicated(np.array([], int)).tolist() == []


def test_changed_audio_is_shorter_by_the_speed() -> None:
    tone = np.sin(np.arange(16000) / 20).astype(np.float32) / 2
    faster = changed(tone, 1.25, 0.0, np.random.default_rng(0))
    assert abs(len(faster) - 12800) < 5


def test_silence_around_the_phones_is_a_pause() -> None:
    line = replace(encoded("list", "a b c").line, n_samples=640 * 5, phones=(("aa", 0.04, 0.12),))
    pause, vowel = PHONE_CLASS["pau"], PHONE_CLASS["aa"]
    assert frame_classes(line).tolist() == [pause, vowel, vowel, pause, pause]
