"""Peak memory, load time and forward time of checkpoint loading: spiritlens, Hugging Face, TransformerLens's own path.

    python benchmarks/loading.py                          # a random bfloat16 checkpoint of 2.1 GB, made and removed
    python benchmarks/loading.py --layers 4 --width 512   # a small one, to try the script

Each way of loading runs in a process of its own. *Peak* is the highest resident memory (VmHWM: mapped file pages count)
reached while loading and running one forward pass of 64 tokens, above the resident memory after all imports; it is
given in GB and in multiples of the checkpoint's size in the target dtype. *Forward* is the time of one batch of 1 × 64
tokens, measured in turns with Hugging Face's model (sdpa) of the same weights, medians of the rounds, at one thread.
Linux only (it reads /proc). Under TransformerLens 4, which has no HookedTransformer, only the ways that need none run.
"""

import copy
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

GIGABYTE = 1e9
WAYS = {
    "spiritlens": "spiritlens",
    "spiritlens bridge": "spiritlens, on a TransformerBridge",
    "spiritlens folded": "spiritlens, norms folded",
    "spiritlens float32": "spiritlens, bfloat16 → float32",
    "hugging face": "Hugging Face alone",
    "transformer_lens": "TransformerLens's own path",
}
WayName = tyro.extras.literal_type_from_choices(WAYS)


def make_checkpoint(folder: Path, layers: int, width: int) -> None:
    """The same random weights twice: as one ``.bin`` and as safetensors shards."""
    import torch

    from spiritlens.models.checkpoints.checkpoint import write_shards
    from spiritlens.models.random_weights import random_config, random_weights

    config = random_config(
        n_layers=layers, d_model=width, n_heads=width // 128, d_mlp=int(width * 2.6875), d_vocab=32512, n_ctx=2048
    )
    weights = random_weights(config, dtype=torch.bfloat16)
    for kind in ("bin", "shards"):
        place = folder / kind
        place.mkdir()
        (place / "config.json").write_text(json.dumps(config.to_dict() | {"dtype": "bfloat16"}))
        if kind == "bin":
            torch.save(weights, place / "pytorch_model.bin")
        else:
            write_shards(weights, place, shard_bytes=2**29)


def resident(field: str) -> int:
    """Bytes of a field of /proc/self/status (VmRSS, VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measured_apart(ways: tuple[str, ...], folder: Path) -> list[dict[str, float]]:
    """Each way in a fork of this process, which imports for all of them."""
    import torch  # noqa: F401
    from transformers import LlamaForCausalLM  # noqa: F401

    from spiritlens.models.backends import maker  # imports are not part of the peak
    from spiritlens.models.checkpoints import checkpoint  # noqa: F401

    for way in ways:
        maker("bridge" if way.endswith("bridge") else None)
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        return pool.starmap(measure, [(way, folder) for way in ways], chunksize=1)


def measure(way: str, folder: Path) -> dict[str, float]:
    """Load one way in this process, run one forward pass, and report peaks and times."""
    import torch
    from transformers import LlamaForCausalLM

    from spiritlens.models.backends import maker
    from spiritlens.models.checkpoints.checkpoint import read_checkpoint

    tokens = torch.arange(3, 67)[None]
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    began = time.perf_counter()
    if way == "hugging face":
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    elif way == "transformer_lens":
        model = stock_model(folder)
    else:
        read = read_checkpoint(folder, torch.float32 if way.endswith("float32") else None)
        making = maker("bridge" if way.endswith("bridge") else None)
        model = making.converted(read.weights, read.config)
        del read
        if way.endswith("folded"):
            making.folded(model)
    loaded = time.perf_counter() - began
    with torch.no_grad():
        model(tokens)
    weights = sum(value.nbytes for value in {value.data_ptr(): value for value in model.parameters()}.values())
    return {"peak": resident("VmHWM") - before, "weights": weights, "load": loaded}


def stock_model(folder: Path):
    """TransformerLens's own conversion without processing: its config, its weight conversion, its loader."""
    import torch
    from transformer_lens import HookedTransformer
    from transformer_lens.pretrained.weight_conversions import convert_llama_weights
    from transformers import LlamaForCausalLM

    from spiritlens.models.hooked_transformer.conversion import hooked_config

    llama = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    config = hooked_config(llama.config, torch.bfloat16)
    model = HookedTransformer(config, tokenizer=None)
    state = convert_llama_weights(llama, config)
    model.load_and_process_state_dict(
        state, fold_ln=False, center_writing_weights=False, center_unembed=False, fold_value_biases=False
    )
    return model.eval().requires_grad_(False)


def forward_times(rounds: int, layers: int = 12, width: int = 576, rows: int = 32512) -> dict[str, float]:
    """Median seconds of a forward of 1 × 64 tokens in float32, in turns."""
    import torch
    from transformers import LlamaForCausalLM

    from spiritlens.models.backends import maker
    from spiritlens.models.checkpoints.llama import owned
    from spiritlens.models.random_weights import random_config, random_weights

    torch.set_num_threads(1)
    config = random_config(n_layers=layers, d_model=width, n_heads=width // 64, d_mlp=width * 8 // 3, d_vocab=rows)
    llama = LlamaForCausalLM(config).eval().requires_grad_(False)
    llama.load_state_dict(random_weights(config))
    models = {
        "Hugging Face": lambda tokens: llama(tokens, use_cache=False).logits,
        "spiritlens": maker(None).shared(copy.deepcopy(llama), "random"),
        "spiritlens, norms folded": maker(None).folded(maker(None).converted(owned(llama.state_dict()), config)),
        "spiritlens, on a TransformerBridge": maker("bridge").converted(owned(llama.state_dict()), config),
    }
    if maker(None).name == "hooked_transformer":
        stock = maker(None).shared(llama, "random")
        for name, value in stock.named_parameters():  # the layout that TransformerLens's own loader leaves
            if "W_" in name:
                value.data = value.data.contiguous()
        models["TransformerLens's own path"] = stock
    tokens, times = torch.arange(3, 67)[None], {name: [] for name in models}
    with torch.no_grad():
        for _ in range(rounds + 1):  # the first round warms up
            for name, model in models.items():
                began = time.process_time()
                model(tokens)
                times[name].append(time.process_time() - began)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def report(folder: Path, rounds: int) -> None:
    """Run every way in a process of its own and print the table."""
    from spiritlens.models.backends import maker

    ways = dict(WAYS)
    if maker(None).name != "hooked_transformer":
        del ways["transformer_lens"]
    print(f"{'way':34} {'files':8} {'weights GB':>10} {'peak GB':>8} {'peak / weights':>14} {'load s':>7}")
    for way, title in ways.items():
        for kind in ("bin", "shards"):
            command = [sys.executable, __file__, "--ways", way, "--folder", str(folder / kind)]
            done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
            if done.returncode:
                print(f"{title:34} {kind:8} failed: {done.stderr.strip().splitlines()[-1][:80]}")
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            ratio = found["peak"] / found["weights"]
            sizes = f"{found['weights'] / GIGABYTE:10.2f} {found['peak'] / GIGABYTE:8.2f}"
            print(f"{title:34} {kind:8} {sizes} {ratio:14.2f} {found['load']:7.1f}", flush=True)
    times = forward_times(rounds)
    print("\nforward of 1 × 64 tokens (12 layers, width 576, 32512 rows, float32, 1 thread, CPU time)")
    for name, seconds in times.items():
        print(f"  {name:34} {seconds * 1000:7.1f} ms  {seconds / times['Hugging Face']:.2f} × Hugging Face")


@dataclass
class Arguments:
    """Peak memory, load time and forward time of checkpoint loading."""

    layers: int = 18
    width: int = 2048
    rounds: int = 7
    ways: tuple[WayName, ...] = ()
    """Load in these ways, and print what each took."""
    folder: Path = Path()
    """The checkpoint that `ways` load."""


def main(settings: Arguments) -> None:
    if settings.ways:
        print(*map(json.dumps, measured_apart(settings.ways, settings.folder)), sep="\n")
        return
    folder = Path(tempfile.mkdtemp(prefix="loading-"))
    try:
        make_checkpoint(folder, settings.layers, settings.width)
        report(folder, settings.rounds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
