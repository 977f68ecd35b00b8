"""One command runs every stage; its folder is complete and gives the training ids; a second run changes nothing."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from experiments.embedded_model import measure
from experiments.embedded_model.language_model.documents import TokenIds
from experiments.embedded_model.settings import SMOKE
from experiments.embedded_model.spoken_answers import SpeechIds, continued, distance, recalled_in_speech, without_pauses
from experiments.embedded_model.train import Arguments, main
from spiritlens.prompts.facts.fact import Fact
from spiritlens.prompts.facts.loading import load_facts
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER, OFFICIAL_MODEL

FILES = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "spiritlens.json",
    "speech_tokenizer",
}
TEMPLATES = {
    "first": "The capital of {subject} is",
    "second": "{subject} has a capital called",
    "third": "{subject} is ruled from",
    "held out": "The city of {subject} is",
}


def test_the_folder_is_complete(recipe: Path) -> None:
    assert {path.name for path in (recipe / "model").iterdir()} == FILES
    assert (recipe / "lm" / "curve.html").stat().st_size > 1000
    measured = [point for point in json.loads((recipe / "lm" / "curve.json").read_text()) if "accuracy" in point]
    assert [point["step"] for point in measured] == [2, 4]
    assert {"T2T", "T2T final marker", "S2T espeak:en-us", "S2S espeak:en-us"} == set(measured[0]["accuracy"])


def test_the_vocabulary_of_the_folder_gives_the_training_ids(recipe: Path) -> None:
    vocabulary = Vocabulary.load(recipe / "model")
    ids = TokenIds((recipe / "lm" / "tokenizer.model").read_bytes(), vocabulary.family.n_units)
    assert (vocabulary.size, vocabulary.trained_ids[-1] + 1) == (ids.size, ids.n_trained)
    assert vocabulary.unit_ids == range(ids.first_unit, ids.n_trained)
    for fact in SMOKE.facts():
        assert vocabulary.encode_text(fact.text("first")) == ids.text(fact.text("first"))
        assert vocabulary.answer_ids(fact.answer) == tuple(ids.text(fact.answer))


def test_the_table_covers_groups_and_conditions(recipe: Path) -> None:
    table = json.loads((recipe / "measured.json").read_text())["table"]
    assert {row["condition"] for row in table} == {"T2T", "T2T, final marker", "S2T, trained voices"}
    assert {row["group"] for row in table} == {fact.group for fact in SMOKE.facts()}
    assert (recipe / "measured.md").read_text().startswith("| group |")


def test_a_second_course_goes_on_from_the_model_with_its_encoder(recipe: Path, tmp_path: Path) -> None:
    for part in ("corpus", "units"):
        shutil.copytree(recipe / part, tmp_path / part)
    stages = ("teacher", "student", "lm", "export")
    start = recipe / "model"
    main(Arguments(tmp_path, preset="smoke", stages=stages, workers=1, threads=1, seed=1, start=start))
    assert not (tmp_path / "teacher").exists()
    place = Path("model") / OFFICIAL_FOLDER / OFFICIAL_MODEL
    assert (tmp_path / place).read_bytes() == (recipe / place).read_bytes()
    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (recipe, tmp_path))
    moved = (first["lm_head.weight"].float() - second["lm_head.weight"].float()).norm()
    assert 0 < moved < 0.5 * first["lm_head.weight"].float().norm()


def test_judge_counts_text_ids_apart_and_guesses_by_relation(recipe: Path) -> None:
    vocabulary = Vocabulary.load(recipe / "model")
    rows = [("France", "Paris"), ("Spain", "Paris"), ("Italy", "Berlin")]
    facts = [Fact(f"c/{s}", "c", s, a, "x", TEMPLATES, "both") for s, a in rows]
    paris = vocabulary.answer_ids("Paris")[0]
    probabilities = np.zeros((3, vocabulary.size))
    probabilities[:, paris] = 0.4
    probabilities[1, vocabulary.unit_ids[0]] = 0.6
    answers = measure.judge(facts, "T2T", "", probabilities, vocabulary)
    assert [answer.recalled for answer in answers] == [True, False, False]
    assert [answer.recalled_over_text for answer in answers] == [True, True, False]
    row = measure.table(answers)[0]
    assert (row.prompts, row.guess) == (3, pytest.approx(2 / 3))
    assert row.probability == pytest.approx(0.8 / 3)


def test_absent_voices_are_named(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise measure.EngineError(name)

    monkeypatch.setattr(measure, "speech_voice", absent)
    text = measure.measure_folder(recipe / "model", load_facts()[:2], ["festival:ked_diphone"], tmp_path)
    assert "lacks the voices: festival:ked_diphone" in text


def test_the_edit_distance_is_a_share_of_the_longer_length() -> None:
    assert distance([1, 2, 3], [1, 2, 3]) == 0
    assert distance([1, 2, 3, 4], [1, 3, 4]) == pytest.approx(1 / 4)
    assert distance([], [5, 6]) == 1
    assert without_pauses([0, 4, 0, 7, 0]) == [4, 0, 7]


def test_a_model_that_says_the_answer_is_nearest_to_it(recipe: Path) -> None:
    class Speaks:
        """Says units 5 and 6, then ends."""

        def __call__(self, tokens: torch.Tensor) -> SimpleNamespace:
            wanted = {1: vocabulary.unit_id(6), 0: vocabulary.unit_id(5)}.get(tokens.shape[1] - 4, vocabulary.eos_id)
            logits = torch.zeros(1, tokens.shape[1], vocabulary.size)
            logits[..., wanted] = 1.0
            return SimpleNamespace(logits=logits)

    vocabulary = Vocabulary.load(recipe / "model")
    ids = SpeechIds(
        vocabulary.bos_id,
        vocabulary.eos_id,
        vocabulary.speech_marker_id,
        vocabulary.unit_ids[0],
        len(vocabulary.unit_ids),
    )
    assert continued(Speaks(), ids, [1, 2, 0]) == [5, 6]  # the pause at the end of the prompt is left out
    rows = [("France", "Paris"), ("Spain", "Madrid")]
    facts = [Fact(f"c/{s}", "c", s, a, "x", TEMPLATES, "heard only") for s, a in rows]
    spoken = {"c": {"Paris": [0, 5, 6, 0], "Madrid": [5, 9, 9]}}
    assert recalled_in_speech(Speaks(), ids, facts, [[1, 2], [1, 2]], spoken) == [True, False]
