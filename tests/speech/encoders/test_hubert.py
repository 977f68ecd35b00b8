"""The published unit encoder: golden answers of the published code, every layout, chunks, blanks, refusals."""

import dataclasses
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spiritlens.files.weights import CheckpointError, read_weights_only
from spiritlens.shapes import ShapeError
from spiritlens.speech.audio.waveform import AudioError, Waveform
from spiritlens.speech.encoders.fairseq_files import read_hubert
from spiritlens.speech.encoders.hubert import CHUNK_SECONDS, HubertUnits
from spiritlens.speech.encoders.loading import load_encoder, official_files
from spiritlens.speech.encoders.quantizers import KMeansQuantizer, fill_blanks, read_quantizer
from spiritlens.speech.units import UnitStream

sys.path.insert(0, str(Path(__file__).parent))
from fairseq_layout import LAYERS, WIDTH, Layout


@pytest.fixture(scope="module")
def encoder(data) -> HubertUnits:
    return load_encoder({"kind": "hubert"}, data / "hubert_small")


@pytest.fixture(scope="module")
def expected(data) -> dict:
    return json.loads((data / "hubert_small" / "expected.json").read_text())


@pytest.fixture(scope="module")
def part(recording, expected) -> Waveform:
    return Waveform(recording.samples[expected["start_sample"] : expected["end_sample"]])


def tensor(waveform: Waveform) -> torch.Tensor:
    return torch.from_numpy(np.array(waveform.samples))


def test_features_and_units_are_those_of_the_published_code(encoder, part, expected, data):
    features = encoder.features(tensor(part))
    golden = np.load(data / "hubert_small" / "features_layer11.npy")
    assert np.abs(features.numpy() - golden).max() < 1e-4
    assert encoder.quantizer.network(features).argmax(-1).tolist() == expected["argmax"]
    units = encoder.encode(part)
    assert units.ids.tolist() == expected["units"]
    assert len(set(expected["units"])) > 50, "collapsed units would test nothing"


def test_frames_are_40_ms_and_25_per_second(encoder, part):
    units = encoder.encode(part)
    assert (encoder.rate, encoder.n_units) == (25.0, 501)
    assert units.starts[:3].tolist() == [0.0, 0.04, 0.08]
    assert units.ends[-1] <= part.duration
    assert "layer 11" in encoder.name


def test_same_units_at_one_and_two_threads(encoder, part):
    before = torch.get_num_threads()
    try:
        ids = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            ids.append(encoder.encode(part).ids.tolist())
    finally:
        torch.set_num_threads(before)
    assert ids[0] == ids[1]


LAYOUTS = {
    "group norm, post-norm, projection": Layout(),
    "group norm, post-norm, no projection": Layout(channels=WIDTH),
    "layer norm, pre-norm, bias, normalised": Layout("layer_norm", True, True, normalize=True),
    "layer norm, post-norm": Layout("layer_norm"),
    "group norm, pre-norm, no projection": Layout(layer_norm_first=True, channels=WIDTH),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("weight_norm", ["old names", "new names"])
def test_each_layout_equals_the_reference_in_float64(layout, weight_norm, recording, tmp_path):
    content = layout.content()
    if weight_norm == "new names":
        weights = content["model_weight"]
        for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
            weights[f"encoder.pos_conv.0.parametrizations.weight.{new}"] = weights.pop(f"encoder.pos_conv.0.{old}")
    torch.save(content, tmp_path / "model.pt")
    samples = torch.from_numpy(np.array(recording.samples[8000:24000]))
    for layer in (LAYERS - 1, LAYERS):
        checkpoint = read_hubert(tmp_path / "model.pt", dtype=torch.float64)
        encoder = HubertUnits(checkpoint, KMeansQuantizer(torch.zeros(1, WIDTH)), layer, "test")
        features = encoder.features(samples)
        reference = layout.features(samples, layer)
        assert reference.std(0).mean() > 0.005, "features must vary in time to test anything"
        assert (features - reference).abs().max() < 1e-10


def test_layers_that_are_not_needed_are_dropped_exactly(tmp_path, recording):
    torch.save(Layout().content(), tmp_path / "model.pt")
    samples = torch.from_numpy(np.array(recording.samples[:16000]))
    quantizer = KMeansQuantizer(torch.zeros(1, WIDTH))
    whole = HubertUnits(read_hubert(tmp_path / "model.pt"), quantizer, 3, "whole")
    short = HubertUnits(read_hubert(tmp_path / "model.pt", n_layers=3), quantizer, 3, "short")
    assert short.checkpoint.model.config.num_hidden_layers == 3
    assert torch.equal(whole.features(samples), short.features(samples))


def test_audio_over_100_s_is_cut_as_the_published_code_cuts_it(data, recording, tmp_path):
    torch.save(Layout().content(), tmp_path / "model.pt")
    centroids = torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(1))
    encoder = HubertUnits(read_hubert(tmp_path / "model.pt"), KMeansQuantizer(centroids), 3, "tiny")
    size = CHUNK_SECONDS * 16000
    long = Waveform(np.resize(recording.samples, size + 5000))
    units = encoder.encode(long)
    first = encoder.encode(Waveform(long.samples[:size]))
    second = encoder.encode(Waveform(long.samples[size:]))
    assert len(first) == 2499
    assert units.ids.tolist() == first.ids.tolist() + second.ids.tolist()
    assert units.starts[2499] == 100.0
    dropped = encoder.encode(Waveform(long.samples[: size + 1279]))
    assert dropped.ids.tolist() == first.ids.tolist()


def test_runs_continue_over_a_cut():
    starts = np.array([99.88, 99.92, 100.0, 100.04])  # the frame at 99.96 s does not exist
    stream = UnitStream(np.array([1, 2, 2, 3]), starts, starts + 0.04, np.ones(4, int))
    assert stream.dedup().ids.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("units", "filled"),
    [
        ([7, 500, 9], [7, 7, 9]),
        ([500, 500, 7, 9], [9, 9, 7, 9]),
        ([7, 500, 500, 500], [7, 7, 7, 7]),
        ([500, 500], [500, 500]),
        ([1, 2], [1, 2]),
    ],
)
def test_blanks_take_the_unit_on_their_left_circularly(units, filled):
    assert fill_blanks(np.array(units), 500).tolist() == filled


def test_kmeans_takes_the_nearest_centroid():
    quantizer = KMeansQuantizer(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 5.0]]))
    assert quantizer.units(torch.tensor([[1.4, 0.0], [1.6, 0.0], [0.0, 2.4], [0.0, 2.6]])).tolist() == [0, 1, 0, 2]
    assert quantizer.n_units == 3


def test_files_are_found(data, monkeypatch, tmp_path):
    monkeypatch.delenv("SPIRITLM_CHECKPOINTS_DIR", raising=False)
    with pytest.raises(FileNotFoundError, match="set SPIRITLM_CHECKPOINTS_DIR"):
        official_files()
    place = tmp_path / "speech_tokenizer"
    place.mkdir()
    (place / "hubert_25hz").symlink_to(data / "hubert_small")
    monkeypatch.setenv("SPIRITLM_CHECKPOINTS_DIR", str(tmp_path))
    assert official_files()[0].name == "mhubert_base_25hz.pt"
    assert official_files(tmp_path) == official_files()
    with pytest.raises(FileNotFoundError, match="are not in"):
        official_files(tmp_path / "elsewhere")


class Malicious:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_code_is_refused_and_not_run(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"model_cfg": Malicious(tmp_path / "ran"), "task_cfg": {}, "model_weight": {}}, path)
    with pytest.raises(CheckpointError, match="holds pickled code"):
        read_hubert(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps({"a": 1})])
def test_files_that_are_no_checkpoints(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.pt"):
        read_hubert(tmp_path / "model.pt")


def changed(tmp_path, change):
    content = Layout().content()
    change(content)
    torch.save(content, tmp_path / "model.pt")
    return tmp_path / "model.pt"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("task_cfg"), "lacks task_cfg"),
        (lambda c: c["model_weight"].pop("encoder.layers.0.fc1.bias"), "missing encoder.layers.0.feed_forward"),
        (lambda c: c["model_weight"].update({"extra.weight": torch.zeros(1)}), "unknown extra.weight"),
        (lambda c: c["model_weight"].update({"layer_norm.weight": torch.zeros(3)}), "has shape"),
        (lambda c: c["model_cfg"].update({"extractor_mode": "batch"}), "extractor_mode 'batch' is unknown"),
        (lambda c: c["model_cfg"].update({"conv_pos_batch_norm": True}), "not supported"),
        (lambda c: c["model_cfg"].update({"conv_feature_layers": "exit()"}), "convolutions"),
    ],
)
def test_checkpoints_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read_hubert(changed(tmp_path, change))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        read_hubert(tmp_path / "none.pt")


def test_quantizers_refused(data, tmp_path):
    path = data / "hubert_small" / "L11_quantizer_500.pt"
    with pytest.raises(CheckpointError, match="takes features of 48 values; the encoder gives 768"):
        read_quantizer(path, 768)
    content = read_weights_only(path)
    content["model_cfg"]["vocab_size"] = 1000
    torch.save(content, tmp_path / "quantizer.pt")
    with pytest.raises(CheckpointError, match="501 classes; vocab_size 1000"):
        read_quantizer(tmp_path / "quantizer.pt", 48)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["model_cfg"].pop("vocab_size"), "vocab_size is None in model_cfg; expected the number"),
        (lambda c: c["model_weight"].pop("2.bias"), "expected layers 0.weight, 0.bias, .*; at fault: 2.bias"),
        (lambda c: c["model_weight"].update({"network.0.weight": torch.zeros(2, 2)}), "at fault: network.0.weight"),
        (lambda c: c["model_weight"].clear(), "expected layers .*; at fault: nothing"),
    ],
)
def test_quantizers_that_are_none(data, tmp_path, change, message):
    content = read_weights_only(data / "hubert_small" / "L11_quantizer_500.pt")
    change(content)
    torch.save(content, tmp_path / "quantizer.pt")
    with pytest.raises(CheckpointError, match=message):
        read_quantizer(tmp_path / "quantizer.pt", 48)


@pytest.mark.parametrize("with_mask", [True, False])
def test_bfloat16_hears_too(with_mask, tmp_path, recording):
    """A file without ``mask_emb`` included: its stand-in comes first among the weights, and says the model's dtype."""
    content = Layout().content()
    if not with_mask:
        content["model_weight"].pop("mask_emb")
    torch.save(content, tmp_path / "model.pt")
    checkpoint = read_hubert(tmp_path / "model.pt", dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in checkpoint.model.state_dict().values()} == {torch.bfloat16}
    centroids = torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(1))
    low = HubertUnits(checkpoint, KMeansQuantizer(centroids), 3, "low")
    exact = HubertUnits(read_hubert(tmp_path / "model.pt"), KMeansQuantizer(centroids), 3, "exact")
    samples = recording.samples[:32000]
    features, rounded = (encoder.features(torch.from_numpy(samples.copy())).float() for encoder in (exact, low))
    # Each of some twenty operations rounds to 8 bits, which moves a number by at most 2⁻⁸ of itself.
    error = (rounded - features).norm(dim=-1)
    assert error.norm() < 20 * 2**-8 * features.norm()
    margins = torch.cdist(features, centroids).sort(dim=-1).values.diff(dim=-1)[:, 0]
    clear = (margins > 2 * (error + 2**-7 * centroids.norm(dim=-1).max())).numpy()
    heard, wanted = (encoder.encode(Waveform(samples)).ids for encoder in (low, exact))
    assert clear.any()  # frames that lie nearer to their centroid than rounding can move them
    np.testing.assert_array_equal(heard[clear], wanted[clear])
    assert low.digest != exact.digest


def test_the_digest_tells_settings_that_no_weight_tells(tmp_path):
    def encoder(**settings):
        content = Layout(layer_norm_first=True).content()
        content["model_cfg"] |= settings.pop("model", {})
        torch.save(content, tmp_path / "model.pt")
        checkpoint = dataclasses.replace(read_hubert(tmp_path / "model.pt"), **settings)
        return HubertUnits(checkpoint, KMeansQuantizer(torch.zeros(1, WIDTH)), 3, "test")

    strides = "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2 + [(16,2,1)]"
    encoders = [
        encoder(),
        encoder(normalize=True),
        encoder(sample_rate=8000),
        encoder(model={"encoder_attention_heads": 2}),
        encoder(model={"activation_fn": "relu"}),
        encoder(model={"conv_feature_layers": strides}),
        encoder(model={"layer_norm_first": False}),
    ]
    assert len({made.digest for made in encoders}) == len(encoders)
    assert encoder().digest == encoders[0].digest


def test_layer_beyond_the_model(data):
    with pytest.raises(CheckpointError, match="has 12 layers; layer 13"):
        load_encoder({"kind": "hubert", "layer": 13}, data / "hubert_small")


def test_shorter_than_one_unit_and_other_rate(encoder):
    with pytest.raises(AudioError, match=r"shorter than one unit \(80 ms\)"):
        encoder.encode(Waveform(np.full(1279, 0.1, np.float32)))
    with pytest.raises(AudioError, match="takes 16000 Hz"):
        encoder.encode(Waveform(np.full(5000, 0.1, np.float32), rate=8000))


def test_wrong_shape_names_the_axis(encoder):
    with pytest.raises(ShapeError, match=r"samples.*time"):
        encoder.features(torch.zeros(1, 2000))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: first_weight(content).fill_(float("nan")), r"fc1.weight holds NaN or infinity in 960 of 960"),
        (
            lambda content: first_weight(content)[0].fill_(float("inf")),
            r"fc1.weight holds NaN or infinity in 24 of 960",
        ),
        (lambda content: content["model_weight"].update({FIRST: 5}), r"fc1.weight is a int; expected a tensor"),
        (
            lambda content: content["model_weight"].update({FIRST: first_weight(content).to_sparse()}),
            r"of layout torch.sparse_coo",
        ),
        (
            lambda content: content["model_cfg"].update(encoder_layers="4"),
            r"encoder_layers='4': expected a whole number",
        ),
        (lambda content: content["model_cfg"].update(activation_fn="shout"), r"model_cfg is not understood"),
        (lambda content: content["task_cfg"].update(sample_rate=0), r"sample_rate=0: expected a whole number ≥ 1"),
        (lambda content: content.update(model_weight=[1]), r"model_weight is a list; expected a dictionary"),
    ],
)
def test_values_that_cannot_be_are_refused_at_load(tmp_path, change, said):
    content = Layout().content()
    change(content)
    torch.save(content, tmp_path / "hubert.pt")
    with pytest.raises(CheckpointError, match=rf"hubert.pt: .*{said}"):
        read_hubert(tmp_path / "hubert.pt")


FIRST = "encoder.layers.0.fc1.weight"


def first_weight(content):
    return content["model_weight"][FIRST]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda weights: weights["2.weight"].fill_(float("nan")), r"2.weight holds NaN or infinity"),
        (lambda weights: weights.update({"0.bias": torch.ones(3)}), r"layer 0 has a weight .* and a bias \(3,\)"),
        (lambda weights: weights.update({"0.weight": torch.ones(5)}), r"layer 0 has a weight \(5,\)"),
    ],
)
def test_a_quantizer_s_values_are_checked_at_load(data, tmp_path, change, said):
    content = torch.load(data / "hubert_small" / "L11_quantizer_500.pt", weights_only=True)
    change(content["model_weight"])
    torch.save(content, tmp_path / "quantizer.pt")
    with pytest.raises(CheckpointError, match=rf"quantizer.pt: {said}"):
        read_quantizer(tmp_path / "quantizer.pt", 48)
