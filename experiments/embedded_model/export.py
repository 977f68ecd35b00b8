"""Stage *export*: the folder that is shipped, in SpiritLM's layout, with the unit encoder beside it.

`config.json`, `generation_config.json`, `model.safetensors` (float16), `tokenizer.model`, `tokenizer_config.json`,
`special_tokens_map.json`, `encoder.safetensors`, `encoder.json`, and `spiritlens.json`: the family's name, how many
units it has and what they stand for. The cards are written by hand beside them.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from embedded_model.documents import TokenIds
from embedded_model.pieces import template_words, write_tokenizer
from spiritlens.prompts.facts import Fact
from spiritlens.speech.embedded_units import load_mel_units

SHIPPED_FLOOR = 1e-3
"""Power under which the shipped encoder hears nothing (`MelEncoderConfig.floor`); training used 1e-5 and noise."""


def export_folder(
    model: LlamaForCausalLM, tokenizer: bytes, ids: TokenIds, facts: Sequence[Fact], encoder: Path, folder: Path
) -> None:
    """Write the shipped folder; `encoder`: the folder of the trained unit encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    half = LlamaForCausalLM(model.config).half()
    half.load_state_dict({name: value.half() for name, value in model.state_dict().items()})
    with torch.no_grad():
        for rows in (half.model.embed_tokens.weight, half.lm_head.weight):
            rows[ids.n_trained :] = 0
    half.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    write_tokenizer(folder, tokenizer, ids.n_units)
    copy_encoder(encoder, folder)
    units = load_mel_units(folder)
    record = {
        "format": "spiritlens.embedded/1",
        "family": "embedded",
        "n_units": ids.n_units,
        "unit_names": list(units.unit_names),
        "unit_rate": units.rate,
        "encoder": {"kind": "mel_units", "weights": "encoder.safetensors", "config": "encoder.json"},
        "text_pieces": ids.text_marker,
        "trained_ids": ids.n_trained,
        "untrained_ids": untrained_ids(ids, facts),
    }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
    (folder / "spiritlens.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def copy_encoder(encoder: Path, folder: Path) -> None:
    """The trained encoder with the floor that is shipped: `SHIPPED_FLOOR` lies under speech and over what silence is
    like in different engines. It was chosen on the watched voice flite:awb, on units the language model never saw."""
    shutil.copyfile(encoder / "encoder.safetensors", folder / "encoder.safetensors")
    record = json.loads((encoder / "encoder.json").read_text(encoding="utf-8"))
    text = json.dumps({**record, "floor": SHIPPED_FLOOR}, indent=1)
    (folder / "encoder.json").write_text(text, encoding="utf-8")


def untrained_ids(ids: TokenIds, facts: Sequence[Fact]) -> list[int]:
    """Text ids of no word that training writes (bytes, inner pieces of merges): they are no answers, and their rows
    say nothing of how large an embedding is."""
    names = [name for fact in facts for name in (fact.subject, fact.answer)]
    trained = {piece for text in [*names, *template_words(facts)] for piece in ids.text(text)}
    return sorted(set(range(ids.text_marker)) - trained - {ids.bos, ids.eos})
