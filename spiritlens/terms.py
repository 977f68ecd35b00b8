"""Closed words of the field that several rooms use: kinds of prompts, modalities, roles, parts, sites and directions.

T2T: asked in writing; S2T: asked in speech, the answer in writing both times. *Roles* say what a token is to the fact,
*parts* where it stands inside the subject; a single token is its *last* part.
"""

from typing import Literal, get_args

At = Literal["token", "word", "span", "role"]


Direction = Literal["denoising", "noising"]


MODALITIES = ("T2T", "S2T", "mixed")


AnswerModality = Literal["text", "speech", "any"]
"""What a continuation may hold: ``text`` pieces only, ``speech`` units only (pitch and style included), or ``any`` of
them and markers; never padding rows or special tokens."""


Facts = Literal["known", "all"]
"""known: prompts whose answer the model gives (``known`` = 1); all: every traced prompt."""


Kind = Literal["T2T", "S2T", "mixed"]
"""Told in writing (T2T), told in speech (S2T), or in both; the answer is asked for in writing each time."""


StreamName = Literal["unit", "pitch", "style"]
"""The streams of units that a model may write: ``unit`` says what is spoken, the others how."""


TokenFamily = Literal["bos", "marker", "text", StreamName]


Modality = Literal["none", "text", "speech"]


FoilRule = Literal["own", "runner-up"]
"""own: the foil that the prompt was built with; runner-up: the model's likeliest other answer."""


Role = Literal[
    "bos", "modality marker", "before subject", "subject", "after subject", "last word", "final marker"
]  # fmt: skip


Part = Literal["first", "middle", "last", "none"]


ROLES: tuple[Role, ...] = get_args(Role)


PARTS: tuple[Part, ...] = get_args(Part)


DEFAULT_VOICE = "espeak:en-us"
"""Who speaks unless another voice is named: the same samples on every machine, and a training voice of the embedded
model."""
