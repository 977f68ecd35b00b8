"""The training step: packed documents do not see each other, and a resumed run ends in the same weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from spoken_lines import FACTS, encoded, spoken_lines
from transformers import LlamaForCausalLM

from experiments.embedded_model.language_model.documents import Batch, Documents, TokenIds
from experiments.embedded_model.language_model.language_model import (
    llama_config,
    load_last,
    losses_of_batch,
    rate_share,
    train_language_model,
)
from experiments.embedded_model.language_model.monitoring import accuracies, held_out_questions, recall, watched
from experiments.embedded_model.settings import FULL, SMOKE


def test_packed_documents_have_the_losses_that_they_have_alone(documents: Documents) -> None:
    torch.manual_seed(0)
    model = LlamaForCausalLM(llama_config(SMOKE.model, documents.ids)).eval()
    packed = documents.batch(1, 96)
    text, unit = losses_of_batch(model, packed, documents.ids)
    alone = []
    for number in range(1, int(packed.segments.max()) + 1):
        own = packed.segments[0] == number
        row = Batch(packed.tokens[:, own], packed.segments[:, own], packed.positions[:, own])
        alone += [loss.detach() for loss in losses_of_batch(model, row, documents.ids)]
    assert torch.allclose(torch.cat([text, unit]).sort().values, torch.cat(alone).sort().values, atol=0.05)


def test_learning_rate_warms_up_stays_and_falls() -> None:
    settings = replace(FULL.model, steps=1000, warm_up=10, flat_share=0.4, last_rate_share=0.02)
    assert rate_share(4, settings) == pytest.approx(0.5)
    assert rate_share(399, settings) == 1.0
    assert rate_share(700, settings) == pytest.approx(0.5)
    assert rate_share(999, settings) == pytest.approx(0.02)


def test_a_resumed_run_ends_in_the_same_weights(ids: TokenIds, tmp_path: Path) -> None:
    def run(folder: Path) -> LlamaForCausalLM:
        documents = Documents(FACTS, spoken_lines(FACTS), ids, SMOKE.documents, 0.05, seed=0)
        return train_language_model(SMOKE, documents, watched(FACTS, [], ids), folder)

    whole = run(tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.embedded_model.language_model.language_model.recall", _stop_at_second_call())
        with pytest.raises(InterruptedError):
            run(tmp_path / "cut")
    resumed = run(tmp_path / "cut")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    last = load_last(SMOKE, ids, tmp_path / "cut")
    assert torch.equal(last.lm_head.weight, whole.lm_head.weight)


def _stop_at_second_call():
    calls = []

    def stop(*_: object) -> dict:
        calls.append(1)
        if len(calls) == 2:
            raise InterruptedError
        return {}

    return stop


def test_no_checkpoint_is_said(ids: TokenIds, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run the stage lm first"):
        load_last(SMOKE, ids, tmp_path)


def test_facts_told_aloud_are_asked_in_units_with_the_answers_of_their_relation(ids: TokenIds) -> None:
    answers = sorted({fact.answer.lower() for fact in FACTS})
    lines = [encoded("answer", answer) for answer in answers]
    lines += [encoded("monitor", fact.text("held out").lower(), fact.id, "held out") for fact in FACTS]
    asked = watched(FACTS, lines, ids)
    groups = [fact.group for fact in asked.spoken.facts]
    both = sum(fact.group == "both" for fact in FACTS)
    assert groups.count("heard only") == sum(fact.group == "heard only" for fact in FACTS)
    assert groups.count("both") == -(-both // 4)
    assert set(groups) == {"both", "heard only"}
    relation = asked.spoken.facts[0].relation
    assert set(asked.spoken.answers[relation]) == {fact.answer for fact in FACTS if fact.relation == relation}
    model = LlamaForCausalLM(llama_config(SMOKE.model, ids))
    assert set(recall(model, asked)["S2S espeak:en-us"]) == {"both", "heard only"}


def test_questions_are_held_out_prompts_and_a_model_that_knows_gets_full_marks(ids: TokenIds) -> None:
    questions = held_out_questions(FACTS, [], ids)
    fact = FACTS[0]
    assert questions["T2T"][0].tokens == (1, ids.text_marker, *ids.text(fact.text("held out")))
    assert questions["T2T final marker"][0].tokens[-1] == ids.text_marker
    model = LlamaForCausalLM(llama_config(SMOKE.model, ids))
    answer = questions["T2T"][0].answer
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.weight[answer] = 1.0
    sign = accuracies(model, {"T2T": questions["T2T"][:1]})["T2T"][fact.group]
    with torch.no_grad():
        model.lm_head.weight.neg_()
    assert sign + accuracies(model, {"T2T": questions["T2T"][:1]})["T2T"][fact.group] == 1.0
