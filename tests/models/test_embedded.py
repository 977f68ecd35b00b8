"""The shipped model: it loads, equals Hugging Face's, hears, speaks through the lens, and recalls a fact both ways."""

from pathlib import Path

import pytest
import torch

from spiritlens.models import embedded
from spiritlens.models.checkpoints.weight_files import CheckpointError
from spiritlens.models.embedded import EMBEDDED_FOLDER, embedded_folder
from spiritlens.models.lens import Lens
from spiritlens.models.loading import load
from spiritlens.models.selfcheck import selfcheck

WAVS = EMBEDDED_FOLDER.parent / "wavs"


@pytest.fixture(scope="module")
def lens() -> Lens:
    return load(device="cpu")


def test_it_loads_in_float32_with_its_ears(lens):
    assert lens.name == "embedded"
    assert lens.dtype == torch.float32
    assert lens.family.name == "embedded"
    assert lens.encoder is not None
    assert lens.encoder.n_units == lens.family.n_units == len(lens.vocabulary.unit_ids)
    assert load(dtype="float16", device="cpu").dtype == torch.float16


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_it_equals_hugging_faces_model(dtype):
    assert selfcheck(load(dtype=dtype, device="cpu")).agrees


def test_it_recalls_a_fact_that_it_reads_and_one_that_it_hears(lens):
    text = lens.text("The capital of France is", subject="France", answer="Paris")
    wav = sorted(WAVS.glob("capital-france_first_espeak*.wav"))[0]
    spoken = lens.audio(wav, words=wav.with_suffix(".json"), subject="France", answer="Paris")
    allowed = torch.from_numpy(lens.vocabulary.text_ids)
    for prompt in (text, spoken):
        assert torch.equal(lens.model.to_tokens(prompt.text), prompt.tokens)
        logits = lens.backend.forward(prompt.tokens)[0, -1]
        assert int(allowed[logits[allowed].argmax()]) == prompt.answer_ids[0]
        assert lens.generate(prompt, 1) == "paris"
    assert lens.vocabulary.answer_ids("Paris") == text.answer_ids


def test_a_missing_model_is_said(monkeypatch):
    monkeypatch.setattr(embedded, "EMBEDDED_FOLDER", Path("/nowhere"))
    with pytest.raises(
        CheckpointError, match=r"embedded model is not in this installation.*experiments/embedded_model/train"
    ):
        embedded_folder()
