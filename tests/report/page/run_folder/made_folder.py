"""A run folder of synthetic effects, as a study leaves it, without a model."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

sys.path.append(str(Path(__file__).parents[2]))
sys.path.append(str(Path(__file__).parents[3] / "effects"))

from effects_synthetic import role_effects, token_effects
from made_prompt import make_prompt

import spiritlens as sl
from spiritlens.effects.run_directory import RunDirectory
from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.run_folder.record import KeptDataset, KeptMap, KeptMaps, PageRecord, write_record

PROMPTS = [replace(make_prompt(kind, fact), fact_id=f"fact{fact}") for fact in range(3) for kind in ("T2T", "S2T")]
ACCURACY = ({"group": "both", "facts": 40, "T2T": 0.9, "S2T": 0.7},)
FINDINGS = ("They agree <closely> & more.", "“Zweitens” − second.")
NOTES = ("Of 60 facts 20 were left out.",)


def roles_of(**options: Any) -> xr.Dataset:
    effects = role_effects(**{"n_facts": 8, "peaks": {"T2T": 2.0, "S2T": 4.0}, "model_name": "tiny", **options})
    return effects


def tokens() -> xr.Dataset:
    effects = token_effects(model_name="tiny")
    return effects.assign_coords(prompt_id=("prompt", np.array([prompt.id for prompt in PROMPTS])))


def make_folder(folder: Path, **options: Any) -> Path:
    """The folder with maps by role and token, prompts, sounds, a comparison and the maps of a cell."""
    roles, by_token = roles_of(**options), tokens()
    (folder / "tokens").mkdir(parents=True)
    (folder / "cells").mkdir()
    sl.effects.save(roles, folder / "effects.nc")
    sl.effects.save(by_token, folder / "tokens" / "effects.nc")
    sl.effects.save(sl.effects.average(roles), folder / "cells" / "both.nc")
    sl.comparison.save(sl.compare(roles, resamples=20, permutations=20), folder / "comparison.nc")
    RunDirectory(folder).write_prompts([prompt.to_dict() for prompt in PROMPTS])
    (folder / "study.json").write_text("{}")
    sounds = {}
    for prompt in PROMPTS:
        if prompt.waveform is not None:
            prompt.waveform.write(folder / "wavs" / f"{prompt.id}.wav")
            sounds[prompt.id] = f"wavs/{prompt.id}.wav"
    write_record(
        folder,
        PageRecord(
            datasets=(
                KeptDataset("by role", "effects.nc", tuple(roles["prompt_id"].values.tolist()), {"dose": "matched"}),
                KeptDataset("by token", "tokens/effects.nc", tuple(prompt.id for prompt in PROMPTS)),
            ),
            prompts=tuple(prompt.id for prompt in PROMPTS),
            sounds=sounds,
            accuracy=ACCURACY,
            findings=FINDINGS,
            notes=NOTES,
            maps=(KeptMaps("By <what>", "Read <so>.", (KeptMap("<both>", "cells/both.nc"), KeptMap("neither", ""))),),
            comparison="comparison.nc",
            settings={"voice": options.get("voice", "espeak:en-us"), "components": ["resid_pre"], "seed": 0},
        ),
    )
    return folder


def change_record(folder: Path, change: Any) -> None:
    """Change the values of ``page.json``."""
    path = folder / "page.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")


def prompts_with_sound_of_16_bits() -> list[Prompt]:
    return [
        prompt if prompt.waveform is None else replace(prompt, waveform=prompt.waveform.on_pcm16_grid())
        for prompt in PROMPTS
    ]
