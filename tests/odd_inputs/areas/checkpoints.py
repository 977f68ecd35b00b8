"""Checkpoint folders, their tokenizers and their encoders: wrong arguments, damaged files, values that cannot be."""

import bz2
import gzip
import json
import lzma
import pickle
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from frame import Bench, Odd, error, result
from safetensors.torch import load_file, save_file
from sentencepiece import sentencepiece_model_pb2
from transformers import LlamaConfig, LlamaForCausalLM

import spiritlens as sl
from spiritlens.models.checkpoints.checkpoint import find_checkpoint, read_checkpoint, save_safetensors
from spiritlens.models.embedded import embedded_folder
from spiritlens.models.random_weights import random_config, random_weights
from spiritlens.prompts.vocabulary.families import SPIRITLM_BASE, family_named
from spiritlens.prompts.vocabulary.family import Family
from spiritlens.prompts.vocabulary.vocabulary import Vocabulary
from spiritlens.speech.audio.waveform import Waveform
from spiritlens.speech.centroids import read_centroids
from spiritlens.speech.encoders.loading import load_encoder
from spiritlens.speech.encoders.official import compare_encoders

PIECES = Path(__file__).parents[2] / "data" / "prompts" / "tokenizer_small"
MARKS = ("[Text]", "[Speech]", *(f"[Hu{unit}]" for unit in range(501)))
ROWS = 2000 + len(MARKS)
EARS = Path("speech_tokenizer") / "hubert_25hz"


def cases(bench: Bench) -> Iterator[Odd]:
    kit = Kit(bench)
    yield from _sources(bench, kit)
    yield from _settings(kit)
    yield from _weights(kit)
    yield from _arguments(kit)
    yield from _checks(kit)
    yield from _tokenizers(kit)
    yield from _strings(kit)
    yield from _centroids(bench)
    yield from _encoders(kit)


class Kit:
    """A small whole checkpoint folder, and copies of it to spoil."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.good = bench.folder("good") / "model"
        self.good.mkdir()
        config = random_config(n_layers=1, d_model=16, n_heads=2, d_mlp=24, d_vocab=ROWS, n_ctx=64)
        self.config = config
        (self.good / "config.json").write_text(json.dumps(config.to_dict()))
        save_file(random_weights(config), self.good / "model.safetensors", metadata={"format": "pt"})
        for name in ("tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copy(PIECES / "added_tokens" / name, self.good)
        self.lens = sl.load(self.good)

    def copy(self) -> Path:
        return Path(shutil.copytree(self.good, self.bench.folder("spoilt") / "model"))

    def with_json(self, name: str, **changes: Any) -> Path:
        """A copy whose JSON file has other values; None takes a key out."""
        folder = self.copy()
        values = json.loads((folder / name).read_text()) if (folder / name).is_file() else {}
        values |= changes
        (folder / name).write_text(json.dumps(values))
        return folder

    def with_file(self, name: str, content: bytes | str) -> Path:
        folder = self.copy()
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    def with_weights(self, change: Callable[[dict[str, Any]], Any]) -> Path:
        folder = self.copy()
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors")
        return folder

    def with_pickle(self, content: Any) -> Path:
        folder = self.copy()
        (folder / "model.safetensors").unlink()
        torch.save(content, folder / "pytorch_model.bin")
        return folder

    def with_ears(self, change: Callable[[dict[str, Any]], Any], name: str = "mhubert_base_25hz.pt") -> Path:
        """The embedded model's encoder, one of its files changed."""
        folder = self.bench.folder("ears")
        shutil.copytree(embedded_folder() / EARS, folder, dirs_exist_ok=True)
        content = torch.load(folder / name, weights_only=True)
        change(content)
        torch.save(content, folder / name)
        return folder


def _sources(bench: Bench, kit: Kit) -> Iterator[Odd]:
    for value in (5, ["m"], b"m", "", "  ", "a\0b", torch.zeros(1), {"folder": "m"}, True):
        yield error("load", f"source {value!r}", lambda value=value: sl.load(value), "source=", "folder")
    yield error("load", "a file", lambda: sl.load(kit.good / "config.json"), "is a file", "Give the folder")
    yield error("load", "an empty folder", lambda: sl.load(bench.folder()), "is empty", "config.json")
    near = kit.good.parent / "modle"
    yield error("load", "a misspelt path", lambda: sl.load(str(near)), "no checkpoint", "modle")
    yield error(
        "load", "a path below a folder that is there", lambda: _in(kit.good.parent.parent, kit), "Check the name"
    )
    yield error("load", "a relative path", lambda: sl.load("./nothing"), "nothing", "looked")
    yield error("load", "a name without a folder", lambda: sl.load("spirit-lm-none"), "SPIRITLM_CHECKPOINTS_DIR")
    yield error("load", "a hub id", lambda: find_checkpoint("nobody/nothing"), "nobody/nothing", "hub id")
    yield result("load", "a path with ~-like letters", lambda: sl.load(str(kit.good)), lambda lens: lens.n_layers == 1)
    yield error("save_safetensors", "a target that is full", lambda: save_safetensors(kit.good, kit.good), "not empty")
    yield error("save_safetensors", "a number", lambda: save_safetensors(3, bench.folder()), "folder=3")


def _in(parent: Path, kit: Kit) -> Any:
    """Load 'PARENT/nothing' by a relative path of one slash."""
    import os

    before = Path.cwd()
    os.chdir(parent)
    try:
        return sl.load(f"{kit.good.parent.name}/nothing")
    finally:
        os.chdir(before)


def _settings(kit: Kit) -> Iterator[Odd]:
    odd: list[tuple[str, Any, str]] = [
        ("rms_norm_eps", 0, "> 0"),
        ("rms_norm_eps", -1, "> 0"),
        ("rms_norm_eps", float("nan"), "number"),
        ("rms_norm_eps", "1e-5", "number"),
        ("rms_norm_eps", None, "number"),
        ("rope_theta", 0, "> 0"),
        ("rope_theta", -1, "> 0"),
        ("rope_theta", [10000], "number"),
        ("max_position_embeddings", 0, "≥ 1"),
        ("max_position_embeddings", 10**30, "≤"),
        ("max_position_embeddings", 64.5, "whole number"),
        ("num_hidden_layers", 10**9, "≤"),
        ("num_hidden_layers", "1", "whole number"),
        ("num_hidden_layers", -3, "≥ 1"),
        ("num_hidden_layers", True, "whole number"),
        ("hidden_size", 10**12, "≤"),
        ("hidden_size", 0, "≥ 1"),
        ("hidden_size", None, "whole number"),
        ("num_attention_heads", 0, "≥ 1"),
        ("num_attention_heads", 3, "no multiple"),
        ("num_key_value_heads", 0, "≥ 1"),
        ("num_key_value_heads", 5, "no multiple"),
        ("head_dim", 7, "even"),
        ("head_dim", "8", "whole number"),
        ("vocab_size", -1, "≥ 1"),
        ("vocab_size", 10**15, "≤"),
        ("vocab_size", [2503], "whole number"),
        ("intermediate_size", 2.5, "whole number"),
        ("hidden_act", 5, "silu"),
        ("hidden_act", "gelu", "silu"),
        ("tie_word_embeddings", "no", "true or false"),
        ("attention_bias", 1, "true or false"),
        ("rope_scaling", "linear", "object"),
        ("rope_parameters", {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}, "yarn"),
        ("rope_parameters", {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}, "dynamic"),
        ("rope_parameters", {"rope_type": "linear", "rope_theta": 1e4}, "factor"),
        ("rope_parameters", {"rope_type": "linear", "rope_theta": 1e4, "factor": 0}, "> 0"),
        ("rope_parameters", {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0}, "low_freq_factor"),
        ("rope_parameters", {"rope_type": "spiral", "rope_theta": 1e4}, "spiral"),
        ("rope_parameters", [], "object"),
        ("auto_map", {"AutoModelForCausalLM": "own.Model"}, "never run"),
        ("quantization_config", {"quant_method": "gptq"}, "quantized"),
        ("model_type", "gemma", "gemma"),
        ("sliding_window", 0, "≥ 1"),
        ("sliding_window", "64", "whole number"),
        ("sliding_window", 2.5, "whole number"),
        ("use_sliding_window", "yes", "true or false"),
        ("model_type", None, "llama"),
        ("architectures", 7, "llama"),
    ]
    for key, value, rule in odd:
        changes: dict[str, Any] = {key: value}
        if key == "rope_theta":
            changes["rope_parameters"] = None
        if key == "architectures":
            changes["model_type"] = "other"
        folder = kit.with_json("config.json", **changes)
        yield error("load", f"{key} {str(value)[:80]}", lambda folder=folder: sl.load(folder), "config.json", rule)
    for text in ("", "{", "[]", "null", '{"model_type": "llama", "model_type"', "\x00\x01"):
        folder = kit.with_file("config.json", text)
        yield error("load", f"config.json {text!r}", lambda folder=folder: sl.load(folder), "config.json", "JSON")


def _weights(kit: Kit) -> Iterator[Odd]:
    name = "model.layers.0.mlp.up_proj.weight"
    changes: list[tuple[str, Callable[[dict[str, Any]], Any], tuple[str, ...]]] = [
        ("NaN", lambda weights: weights[name].__setitem__((0, 0), float("nan")), (name, "NaN or infinity in 1 of")),
        ("int8", lambda weights: weights.update({name: weights[name].to(torch.int8)}), (name, "int8", "original")),
        ("float8", lambda weights: weights.update({name: weights[name].to(torch.float8_e4m3fn)}), (name, "float8")),
        ("transposed", lambda weights: weights.update({name: weights[name].T.contiguous()}), (name, "expected shape")),
        ("a tensor less", lambda weights: weights.pop(name), (name, "is missing")),
        ("a tensor more", lambda weights: weights.update({"extra": torch.ones(2)}), ("extra", "no place")),
        ("LoRA", lambda weights: _as_lora(weights, name), ("LoRA", "merge_and_unload")),
    ]
    for what, change, said in changes:
        folder = kit.with_weights(change)
        yield error("load", f"weights: {what}", lambda folder=folder: sl.load(folder), "model.safetensors", *said)
    folder = kit.with_json("config.json", model_type="qwen2")
    yield error(
        "load",
        "Qwen 2 without biases",
        lambda folder=folder: sl.load(folder),
        "q_proj.bias is missing",
        "one checkpoint",
    )
    good = random_weights(kit.config)
    pickles: list[tuple[str, Any, tuple[str, ...]]] = [
        ("sparse", {**good, name: good[name].to_sparse()}, (name, "sparse", "to_dense")),
        ("a list", [1, 2], ("dictionary of tensors",)),
        ("nested", {"state_dict": good}, ("state_dict",)),
        ("numbers", {**good, name: 3}, (name,)),
        ("a bare tensor", torch.ones(2), ("dictionary of tensors",)),
        ("complex", {**good, name: good[name].to(torch.complex64)}, (name, "complex64")),
    ]
    for what, content, said in pickles:
        folder = kit.with_pickle(content)
        yield error("load", f"pytorch_model.bin: {what}", lambda folder=folder: sl.load(folder), *said)
    columns = {**good, name: good[name].T.contiguous().T}
    folder = kit.with_pickle(columns)
    yield result("load", "a tensor in columns", lambda folder=folder: sl.load(folder), kit_logits(kit))
    for content in (b"epoch 101, loss 2.3", b"", b"\x80\x04", b"PK\x03\x04", b"<html>404</html>"):
        folder = kit.copy()
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(content)
        yield error(
            "load", f"pytorch_model.bin {content!r}", lambda folder=folder: sl.load(folder), "pytorch_model.bin"
        )
    for content in (b"", b"text", b"\xff" * 64, b"version https://git-lfs.github.com/spec/v1\n"):
        folder = kit.with_file("model.safetensors", content)
        yield error(
            "load", f"model.safetensors {content!r}", lambda folder=folder: sl.load(folder), "model.safetensors"
        )
    for placed in ({}, [], 5, {"a": 5}, {"a": ["x.safetensors"]}, {"a": None}, {"a": "../x.safetensors"}):
        folder = kit.copy()
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
        yield error("load", f"weight_map {placed!r}", lambda folder=folder: sl.load(folder), ".safetensors")
    for prefix in ("_orig_mod.", "module.", "module._orig_mod.", "model.", "_orig_mod.module.lm."):
        folder = kit.with_weights(lambda weights, prefix=prefix: _prefixed(weights, prefix))
        yield result(
            "selfcheck", f"names under {prefix}", lambda folder=folder: _checked(folder), lambda check: check.agrees
        )
    folder = kit.with_weights(lambda weights: _infixed(weights))
    yield result("selfcheck", "parts within names", lambda folder=folder: _checked(folder), lambda check: check.agrees)


def kit_logits(kit: Kit) -> Callable[[Any], bool]:
    tokens = torch.tensor([[1, 300, 400]])
    return lambda lens: torch.equal(lens.model(tokens), kit.lens.model(tokens))


def _as_lora(weights: dict[str, Any], name: str) -> None:
    weights[name.replace(".weight", ".base_layer.weight")] = weights.pop(name)
    weights[name.replace(".weight", ".lora_A.weight")] = torch.ones(2, 16)


def _prefixed(weights: dict[str, Any], prefix: str) -> None:
    for name in list(weights):
        weights[prefix + name] = weights.pop(name)


def _infixed(weights: dict[str, Any]) -> None:
    for name in [name for name in weights if ".layers.0." in name]:
        weights[name.replace(".layers.0.", ".layers.0._checkpoint_wrapped_module.")] = weights.pop(name)


def _checked(folder: Path) -> Any:
    return sl.selfcheck(sl.load(folder))


def _arguments(kit: Kit) -> Iterator[Odd]:
    for dtype in ("int8", "float8_e4m3fn", torch.int8, torch.complex64, 5, "half-ish", "", ["float32"], True):
        yield error("load", f"dtype {dtype!r}", lambda dtype=dtype: sl.load(kit.good, dtype=dtype), "dtype", "bfloat16")
    yield result(
        "load",
        "dtype 'torch.float64'",
        lambda: sl.load(kit.good, "torch.float64"),
        lambda lens: lens.dtype == torch.float64,
    )
    for device in ("x", "cuda:99", 5.5, "meta", "cpu:7", object()):
        yield error("load", f"device {device!r:.20}", lambda device=device: sl.load(kit.good, device=device), "device=")
    for family in ("spiritlm-base", 5, SPIRITLM_BASE.__dict__, Family):
        yield error(
            "load",
            f"family {type(family).__name__}",
            lambda family=family: sl.load(kit.good, family=family),
            "family=",
            "family_named",
        )
    for encoder in ("hubert", {"kind": "hubert"}, 5, torch.nn.Linear(1, 1)):
        yield error(
            "load",
            f"encoder {type(encoder).__name__}",
            lambda encoder=encoder: sl.load(kit.good, encoder=encoder),
            "encoder=",
            "load_encoder",
        )
    for norms in ("Raw", None, True, ["raw"]):
        yield error("load", f"norms {norms!r}", lambda norms=norms: sl.load(kit.good, norms=norms), "norms", "raw")
    for tokenizer in (5, "nowhere", kit.good / "config.json", b"m"):
        yield error(
            "load",
            f"tokenizer {tokenizer!r:.20}",
            lambda tokenizer=tokenizer: sl.load(kit.good, tokenizer=tokenizer),
            "tokenizer=",
        )
    llama = LlamaForCausalLM(LlamaConfig(**{**kit.config.to_dict()}))
    yield error(
        "load",
        "a model in another dtype",
        lambda: sl.load(llama, dtype="bfloat16", tokenizer=kit.good),
        "load it in that dtype",
    )
    yield error("load", "a model without a tokenizer", lambda: sl.load(llama), "tokenizer=")
    yield error("read_checkpoint", "dtype int", lambda: read_checkpoint(kit.good, torch.int64), "dtype", "float32")
    yield error("generate", "beyond the context", lambda: kit.lens.generate("the cat", 500), "max_new_tokens=500", "64")
    yield error("generate", "a long prompt", lambda: kit.lens.generate("the cat " * 60), "context", "shorten")
    for prompt in (5, None, b"the", ["the"], ("the",)):
        yield error(
            "generate", f"prompt {prompt!r}", lambda prompt=prompt: kit.lens.generate(prompt), "prompt=", "string"
        )
    for number in (0, -1, 1.5, "3", None, True):
        yield error(
            "generate",
            f"max_new_tokens {number!r}",
            lambda number=number: kit.lens.generate("the", number),
            "max_new_tokens",
        )
    for heat in (-1, float("nan"), "1", None, float("inf")):
        yield error(
            "generate",
            f"temperature {heat!r}",
            lambda heat=heat: kit.lens.generate("the", 2, temperature=heat),
            "temperature",
        )
    for modality in ("song", None, 5, ["text"]):
        yield error(
            "generate",
            f"modality {modality!r}",
            lambda modality=modality: kit.lens.generate("the", 2, modality),
            "modality",
            "speech",
        )


def _checks(kit: Kit) -> Iterator[Odd]:
    for value in ("m", None, kit.lens.model, kit.good):
        yield error("selfcheck", f"{type(value).__name__}", lambda value=value: sl.selfcheck(value), "lens is", "Lens")
    for tokens in (
        [[1, 2]],
        "the cat",
        torch.tensor([1, 2]),
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([[1, 99999]]),
        torch.tensor([[-1, 2]]),
        torch.ones((1, 65), dtype=torch.long),
        torch.ones((1, 0), dtype=torch.long),
        torch.tensor([[True]]),
    ):
        yield error(
            "selfcheck", f"tokens {tokens!r:.40}", lambda tokens=tokens: sl.selfcheck(kit.lens, tokens), "tokens"
        )
    small = torch.tensor([[1, 2, 3]], dtype=torch.int32)
    yield result("selfcheck", "tokens of 32 bits", lambda: sl.selfcheck(kit.lens, small), lambda check: check.agrees)
    short = kit.with_json("config.json", max_position_embeddings=8)
    yield result("selfcheck", "a context of 8", lambda: _checked(short), lambda check: check.agrees)
    yield error("selfcheck", "a lens without a folder", lambda: sl.selfcheck(kit.bench.planted.lens), "folder", "save")
    for target in (5, None, b"x"):
        yield error("save_safetensors", f"target {target!r}", lambda t=target: save_safetensors(kit.good, t), "target=")


def _tokenizers(kit: Kit) -> Iterator[Odd]:
    for content in (
        b"",
        b"no model",
        b"\x00" * 40,
        b"version https://git-lfs.github.com/spec/v1\n",
        b"AAA= 0\nAAE= 1\n",
    ):
        folder = kit.with_file("tokenizer.model", content)
        yield error(
            "load", f"tokenizer.model {content!r:.20}", lambda folder=folder: sl.load(folder), "tokenizer.model", "copy"
        )
    spoilt: list[tuple[str, Callable[[Any], Any], str]] = [
        ("model_type WORD", lambda m: setattr(m.trainer_spec, "model_type", 3), "WORD"),
        ("model_type CHAR", lambda m: setattr(m.trainer_spec, "model_type", 4), "CHAR"),
        ("blanks after words", lambda m: setattr(m.trainer_spec, "treat_whitespace_as_suffix", True), "suffix"),
        ("blanks not written ▁", lambda m: setattr(m.normalizer_spec, "escape_whitespaces", False), "escape"),
        ("an unused piece", lambda m: setattr(m.pieces[900], "type", 5), "UNUSED"),
        ("no unknown piece", lambda m: setattr(m.pieces[0], "type", 1), "no SentencePiece model"),
    ]
    for what, change, said in spoilt:
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString((kit.good / "tokenizer.model").read_bytes())
        change(model)
        folder = kit.with_file("tokenizer.model", model.SerializeToString())
        yield error("load", what, lambda folder=folder: sl.load(folder), "tokenizer.model", said)
    settings: list[tuple[str, Any, tuple[str, ...]]] = [
        ("bos_token", 5, ("bos_token is 5", "string")),
        ("bos_token", "<nowhere>", ("<nowhere>", "neither a piece")),
        ("added_tokens_decoder", [1, 2], ("added_tokens_decoder", "object")),
        ("added_tokens_decoder", {"x": {"content": "[Text]"}}, ("'x'", "whole number")),
        ("added_tokens_decoder", {"300": {"content": 5}}, ("id '300'", "string")),
        ("added_tokens_decoder", {"9999": {"content": "[Text]"}}, ("9999",)),
        ("auto_map", {"AutoTokenizer": ["own.Tokenizer", None]}, ("auto_map", "never run")),
        ("sp_model_kwargs", {"enable_sampling": True, "alpha": 0.1}, ("sampled",)),
    ]
    for key, value, said in settings:
        folder = kit.with_json("tokenizer_config.json", **{key: value})
        yield error("load", f"{key} {str(value)[:30]}", lambda folder=folder: sl.load(folder), *said)
    loads: list[tuple[str, dict[str, Any]]] = [
        ("empty named tokens", {"bos_token": "", "eos_token": "", "unk_token": ""}),
        ("null named tokens", {"bos_token": None, "eos_token": None, "unk_token": None}),
        ("named tokens as objects", {"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False}}),
        ("a token without content", {"unk_token": {"content": None}}),
        ("padding beyond the rows", {"pad_token": "[PAD]"}),
        ("a chat template", {"chat_template": "{{ messages }}"}),
        ("unknown settings", {"device_map": "auto", "clean_up_tokenization_spaces": True, "use_fast": False}),
    ]
    same = kit.lens.vocabulary.encode("the cat[Speech][Hu3]")
    for what, changes in loads:
        folder = kit.with_json("tokenizer_config.json", **changes)
        yield result(
            "load",
            what,
            lambda folder=folder: sl.load(folder).vocabulary.encode("the cat[Speech][Hu3]"),
            lambda ids: ids == same,
        )
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "spiritlens.json"):
        for text in ("{", "[1]"):
            folder = kit.with_file(name, text)
            yield error("load", f"{name} {text!r}", lambda folder=folder: sl.load(folder), name)
    records: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        ({"family": 5}, ("unknown family '5'",)),
        ({"family": "spiritlm-base", "n_units": -1}, ("n_units=-1", "≥ 0")),
        ({"family": "spiritlm-base", "n_units": "501"}, ("n_units='501'", "whole number")),
        ({"family": "spiritlm-base", "unit_rate": 0}, ("unit_rate=0", "> 0")),
        ({"family": "spiritlm-base", "unit_rate": "fast"}, ("unit_rate", "number")),
        ({"family": "spiritlm-base", "encoder": "hubert"}, ("encoder='hubert'", "object")),
        ({"family": "spiritlm-base", "n_units": 9000}, ("9000 unit tokens", "lacks", "n_units")),
        ({"family": "spiritlm-base", "untrained_ids": "abc"}, ("untrained_ids", "list")),
        ({"family": "spiritlm-base", "untrained_ids": [10**9]}, ("untrained_ids=1000000000", "≤ 2502")),
        ({"family": "spiritlm-base", "untrained_ids": [-1]}, ("untrained_ids=-1", "≥ 0")),
        ({"family": "spiritlm-base", "untrained_ids": [2.5]}, ("untrained_ids=2.5", "whole number")),
        ({"family": "spiritlm-base", "untrained_ids": {"a": 1}}, ("untrained_ids", "list")),
    ]
    for record, said in records:
        folder = kit.with_file("spiritlens.json", json.dumps(record))
        yield error("load", f"spiritlens.json {str(record)[:50]}", lambda folder=folder: sl.load(folder), *said)
    cut = {str(2000 + number): {"content": mark} for number, mark in enumerate(MARKS[:403])}
    folder = kit.with_json("tokenizer_config.json", added_tokens_decoder=cut)
    yield error("load", "401 of 501 units", lambda: sl.load(folder), "401 of the 501", "n_units=401")
    for size in (0, -5, "2503", 2.5, True):
        yield error(
            "Vocabulary.load", f"size {size!r}", lambda size=size: Vocabulary.load(kit.good, size=size), "size="
        )
    for name in (5, None, "spiritlm", ["embedded"]):
        yield error(
            "family_named", f"{name!r}", lambda name=name: family_named(name), "unknown family", "spiritlm-base"
        )


def _strings(kit: Kit) -> Iterator[Odd]:
    vocabulary = kit.lens.vocabulary
    for value in (5, None, b"the", ["the"], 1.5):
        yield error("encode", f"{value!r}", lambda value=value: vocabulary.encode(value), "expected a text")
        yield error("pieces", f"{value!r}", lambda value=value: vocabulary.pieces(value), "expected a text")
    yield error("encode", "half a character", lambda: vocabulary.encode("the \ud83d"), "surrogate")
    yield result("encode", "nothing", lambda: vocabulary.encode(""), lambda ids: ids == [1])
    yield result(
        "encode", "a NUL", lambda: vocabulary.decode(vocabulary.encode("the\0cat")), lambda text: text == "the\0cat"
    )
    yield result("pieces", "nothing", lambda: vocabulary.pieces(""), lambda found: found == [])


def _centroids(bench: Bench) -> Iterator[Odd]:
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    plain = pickle.dumps({"cluster_centers_": matrix}, protocol=4)
    packed = {
        "zlib": zlib.compress(plain),
        "gzip": gzip.compress(plain),
        "bz2": bz2.compress(plain),
        "xz": lzma.compress(plain),
    }
    for name, content in {"pickle": plain, **packed}.items():
        path = bench.file("k.km", content)
        yield result(
            "read_centroids", name, lambda path=path: read_centroids(path), lambda found: np.array_equal(found, matrix)
        )
        cut = bench.file("k.km", content[: len(content) // 2])
        yield error("read_centroids", f"{name} cut short", lambda cut=cut: read_centroids(cut), "k.km", "cut short")
    for protocol in (0, 2, 5):
        path = bench.file("k.pkl", pickle.dumps(matrix.astype(">f8").T.copy().T, protocol=protocol))
        yield result(
            "read_centroids",
            f"big-endian, columns, protocol {protocol}",
            lambda path=path: read_centroids(path),
            lambda found: np.array_equal(found, matrix),
        )
    odd: list[tuple[str, bytes, str]] = [
        ("nothing", b"", "empty"),
        ("a text", b"cluster 1: 0.5 0.25", "not a file of centroids"),
        ("lz4", b"\x04\x22\x4d\x18" + b"0" * 40, "lz4"),
        ("code", pickle.dumps(print), "cluster_centers_"),
        ("a list", pickle.dumps([[1.0, 2.0]]), "cluster_centers_"),
        ("objects", pickle.dumps(np.array([{}], dtype=object)), "objects"),
        ("texts", pickle.dumps(np.array([["1", "2"]])), "numbers"),
        ("one axis", pickle.dumps(np.ones(3)), "[cluster, d_model]"),
        ("no row", pickle.dumps(np.ones((0, 4))), "[cluster, d_model]"),
        ("NaN", pickle.dumps(np.array([[np.nan, 1.0]])), "1 of 2"),
        ("complex", pickle.dumps(np.array([[1j]])), "numbers"),
        ("a pointer", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("two matrices", pickle.dumps({"a": matrix, "b": matrix}), "2 matrices"),
    ]
    for what, content, said in odd:
        path = bench.file("k.joblib", content)
        yield error("read_centroids", what, lambda path=path: read_centroids(path), "k.joblib", said)
    for value in (5, None, b"x", matrix):
        yield error(
            "read_centroids",
            f"{type(value).__name__}",
            lambda value=value: read_centroids(value),
            "path=",
            "file of centroids",
        )


def _encoders(kit: Kit) -> Iterator[Odd]:
    first = "encoder.layers.0.fc1.weight"
    spoilt: list[tuple[str, Callable[[dict[str, Any]], Any], tuple[str, ...]]] = [
        ("NaN", lambda c: c["model_weight"][first].fill_(float("nan")), (first, "NaN")),
        ("infinity", lambda c: c["model_weight"][first].__setitem__((0, 0), float("inf")), (first, "in 1 of")),
        ("integers", lambda c: c["model_weight"].update({first: c["model_weight"][first].int()}), (first, "int32")),
        ("a number for a tensor", lambda c: c["model_weight"].update({first: 5}), (first, "tensor")),
        (
            "sparse",
            lambda c: c["model_weight"].update({first: c["model_weight"][first].to_sparse()}),
            (first, "sparse"),
        ),
        ("no weights", lambda c: c.update(model_weight=[]), ("model_weight", "dictionary")),
        (
            "layers as a text",
            lambda c: c["model_cfg"].update(encoder_layers="three"),
            ("encoder_layers", "whole number"),
        ),
        ("no heads", lambda c: c["model_cfg"].update(encoder_attention_heads=0), ("encoder_attention_heads=0", "≥ 1")),
        ("an absurd width", lambda c: c["model_cfg"].update(encoder_embed_dim=10**12), ("encoder_embed_dim", "≤")),
        ("a rate of 0", lambda c: c["task_cfg"].update(sample_rate=0), ("sample_rate=0", "≥ 1")),
        ("an activation that is none", lambda c: c["model_cfg"].update(activation_fn="shout"), ("model_cfg", "shout")),
    ]
    for what, change, said in spoilt:
        folder = kit.with_ears(change)
        yield error(
            "load_encoder", what, lambda folder=folder: load_encoder({"kind": "hubert", "layer": 3}, folder), *said
        )
    quantizers: list[tuple[str, Callable[[dict[str, Any]], Any], tuple[str, ...]]] = [
        ("NaN", lambda c: next(iter(c["model_weight"].values())).fill_(float("nan")), ("0.weight", "NaN")),
        ("a rate for clusters", lambda c: c["model_cfg"].update(vocab_size=41.0), ("vocab_size", "41.0")),
        ("other clusters", lambda c: c["model_cfg"].update(vocab_size=7), ("42 classes", "vocab_size 7")),
        ("a bias less", lambda c: c["model_weight"].pop("0.bias"), ("0.bias",)),
        ("no dictionary", lambda c: c.update(model_cfg=5), ("model_cfg", "dictionar")),
        ("a flat weight", lambda c: c["model_weight"].update({"0.weight": torch.ones(5)}), ("layer 0", "(5,)")),
    ]
    for what, change, said in quantizers:
        folder = kit.with_ears(change, "L11_quantizer_500.pt")
        yield error(
            "load_encoder",
            f"quantizer: {what}",
            lambda folder=folder: load_encoder({"kind": "hubert", "layer": 3}, folder),
            *said,
        )
    good = embedded_folder() / EARS
    for layer in (0, 99, "3", None, 2.5, True):
        yield error(
            "load_encoder",
            f"layer {layer!r}",
            lambda layer=layer: load_encoder({"kind": "hubert", "layer": layer}, good),
            "layer",
        )
    for dtype in ("float32", torch.int32, None):
        yield error(
            "load_encoder",
            f"dtype {dtype!r}",
            lambda dtype=dtype: load_encoder({"kind": "hubert", "layer": 3}, good, dtype=dtype),
            "dtype=",
            "float32",
        )
    for folder in (5, ["x"], b"x"):
        yield error(
            "load_encoder",
            f"folder {folder!r}",
            lambda folder=folder: load_encoder({"kind": "hubert"}, folder),
            "folder=",
        )
    records: list[tuple[Any, tuple[str, ...]]] = [
        ("hubert", ("'hubert'", "record of kind")),
        (None, ("None", "record of kind")),
        ({}, ("{}", "hubert")),
        ({"kind": "wav2vec"}, ("wav2vec", "hubert")),
        ({"kind": "hubert", "layer": "3"}, ("layer='3'", "whole number")),
        ({"kind": "hubert", "layer": 3, "n_clusters": 500}, ("41 clusters", "500")),
        ({"kind": "hubert", "layer": 3, "n_clusters": "41"}, ("n_clusters='41'", "whole number")),
        ({"kind": "hubert", "layer": 3, "n_clusters": True}, ("n_clusters=True", "whole number")),
    ]
    for record, said in records:
        yield error("load_encoder", f"{record!r:.50}", lambda record=record: load_encoder(record, good), *said)
    yield error(
        "load_encoder",
        "centroids with a quantizer",
        lambda: load_encoder({"kind": "hubert", "layer": 3}, good, "k.npy"),
        "centroids=",
        "leave centroids out",
    )
    ears = load_encoder({"kind": "hubert", "layer": 3}, good)
    sound = Waveform(np.sin(np.arange(16000) / 9).astype(np.float32), 16000)
    yield error("compare_encoders", "a name", lambda: compare_encoders("hubert", ears, sound), "first=", "encoder")
    yield error(
        "compare_encoders",
        "an array",
        lambda: compare_encoders(ears, ears, sound.samples),
        "waveform=",
        "read_waveform",
    )
    yield error("compare_encoders", "None", lambda: compare_encoders(ears, None, sound), "second=None", "encoder")
    yield result(
        "compare_encoders", "itself", lambda: compare_encoders(ears, ears, sound), lambda found: found.identical
    )
