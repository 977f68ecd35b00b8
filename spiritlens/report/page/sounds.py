"""The sound of spoken prompts on the page: Opus in Ogg, a few kilobytes a prompt, in the page or in a folder beside it.

Opus keeps lengths and places to the sample at 16 kHz, so that times of words hold; a browser decodes it by itself.
Sounds stand in base64 and are decoded when they are played: in the page one after another, beside it each in a style
sheet of one value. A page that is opened from a folder may read no file of that folder but these: it could play a sound
file, but not cut a word out of it to the sample.
"""

import base64
import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import soundfile

from spiritlens.prompts.prompt import Prompt
from spiritlens.report.page.ogg import with_one_number
from spiritlens.report.page.packing import Described, Packing
from spiritlens.speech.audio.resampling import resample
from spiritlens.speech.audio.waveform import Waveform

Sounds = Literal["in the page", "beside it"]
"""in the page: one file holds all; beside it: style sheets in the folder ``sounds``, which is moved with the page."""

FOLDER = "sounds"
COMPRESSION = 0.94
"""libsndfile's measure, from 0 (large) to 1 (small): speech at about 25 kbit a second, 3 kilobytes."""
RATES = (8000, 12000, 16000, 24000, 48000)
"""Samples per second that Opus has."""


def opus(waveform: Waveform) -> bytes:
    """An Ogg file of the waveform in Opus; of equal waveforms equal bytes."""
    samples: Any = np.asarray(waveform.samples, dtype=np.float32)
    rate = waveform.rate
    if rate not in RATES:
        samples, rate = resample(samples, rate, 48000), 48000
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="OGG", subtype="OPUS", compression_level=COMPRESSION)
    return with_one_number(buffer.getvalue())


def packed_sounds(
    given: Mapping[int, Prompt], where: Sounds, packing: Packing
) -> tuple[Described, str, dict[str, bytes]]:
    """Which prompts have which sound (described); the sounds in base64, one after another ("": beside the page); and
    the files that belong beside the page, by their path from there.

    Equal sounds are kept once.
    """
    which: dict[int, int] = {}
    order: dict[str, int] = {}
    waveforms: list[Waveform] = []
    for place, prompt in given.items():
        if prompt.waveform is None or not len(prompt.waveform):
            continue
        digest = prompt.waveform.digest[:16]
        if digest not in order:
            order[digest] = len(order)
            waveforms.append(prompt.waveform)
        which[place] = order[digest]
    about: Described = {
        "prompts": packing.numbers("facts", np.asarray(list(which), dtype=np.int64)),
        "which": packing.numbers("facts", np.asarray(list(which.values()), dtype=np.int64)),
        "where": where,
    }
    with ThreadPoolExecutor() as pool:  # the encoder holds no lock of Python's
        texts = [base64.b64encode(data).decode() for data in pool.map(opus, waveforms)]
    if where == "beside it":
        names = [f"sound-{digest}" for digest in order]
        sheets = {
            f"{FOLDER}/{name}.css": f':host{{--{name}:"{text}"}}'.encode()
            for name, text in zip(names, texts, strict=True)
        }
        return {**about, "files": packing.texts("facts", list(sheets))}, "", sheets
    ends = np.cumsum([0, *(len(text) for text in texts)])
    return {**about, "ends": packing.numbers("facts", ends.astype(np.int64))}, "".join(texts), {}
