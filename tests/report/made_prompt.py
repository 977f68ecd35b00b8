"""A prompt of the synthetic token maps; the spoken one is a short tone."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "effects"))

from effects_synthetic import SPEECH_TOKENS, TEXT_TOKENS

from spiritlens.prompts.prompt import Prompt, Span
from spiritlens.speech.audio.waveform import Waveform


def make_prompt(kind: str, answer_id: int) -> Prompt:
    """The prompt of the synthetic token maps, spoken as a short tone."""
    tokens = TEXT_TOKENS if kind == "T2T" else SPEECH_TOKENS
    columns = list(zip(*tokens, strict=True))
    time = np.arange(int(1.2 * 16000)) / 16000
    waveform = Waveform((0.4 * np.sin(2 * np.pi * 220 * time) * np.sin(np.pi * time / 1.2)).astype(np.float32))
    return Prompt(
        ids=tuple(range(len(tokens))),
        text="",
        labels=columns[0],
        families=columns[1],
        modalities=columns[2],
        words=("the", "capital", "of", "france", "is"),
        word_index=columns[6],
        roles=columns[3],
        parts=columns[4],
        starts=columns[7],
        ends=columns[8],
        subject=Span("france", tuple(place for place, role in enumerate(columns[3]) if role == "subject")),
        answer="paris",
        answer_ids=(100 + answer_id,),
        kind=kind,  # type: ignore[arg-type]
        voice="espeak:en-us" if kind == "S2T" else "",
        waveform=waveform if kind == "S2T" else None,
    )
