"""Arrays out of pickles of every kind, and nothing else out of them."""

import bz2
import gzip
import lzma
import os
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from spiritlens.files.weights import CheckpointError
from spiritlens.speech.centroids import read_centroids
from spiritlens.speech.pickles import Record, read_pickle

CENTRES = np.arange(12, dtype=np.float32).reshape(3, 4)
KINDS = {
    "float32": CENTRES,
    "float64": CENTRES.astype(np.float64),
    "big-endian": CENTRES.astype(">f8"),
    "columns": np.asfortranarray(CENTRES),
    "big-endian columns": np.asfortranarray(CENTRES.astype(">f4")),
    "whole numbers": CENTRES.astype(np.int16),
    "strided": np.repeat(CENTRES, 2, axis=1)[:, ::2],
}
PACKERS = {"gzip": gzip.compress, "bz2": bz2.compress, "zlib": zlib.compress, "xz": lzma.compress, "plain": bytes}
PACKERS["lzma"] = lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE)


class KMeans:
    """Stands in for scikit-learn's."""

    def __init__(self, centres):
        self.n_clusters, self.inertia_, self.labels_ = len(centres), np.float64(2.5), np.arange(5)
        self.cluster_centers_ = centres
        self.again = centres


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", KINDS)
def test_plain_pickles_of_every_protocol(tmp_path, kind, protocol):
    path = tmp_path / "k.pkl"
    for content in (KINDS[kind], KMeans(KINDS[kind]), {"cluster_centers_": KINDS[kind], "n": 3}, {"c": KINDS[kind]}):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        assert np.array_equal(read_centroids(path).numpy(), CENTRES)


@pytest.mark.parametrize("packer", PACKERS)
def test_compressed_files(tmp_path, data, packer):
    path = tmp_path / "k.joblib"
    path.write_bytes(PACKERS[packer]((data / "kmeans.joblib").read_bytes()))  # as joblib.dump(model, compress=…)
    assert np.array_equal(read_centroids(path).numpy(), np.load(data / "kmeans_centres.npy"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="cut short"):
        read_centroids(path)


def test_a_joblib_file_in_big_endian_order(tmp_path, data):
    """joblib writes the array's bytes after a note of its type; the file says the order in the type's state."""
    note = _JoblibNote(np.dtype(">f4"), (3, 4), "F")
    head = pickle.dumps(note, protocol=2).replace(
        __name__.encode() + b"\n_JoblibNote", b"joblib.numpy_pickle\nNumpyArrayWrapper"
    )
    assert head.endswith(b".")
    path = tmp_path / "k.km"
    path.write_bytes(head[:-1] + CENTRES.T.astype(">f4").tobytes() + b".")
    assert np.array_equal(read_centroids(path).numpy(), CENTRES)


class _JoblibNote:
    def __init__(self, dtype, shape, order):
        self.dtype, self.shape, self.order, self.allow_mmap = dtype, shape, order, True


def test_other_files_of_numpy_and_torch(tmp_path):
    torch.save(torch.from_numpy(CENTRES), tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    torch.save({"c": torch.from_numpy(CENTRES)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    np.savez(tmp_path / "one.npz", centres=CENTRES, n=3)
    np.save(tmp_path / "big.npy", np.asfortranarray(CENTRES.astype(">f8")))
    for name in ("old.bin", "old.pt", "one.npz", "big.npy"):
        assert np.array_equal(read_centroids(tmp_path / name).numpy(), CENTRES), name


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x04\x22\x4d\x18" + bytes(20), "compressed by lz4, which is not read; dump it with compress=0"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (pickle.dumps([1, 2]), "holds no cluster_centers_"),
        (pickle.dumps(np.array([{}], dtype=object)), "an array of Python objects is not read"),
        (pickle.dumps(np.array([["1"]])), "values of type <U1 is not read"),
        (pickle.dumps(np.ones((2, 0))), "shape \\(2, 0\\)"),
        (pickle.dumps(np.array([[np.inf, 1.0]])), "NaN or infinity in 1 of 2 values"),
        (pickle.dumps({"a": CENTRES, "b": CENTRES}), "holds 2 matrices"),
    ],
)
def test_other_files_are_refused_for_the_true_reason(tmp_path, content, said):
    (tmp_path / "k.km").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"k.km.*{said}"):
        read_centroids(tmp_path / "k.km")


def test_the_remedy_of_a_file_that_is_not_read(tmp_path):
    """`numpy.save`, as the error says."""
    (tmp_path / "k.km").write_bytes(b"0.5 0.25\n")
    with pytest.raises(CheckpointError, match=r"save the array by numpy.save"):
        read_centroids(tmp_path / "k.km")
    np.save(tmp_path / "k.npy", CENTRES)
    assert read_centroids(tmp_path / "k.npy").shape == (3, 4)


def test_an_array_in_a_file_of_its_own(tmp_path):
    class NDArrayWrapper:
        pass

    NDArrayWrapper.__module__, NDArrayWrapper.__qualname__ = __name__, "NDArrayWrapper"
    globals()["NDArrayWrapper"] = NDArrayWrapper
    data = pickle.dumps(NDArrayWrapper(), protocol=2).replace(f"c{__name__}\n".encode(), b"cjoblib.numpy_pickle\n")
    (tmp_path / "k.pkl").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"its array is in another file .*numpy.save"):
        read_centroids(tmp_path / "k.pkl")


class Runs:
    """Would write a file if it were unpickled."""

    def __init__(self, path, function=Path.touch):
        self.path, self.function = path, function

    def __reduce__(self):
        return self.function, (self.path,)


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_no_code_runs(tmp_path, packer, protocol):
    path = tmp_path / "k.joblib"
    content = {"cluster_centers_": CENTRES, "more": Runs(tmp_path / "ran"), "open": Runs(str(tmp_path / "ran"), open)}
    path.write_bytes(PACKERS[packer](pickle.dumps(content, protocol=protocol)))
    assert np.array_equal(read_centroids(path).numpy(), CENTRES)
    assert not (tmp_path / "ran").exists()


def test_functions_of_other_modules_are_records(tmp_path):
    path = tmp_path / "k.pkl"
    path.write_bytes(pickle.dumps(Runs("exit 1", os.system), protocol=2))
    assert isinstance(read_pickle(path), Record)
