"""Encoders by plain values, and k-means units of a Hugging Face folder."""

import json

import numpy as np
import pytest
import torch
from transformers import HubertConfig, HubertModel

from spiritlens.speech.hubert_checkpoint import CheckpointError
from spiritlens.speech.loading import load_encoder, load_kmeans_units
from spiritlens.speech.waveform import Waveform


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
    encoder = load_kmeans_units(folder, layer=2)
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


def test_family_records(folder, data):
    assert load_encoder({"kind": "hubert", "layer": 2, "n_clusters": 6}, folder).n_units == 6
    assert load_encoder({"kind": "hubert", "layer": 11, "n_clusters": 500}, data / "hubert_small").n_units == 501


def test_records_that_do_not_fit(folder, tmp_path):
    with pytest.raises(CheckpointError, match="6 centroids; the family has 500"):
        load_encoder({"kind": "hubert", "layer": 2, "n_clusters": 500}, folder)
    with pytest.raises(CheckpointError, match="has 3 layers; layer 4"):
        load_kmeans_units(folder, layer=4)
    np.save(tmp_path / "wide.npy", np.zeros((6, 8), np.float32))
    with pytest.raises(CheckpointError, match=r"centroids of 8 values; the encoder in .* gives 24"):
        load_kmeans_units(folder, 2, tmp_path / "wide.npy")
    with pytest.raises(ValueError, match="is unknown here"):
        load_encoder({"kind": "codec"}, folder)
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        load_kmeans_units(tmp_path, 2)


def test_one_file_of_centroids_is_expected(folder):
    np.save(folder / "second.npy", np.zeros((6, 24), np.float32))
    try:
        with pytest.raises(CheckpointError, match=r"one file of centroids.*km6\.npy, second\.npy"):
            load_kmeans_units(folder, 2)
    finally:
        (folder / "second.npy").unlink()
