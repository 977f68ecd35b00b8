"""Stage *export*: the folder that is shipped, in SpiritLM's layout, with the unit encoder beside it.

`config.json`, `generation_config.json`, `model.safetensors` (float16), `tokenizer.model`, `tokenizer_config.json`,
`special_tokens_map.json`, the unit encoder's two files below `speech_tokenizer/hubert_25hz/`, and `spiritlens.json`:
the family's name, how many units it has and what they stand for. The cards are written by hand beside them.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from experiments.embedded_model.language_model.documents import TokenIds
from experiments.embedded_model.language_model.pieces import write_tokenizer
from experiments.embedded_model.language_model.unit_corpus import FRAME_RATE
from experiments.embedded_model.unit_encoder.hubert_student import N_LAYERS, UNIT_NAMES
from experiments.embedded_model.word_lists import sayings, template_words
from spiritlens.prompts.facts.fact import Fact
from spiritlens.speech.encoders.loading import OFFICIAL_FOLDER


def export_folder(
    model: LlamaForCausalLM, tokenizer: bytes, ids: TokenIds, untrained: Sequence[int], encoder: Path, folder: Path
) -> None:
    """Write the shipped folder; `untrained`: see `untrained_ids`; `encoder`: the folder of the unit encoder's files."""
    folder.mkdir(parents=True, exist_ok=True)
    half = LlamaForCausalLM(model.config).half()
    half.load_state_dict({name: value.half() for name, value in model.state_dict().items()})
    with torch.no_grad():
        for rows in (half.model.embed_tokens.weight, half.lm_head.weight):
            rows[ids.n_trained :] = 0
    half.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    write_tokenizer(folder, tokenizer, ids.n_units)
    shutil.copytree(encoder / OFFICIAL_FOLDER, folder / OFFICIAL_FOLDER, dirs_exist_ok=True)
    encoder_record = {"kind": "hubert", "name": "embedded", "layer": N_LAYERS, "n_clusters": ids.n_units - 1}
    record = {
        "format": "spiritlens.embedded/1",
        "family": "embedded",
        "n_units": ids.n_units,
        "unit_names": list(UNIT_NAMES),
        "unit_rate": FRAME_RATE,
        "encoder": encoder_record,
        "text_pieces": ids.text_marker,
        "trained_ids": ids.n_trained,
        "untrained_ids": list(untrained),
    }
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items())
    (folder / "spiritlens.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def untrained_ids(ids: TokenIds, facts: Sequence[Fact], *, named: bool) -> list[int]:
    """Text ids of no word that training writes (bytes, inner pieces of merges): they are no answers, and their rows
    say nothing of how large an embedding is. `named`: whether training says something of every name."""
    names = [name for fact in facts for name in (fact.subject, fact.answer)]
    said = [text for of_name in sayings(facts).values() for both in of_name for text in both] if named else []
    trained = {piece for text in [*names, *template_words(facts), *said] for piece in ids.text(text)}
    return sorted(set(range(ids.text_marker)) - trained - {ids.bos, ids.eos})
