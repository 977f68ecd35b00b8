"""Reading checkpoint folders: all layouts give the same weights, and each kind of bad folder gives one clear error."""

import argparse
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from checkpoint_folders import LAYOUTS, spirit_config, write_checkpoint, write_config, write_weights
from random_llamas import tied
from safetensors.torch import load_file, save_file

from spiritlens.models.checkpoints import checkpoint
from spiritlens.models.checkpoints.checkpoint import (
    ROOT_VARIABLE,
    find_checkpoint,
    read_checkpoint,
    save_safetensors,
    write_shards,
)
from spiritlens.models.checkpoints.llama import UnsupportedModel
from spiritlens.models.checkpoints.weight_files import CheckpointError
from spiritlens.models.loading import load
from spiritlens.models.random_weights import random_config, random_weights


def spoil(folder: Path, change) -> None:
    """Rewrite the folder's weights after ``change(weights)``."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore:.*old format")
def test_every_layout_gives_the_same_tensors(tmp_path, layout):
    config = spirit_config(n_kv_heads=2)
    folder = write_checkpoint(tmp_path / "folder", config, layout, torch.bfloat16)
    expected = random_weights(config, dtype=torch.bfloat16)
    read = read_checkpoint(folder)
    assert read.weights.keys() == expected.keys()
    for name, value in expected.items():
        assert read.weights[name].dtype == torch.bfloat16
        assert torch.equal(read.weights[name], value), name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore:.*old format")
def test_dtypes_are_converted_and_files_stay_as_they_are(tmp_path, layout):
    folder = write_checkpoint(tmp_path / "folder", spirit_config(), layout, torch.bfloat16)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    kept = read_checkpoint(folder)
    wide = read_checkpoint(folder, torch.float32)
    for name, value in wide.weights.items():
        assert torch.equal(value, kept.weights[name].float())
    for value in kept.weights.values():
        value.mul_(2)  # as folding does; the mapping is private
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_safetensors_are_preferred_to_pickles(copy):
    torch.save({"model.embed_tokens.weight": torch.zeros(1)}, copy / "pytorch_model.bin")
    assert len(read_checkpoint(copy).weights) == 30


def test_the_old_format_is_read_with_a_warning_that_tells_how_to_convert(tmp_path):
    folder = write_checkpoint(tmp_path / "old", spirit_config(), "old bin")
    with pytest.warns(UserWarning, match=r"cannot be memory-mapped.*save_safetensors"):
        expected = read_checkpoint(folder).weights
    with pytest.warns(UserWarning, match="old format"):
        new = save_safetensors(folder, tmp_path / "new")
    assert sorted(path.name for path in new.iterdir()) == sorted(
        {path.name for path in folder.iterdir()} - {"pytorch_model.bin"} | {"model.safetensors"}
    )
    converted = read_checkpoint(new).weights
    assert all(torch.equal(converted[name], value) for name, value in expected.items())
    with pytest.raises(CheckpointError, match="not empty"):
        save_safetensors(folder, new)


def test_a_copy_keeps_its_ears_and_is_whole_or_not_there(tmp_path, monkeypatch):
    folder = write_checkpoint(tmp_path / "old", spirit_config())
    (folder / "speech_tokenizer" / "hubert_25hz").mkdir(parents=True)
    (folder / "speech_tokenizer" / "hubert_25hz" / "mhubert_base_25hz.pt").write_bytes(b"an encoder")
    (folder / "runs").mkdir()
    target = tmp_path / "copies" / "new"

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(checkpoint, "write_shards", full)
        with pytest.raises(OSError, match="no space left"):
            save_safetensors(folder, target)
    assert list(target.parent.iterdir()) == []
    assert save_safetensors(folder, target) == target
    assert list(target.parent.iterdir()) == [target]
    assert (target / "speech_tokenizer" / "hubert_25hz" / "mhubert_base_25hz.pt").read_bytes() == b"an encoder"
    assert not (target / "runs").exists()

    (tmp_path / "empty").mkdir()
    assert len(read_checkpoint(save_safetensors(folder, tmp_path / "empty")).weights) == 30
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        save_safetensors(folder, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("layout", ["bin", "old bin"])
@pytest.mark.filterwarnings("ignore:.*old format")
def test_two_tensors_of_one_memory_stay_two(tmp_path, layout):
    """A pickle may hold the unembedding as the embedding's own memory, though the config does not tie them."""
    config = spirit_config()
    weights = random_weights(config)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    folder = write_checkpoint(tmp_path / "shared", config, layout)
    write_weights(folder, weights, layout)
    embedding = weights["model.embed_tokens.weight"]
    for dtype in (torch.float32, torch.float64):
        read = read_checkpoint(folder, dtype).weights
        assert torch.equal(read["lm_head.weight"], embedding.to(dtype))
        assert torch.equal(read["model.embed_tokens.weight"], embedding.to(dtype))
    folded = load(folder, device="cpu", norms="folded")
    assert torch.equal(folded.model.W_E, embedding)
    assert torch.equal(folded.model.W_U, embedding.T * weights["model.norm.weight"][:, None])
    saved = read_checkpoint(save_safetensors(folder, tmp_path / "saved")).weights
    assert torch.equal(saved["lm_head.weight"], embedding)


def test_an_adapter_beside_the_weights_is_not_left_out(copy):
    (copy / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"adapter .* would be left out. Merge it"):
        checkpoint.read_checkpoint(copy)


def test_shards_are_written_and_read_back(tmp_path):
    config = random_config()
    weights = random_weights(config)
    write_config(tmp_path, config)
    write_shards(weights, tmp_path, shard_bytes=20_000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    read = read_checkpoint(tmp_path).weights
    assert all(torch.equal(read[name], value) for name, value in weights.items())


def test_rotary_buffers_and_a_written_out_tied_unembedding_are_ignored(tmp_path):
    config = tied(random_config())
    weights = random_weights(config)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    write_config(tmp_path, config)
    write_weights(tmp_path, weights, "safetensors")
    assert "lm_head.weight" not in read_checkpoint(tmp_path).weights


def test_a_wrapper_is_looked_through(tmp_path):
    """SIMS's folders: the decoder under ``lm.``, its config under ``base_config``, the rows counted by the wrapper."""
    config = random_config(d_vocab=64)
    base = config.to_dict() | {"vocab_size": 60}
    wrapper = {"model_type": "speech_language_model", "vocab_size": 64, "base_config": base}
    (tmp_path / "config.json").write_text(json.dumps(wrapper))
    write_weights(tmp_path, {f"lm.{name}": value for name, value in random_weights(config).items()}, "bin shards")
    read = read_checkpoint(tmp_path)
    assert read.config.vocab_size == 64
    assert torch.equal(read.weights["lm_head.weight"], random_weights(config)["lm_head.weight"])


# Where checkpoints are found


def test_checkpoints_are_found_by_folder_and_by_name(official, monkeypatch, tmp_path):
    folder = official / "spiritlm_model" / "spirit-lm-base-7b"
    assert find_checkpoint(folder) == folder
    monkeypatch.setenv(ROOT_VARIABLE, str(official))
    assert find_checkpoint("spirit-lm-base-7b") == folder
    assert find_checkpoint("spiritlm_model/spirit-lm-base-7b") == folder
    monkeypatch.setenv(ROOT_VARIABLE, str(official / "spiritlm_model"))
    assert find_checkpoint("spirit-lm-base-7b") == folder
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spirit-lm-base-7b").mkdir()
    assert find_checkpoint("spirit-lm-base-7b") == Path("spirit-lm-base-7b")


def test_unknown_names_say_where_was_looked(monkeypatch, tmp_path):
    monkeypatch.delenv(ROOT_VARIABLE, raising=False)
    with pytest.raises(CheckpointError, match=rf"'spirit-lm-base-7b'.*Set {ROOT_VARIABLE}"):
        find_checkpoint("spirit-lm-base-7b")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    with pytest.raises(CheckpointError, match=re.escape(str(tmp_path / "spiritlm_model"))):
        find_checkpoint("spirit-lm-base-7b")


def test_a_hub_id_without_network_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=r"no folder 'nobody/nothing'.*hub id"):
        find_checkpoint("nobody/nothing")


def test_a_mistyped_path_is_no_hub_id(monkeypatch, tmp_path):
    """The hub is asked for what may be its name, and that once."""
    asked = []

    class Hub:
        def model_info(self, repository, timeout):
            asked.append(repository)
            raise OSError("no route to the hub")

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "first").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"no folder runs/frist: runs is there, but holds first. Check the name"):
        find_checkpoint("runs/frist")
    for name in ("runs/frist.", "no folder/ckpt", "-x/y", "a/b/c", "../x"):
        with pytest.raises(CheckpointError):
            find_checkpoint(name)
    assert asked == []
    with pytest.raises(CheckpointError, match=r"no folder 'some/model' .*fetched as a hub id \(no route to the hub\)"):
        find_checkpoint("some/model")
    assert asked == ["some/model"]


@pytest.mark.parametrize("name", [5, None, "", " ", b"m", "a\0b"])
def test_what_names_no_checkpoint(name):
    with pytest.raises(CheckpointError, match="source="):
        find_checkpoint(name)


# Bad folders, one by one


def test_a_folder_that_is_a_file(small):
    with pytest.raises(CheckpointError, match=r"config.json is a file. Give the folder"):
        read_checkpoint(small / "config.json")
    with pytest.raises(CheckpointError, match="is a file"):
        find_checkpoint(small / "config.json")


def test_no_folder_and_an_empty_folder(tmp_path):
    with pytest.raises(CheckpointError, match="there is no folder"):
        read_checkpoint(tmp_path / "missing")
    with pytest.raises(CheckpointError, match=r"is empty. Put the checkpoint's files there"):
        read_checkpoint(tmp_path)


def test_a_missing_config_names_the_checkpoints_below(official, copy):
    with pytest.raises(CheckpointError, match=r"config.json is missing.*spirit-lm-base-7b.*name one"):
        read_checkpoint(official)
    (copy / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config.json is missing. Finish the download"):
        read_checkpoint(copy)


def test_a_config_that_is_no_json_or_no_object(copy):
    (copy / "config.json").write_text("{ not json")
    with pytest.raises(CheckpointError, match=r"config.json cannot be read as JSON"):
        read_checkpoint(copy)
    (copy / "config.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="expected a JSON object, found list"):
        read_checkpoint(copy)


def test_a_config_of_another_architecture(copy):
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "gemma", "architectures": ["GemmaForCausalLM"]}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        CheckpointError, match=r"config.json: expected model_type 'llama' or .*'gemma' \(GemmaForCausalLM\)"
    ):
        read_checkpoint(copy)


def test_a_setting_that_cannot_be_exact_names_the_file(copy):
    config = json.loads((copy / "config.json").read_text()) | {"attention_bias": True}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModel, match=r"config.json: config setting attention_bias"):
        read_checkpoint(copy)


def test_no_weights(copy):
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no weights. Expected model.safetensors, .*found config.json"):
        read_checkpoint(copy)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore:.*old format")
def test_truncated_files(tmp_path, layout):
    folder = write_checkpoint(tmp_path / "folder", spirit_config(), layout)
    path = next(path for path in sorted(folder.iterdir()) if path.suffix in (".bin", ".safetensors"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=rf"{re.escape(path.name)} is damaged or cut short .*Download it again"):
        read_checkpoint(folder)


@pytest.mark.parametrize("layout", ["safetensors shards", "bin shards"])
def test_a_missing_shard(tmp_path, layout):
    folder = write_checkpoint(tmp_path / "folder", spirit_config(), layout)
    path = next(folder.glob("*-00002-of-00002.*"))
    path.unlink()
    with pytest.raises(CheckpointError, match=rf"{re.escape(path.name)} is missing: .*expects 15 tensors in it"):
        read_checkpoint(folder)


def test_an_index_without_a_map_or_with_a_tensor_that_its_shard_lacks(tmp_path):
    folder = write_checkpoint(tmp_path / "folder", spirit_config(), "safetensors shards")
    index = folder / "model.safetensors.index.json"
    placed = json.loads(index.read_text())
    placed["weight_map"]["model.norm.weight"] = "model-00001-of-00002.safetensors"
    index.write_text(json.dumps(placed))
    with pytest.raises(CheckpointError, match=r"00001.*tensor model.norm.weight is missing, though .*index.json"):
        read_checkpoint(folder)
    index.write_text(json.dumps({"metadata": {}}))
    with pytest.raises(CheckpointError, match="expected a 'weight_map'"):
        read_checkpoint(folder)


def test_an_index_that_points_outside_the_folder(tmp_path):
    folder = write_checkpoint(tmp_path / "folder", spirit_config(), "safetensors shards")
    index = folder / "model.safetensors.index.json"
    shutil.copy(folder / "model-00001-of-00002.safetensors", tmp_path / "elsewhere.safetensors")
    index.write_text(json.dumps({"weight_map": {"model.norm.weight": "../elsewhere.safetensors"}}))
    with pytest.raises(CheckpointError, match="is missing"):
        read_checkpoint(folder)


def test_a_missing_and_an_extra_tensor(copy):
    spoil(copy, lambda weights: weights.pop("model.layers.1.mlp.up_proj.weight"))
    with pytest.raises(
        CheckpointError, match=r"model.safetensors: tensor model.layers.1.mlp.up_proj.weight is missing, and 0 more"
    ):
        read_checkpoint(copy)
    extra = {"model.layers.1.mlp.up_proj.weight": torch.zeros(172, 64), "model.layers.9.input.weight": torch.zeros(2)}
    spoil(copy, lambda weights: weights.update(extra))
    with pytest.raises(CheckpointError, match=r"tensor model.layers.9.input.weight \(2,\) has no place"):
        read_checkpoint(copy)


def test_an_untied_model_without_unembedding(copy):
    spoil(copy, lambda weights: weights.pop("lm_head.weight"))
    with pytest.raises(CheckpointError, match=r"lm_head.weight is missing \(tie_word_embeddings is false"):
        read_checkpoint(copy)


def test_a_tied_model_with_another_unembedding(copy):
    config = json.loads((copy / "config.json").read_text()) | {"tie_word_embeddings": True}
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"tensor lm_head.weight \(2512, 64\) has no place"):
        read_checkpoint(copy)


def test_a_wrong_shape_and_a_wrong_vocabulary(copy):
    spoil(copy, lambda weights: weights.update({"model.norm.weight": torch.ones(65)}))
    with pytest.raises(CheckpointError, match=r"tensor model.norm.weight: expected shape \(64,\).*found \(65,\)"):
        read_checkpoint(copy)
    spoil(copy, lambda weights: weights.update({"model.embed_tokens.weight": torch.ones(2000, 64)}))
    with pytest.raises(
        CheckpointError,
        match=r"embed_tokens.weight: expected shape \(2512, 64\) by vocab_size 2512 .*found \(2000, 64\)",
    ):
        read_checkpoint(copy)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_nan_and_infinity(tmp_path, value, dtype):
    config = random_config()
    weights = random_weights(config, dtype=dtype)
    weights["model.layers.2.mlp.down_proj.weight"][3, 4] = value
    write_config(tmp_path, config)
    write_weights(tmp_path, weights, "bin")
    with pytest.raises(
        CheckpointError, match=r"pytorch_model.bin: tensor model.layers.2.mlp.down_proj.weight .* in 1 of"
    ):
        read_checkpoint(tmp_path)


def test_values_beyond_the_wanted_dtype(tmp_path):
    config = random_config()
    weights = random_weights(config)
    weights["model.norm.weight"][0] = 1e6
    write_config(tmp_path, config)
    write_weights(tmp_path, weights, "safetensors")
    with pytest.raises(CheckpointError, match=r"model.norm.weight reaches 1e\+06, beyond torch.float16"):
        read_checkpoint(tmp_path, torch.float16)
    assert read_checkpoint(tmp_path, torch.bfloat16).weights["model.norm.weight"][0] > 9e5


def test_quantized_weights(copy):
    spoil(copy, lambda weights: weights.update({"model.norm.weight": torch.ones(64, dtype=torch.int8)}))
    with pytest.raises(CheckpointError, match=r"tensor model.norm.weight: expected float32.*found torch.int8"):
        read_checkpoint(copy)


class Planted:
    """Runs when unpickled by a reader that runs pickled code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("ignore:.*old format")
def test_pickled_code_is_never_run(copy, tmp_path, zipped):
    (copy / "model.safetensors").unlink()
    trap = tmp_path / "ran"
    torch.save({"a": Planted(trap)}, copy / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin is refused: .*never run here.*safetensors"):
        read_checkpoint(copy)
    assert not trap.exists()


@pytest.mark.filterwarnings("ignore:.*old format")
def test_other_pickles_and_other_files(copy):
    (copy / "model.safetensors").unlink()
    path = copy / "pytorch_model.bin"
    torch.save({"args": argparse.Namespace(lr=1)}, path)
    with pytest.raises(CheckpointError, match="refused"):
        read_checkpoint(copy)
    torch.save({"state_dict": {"model.norm.weight": torch.ones(2)}}, path)
    with pytest.raises(
        CheckpointError, match="expected a dictionary of tensors, found another value under 'state_dict'"
    ):
        read_checkpoint(copy)
    torch.save(torch.ones(3), path)
    with pytest.raises(CheckpointError, match="expected a dictionary of tensors"):
        read_checkpoint(copy)
    for content in (b"epoch 101, loss 2.3", b"1\n2\n", b"<html>404</html>", b"\x80\x04"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"pytorch_model.bin is (refused|damaged|no torch file)"):
            read_checkpoint(copy)
    path.write_bytes(b"plain text, not weights")
    with pytest.raises(CheckpointError, match=r"pytorch_model.bin is (refused|damaged)"):
        read_checkpoint(copy)
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 12\n")
    with pytest.raises(CheckpointError, match="Git LFS pointer"):
        read_checkpoint(copy)


def test_tensors_of_other_layouts(copy):
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    name = "model.layers.1.mlp.up_proj.weight"
    torch.save({**weights, name: weights[name].to_sparse()}, copy / "pytorch_model.bin")
    with pytest.raises(
        CheckpointError, match=rf"tensor {name} is of layout torch.sparse_coo.*Save it by tensor.to_dense"
    ):
        read_checkpoint(copy)
    torch.save({**weights, name: weights[name].to_sparse().to_dense()}, copy / "pytorch_model.bin")
    assert torch.equal(read_checkpoint(copy).weights[name], weights[name])
    columns = weights[name].T.contiguous().T
    torch.save({**weights, name: columns}, copy / "pytorch_model.bin")
    assert read_checkpoint(copy).weights[name].is_contiguous()
    assert torch.equal(load(copy, device="cpu").model.blocks[1].mlp.W_in, columns.T)


@pytest.mark.parametrize("placed", [{"a": 5}, {"a": ["x"]}, {"a": None}])
def test_an_index_that_places_tensors_in_no_file(tmp_path, placed):
    folder = write_checkpoint(tmp_path / "folder", spirit_config(), "bin shards")
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": placed}))
    with pytest.raises(CheckpointError, match=r"index.json: weight_map places a in .*expected a file's name"):
        read_checkpoint(folder)


def test_an_adapter_is_told_to_be_merged(copy):
    name = "model.layers.0.mlp.up_proj"
    spoil(copy, lambda weights: weights.update({f"{name}.base_layer.weight": weights.pop(f"{name}.weight")}))
    with pytest.raises(CheckpointError, match=r"holds an adapter \(LoRA\): merge it .*merge_and_unload"):
        read_checkpoint(copy)


class FakeHub:
    """Stands in for the hub client: lists files, and remembers what was asked for."""

    def __init__(self, names: list[str], folder: Path) -> None:
        self.names, self.folder, self.asked = names, folder, {}

    def model_info(self, repository: str, timeout: float) -> SimpleNamespace:
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in self.names])

    def download(self, repository: str, allow_patterns: list[str]) -> str:
        self.asked[repository] = allow_patterns
        return str(self.folder)


@pytest.mark.parametrize(
    ("names", "weights"),
    [
        (["config.json", "model.safetensors", "pytorch_model.bin"], "*.safetensors*"),
        (["config.json", "pytorch_model.bin"], "pytorch_model*.bin*"),
    ],
)
def test_a_hub_id_is_fetched_with_safe_weights_first(small, monkeypatch, names, weights):
    hub = FakeHub(names, small)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub.download)
    assert find_checkpoint("some/model") == small
    assert hub.asked == {"some/model": ["*.json", "tokenizer.model", weights]}
