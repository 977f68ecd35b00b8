"""Encoders by plain values, and k-means units of a Hugging Face folder."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import HubertConfig, HubertModel

from spiritlens.files.weights import CheckpointError
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.encoders.loading import load_encoder


@pytest.fixture(scope="module", params=[False, True], ids=["post-norm", "pre-norm"])
def folder(request, tmp_path_factory):
    """A tiny random HuBERT with six centroids beside it."""
    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=[16] * 8,
        conv_kernel=[10, 3, 3, 3, 3, 2, 2, 2],
        conv_stride=[5, 2, 2, 2, 2, 2, 2, 2],
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=request.param,
    )
    path = tmp_path_factory.mktemp("hubert")
    HubertModel(config).save_pretrained(path)
    np.save(path / "km6.npy", np.random.default_rng(0).standard_normal((6, 24)).astype(np.float32))
    (path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16000}))
    return path


def test_kmeans_units_are_the_nearest_centroids_of_the_layer(folder, recording):
    encoder = load_encoder({"kind": "hubert", "layer": 2}, folder)
    part = Waveform(recording.samples[:24000])
    units = encoder.encode(part)
    samples = torch.from_numpy(np.array(part.samples))
    samples = (samples - samples.mean()) / (samples.var(correction=0) + 1e-5).sqrt()
    with torch.inference_mode():
        hidden = (
            HubertModel.from_pretrained(folder).eval()(samples[None], output_hidden_states=True).hidden_states[2][0]
        )
    nearest = torch.cdist(hidden, torch.from_numpy(np.load(folder / "km6.npy"))).argmin(-1)
    assert units.ids.tolist() == nearest.tolist()
    assert (encoder.n_units, encoder.rate) == (6, 25.0)


def test_opening_an_encoder_draws_nothing_from_torch_s_random_numbers(folder):
    before = torch.get_rng_state()
    load_encoder({"kind": "hubert", "layer": 3}, folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_family_records(folder, data):
    assert load_encoder({"kind": "hubert", "layer": 2, "n_clusters": 6}, folder).n_units == 6
    assert load_encoder({"kind": "hubert", "layer": 11, "n_clusters": 500}, data / "hubert_small").n_units == 501


def test_records_that_do_not_fit(folder, tmp_path):
    with pytest.raises(CheckpointError, match="has 6 clusters; the family has 500"):
        load_encoder({"kind": "hubert", "layer": 2, "n_clusters": 500}, folder)
    with pytest.raises(CheckpointError, match="has 3 layers; layer 4"):
        load_encoder({"kind": "hubert", "layer": 4}, folder)
    np.save(tmp_path / "wide.npy", np.zeros((6, 8), np.float32))
    with pytest.raises(CheckpointError, match=r"centroids of 8 values; the encoder in .* gives 24"):
        load_encoder({"kind": "hubert", "layer": 2}, folder, tmp_path / "wide.npy")
    with pytest.raises(ValueError, match="is unknown here"):
        load_encoder({"kind": "codec"}, folder)
    with pytest.raises(FileNotFoundError, match=r"holds no encoder of kind 'hubert'; expected config\.json"):
        load_encoder({"kind": "hubert", "layer": 2}, tmp_path)


def test_one_file_of_centroids_is_expected(folder):
    np.save(folder / "second.npy", np.zeros((6, 24), np.float32))
    try:
        with pytest.raises(CheckpointError, match=r"one file of centroids.*km6\.npy, second\.npy"):
            load_encoder({"kind": "hubert", "layer": 2}, folder)
    finally:
        (folder / "second.npy").unlink()


def copied(folder, target):
    return Path(shutil.copytree(folder, target))


def test_a_folder_of_another_kind_is_refused(folder, tmp_path):
    other = copied(folder, tmp_path / "wav2vec2")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"model_type": "wav2vec2"}))
    with pytest.raises(CheckpointError, match="holds a model of type 'wav2vec2', not 'hubert'"):
        load_encoder({"kind": "hubert", "layer": 2}, other)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop("encoder.layers.1.attention.k_proj.weight"),
        lambda weights: weights.update({"encoder.layers.1.attention.k_proj.weight": torch.zeros(24, 8)}),
    ],
    ids=["missing", "misshapen"],
)
def test_weights_that_would_be_random_are_refused(folder, tmp_path, change):
    other = copied(folder, tmp_path / "cut")
    weights = load_file(other / "model.safetensors")
    change(weights)
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"tensors are missing or of another shape.*1 in all: .*k_proj"):
        load_encoder({"kind": "hubert", "layer": 2}, other)


def test_the_vector_of_masked_frames_may_be_missing(folder, tmp_path, recording):
    """It is used in training only."""
    other = copied(folder, tmp_path / "unmasked")
    weights = load_file(other / "model.safetensors")
    weights.pop("masked_spec_embed")
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    encoder, part = load_encoder({"kind": "hubert", "layer": 2}, other), Waveform(recording.samples[:8000])
    assert (
        encoder.encode(part).ids.tolist()
        == load_encoder({"kind": "hubert", "layer": 2}, folder).encode(part).ids.tolist()
    )
    assert encoder.digest == load_encoder({"kind": "hubert", "layer": 2}, other).digest


@pytest.mark.parametrize("layer", [0, -1])
def test_layers_count_from_one(folder, data, layer):
    with pytest.raises(CheckpointError, match=rf"has 3 layers; layer {layer} was asked for, expected 1 to 3"):
        load_encoder({"kind": "hubert", "layer": layer}, folder)
    with pytest.raises(CheckpointError, match=rf"has 12 layers; layer {layer} was asked for, expected 1 to 12"):
        load_encoder({"kind": "hubert", "layer": layer}, data / "hubert_small")


def test_published_files_are_held_to_the_record(folder, data):
    small = data / "hubert_small"
    with pytest.raises(CheckpointError, match="has 500 clusters; the family has 1000"):
        load_encoder({"kind": "hubert", "layer": 11, "n_clusters": 1000}, small)
    with pytest.raises(ValueError, match=r"km6\.npy' go with a Hugging Face HuBERT, but .*hubert_small has no config"):
        load_encoder({"kind": "hubert", "layer": 11, "n_clusters": 500}, small, folder / "km6.npy")


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused_at_load(folder, tmp_path, value):
    spoilt = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    weights = load_file(spoilt / "model.safetensors")
    weights["encoder.layers.0.attention.k_proj.weight"][1, 2] = value
    save_file(weights, spoilt / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError, match=r"encoder.layers.0.attention.k_proj.weight holds NaN or infinity in 1 of"
    ):
        load_encoder({"kind": "hubert", "layer": 2}, spoilt)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.json", "{", r"config.json cannot be read as JSON"),
        (
            "config.json",
            '{"model_type": "hubert", "num_hidden_layers": "3"}',
            r"num_hidden_layers='3': expected a whole",
        ),
        (
            "config.json",
            '{"model_type": "hubert", "num_hidden_layers": 3, "hidden_size": "x"}',
            r"HuBERT cannot be read",
        ),
        ("preprocessor_config.json", '{"sampling_rate": 0}', r"sampling_rate=0: expected a whole number ≥ 1"),
        ("model.safetensors", "no weights", r"HuBERT cannot be read"),
    ],
)
def test_damaged_files_of_a_folder(folder, tmp_path, name, content, said):
    spoilt = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    (spoilt / name).write_text(content)
    with pytest.raises(CheckpointError, match=said):
        load_encoder({"kind": "hubert", "layer": 2}, spoilt)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("hubert", "encoder 'hubert' is unknown here; expected a record of kind 'hubert'"),
        (None, "encoder None is unknown here"),
        ({"kind": "hubert", "layer": "2"}, "layer='2': expected a whole number"),
        ({"kind": "hubert", "layer": 2, "n_clusters": 6.0}, "n_clusters=6: expected|n_clusters=6.0: expected"),
    ],
)
def test_records_are_checked(folder, record, said):
    with pytest.raises(ValueError, match=said):
        load_encoder(record, folder)
    assert load_encoder({"kind": "hubert", "layer": np.int64(2), "n_clusters": np.int64(6)}, folder).n_units == 6
