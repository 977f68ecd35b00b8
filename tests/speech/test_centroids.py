"""Centroids from numpy, torch and joblib files, without running what they hold."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from spiritlens.files.weights import CheckpointError
from spiritlens.speech.centroids import read_centroids

CENTRES = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_numpy_and_torch_files(tmp_path):
    np.save(tmp_path / "a.npy", CENTRES.astype(np.float64))
    torch.save(torch.from_numpy(CENTRES), tmp_path / "b.bin")
    torch.save({"cluster_centers_": torch.from_numpy(CENTRES), "n": torch.tensor(3)}, tmp_path / "c.pt")
    torch.save(torch.from_numpy(CENTRES).bfloat16(), tmp_path / "d.pt")
    torch.save(torch.nn.Parameter(torch.from_numpy(CENTRES)), tmp_path / "e.pt")
    for name in ("a.npy", "b.bin", "c.pt", "d.pt", "e.pt"):
        centroids = read_centroids(tmp_path / name)
        assert centroids.dtype == torch.float32
        assert np.array_equal(centroids.numpy(), CENTRES)


def test_joblib_file_of_scikit_learn(data):
    golden = np.load(data / "kmeans_centres.npy")
    assert np.array_equal(read_centroids(data / "kmeans.joblib").numpy(), golden)


class Malicious:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("write", ["pickle", "npy", "torch"])
def test_code_in_a_file_is_not_run(tmp_path, write):
    code = Malicious(tmp_path / "ran")
    path = tmp_path / "centroids.bin"
    if write == "pickle":
        path.write_bytes(pickle.dumps({"cluster_centers_": code}))
    elif write == "npy":
        with path.open("wb") as file:
            np.save(file, np.array([code], dtype=object), allow_pickle=True)
    else:
        torch.save({"centres": code}, path)
    with pytest.raises(CheckpointError, match=r"centroids\.bin"):
        read_centroids(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", np.zeros(3), "expected \\[cluster, d_model\\]"),
        ("b.npy", np.full((2, 2), np.nan), "expected"),
        ("c.pt", {"a": torch.zeros(2, 2), "b": torch.zeros(2, 2)}, "holds 2 matrices"),
    ],
)
def test_wrong_arrays(tmp_path, name, content, message):
    if name.endswith("npy"):
        np.save(tmp_path / name, content)
    else:
        torch.save(content, tmp_path / name)
    with pytest.raises(CheckpointError, match=message):
        read_centroids(tmp_path / name)


def test_garbage_and_missing(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"no centroids at all")
    with pytest.raises(CheckpointError, match=r"x\.bin is not a file of centroids"):
        read_centroids(tmp_path / "x.bin")
    with pytest.raises(FileNotFoundError, match="no such file of centroids"):
        read_centroids(tmp_path / "none.npy")
