"""Closed words of the field that several rooms use: kinds of prompts, modalities, roles, parts, sites and directions.

T2T: asked in writing; S2T: asked in speech, the answer in writing both times. *Roles* say what a token is to the fact,
*parts* where it stands inside the subject; a single token is its *last* part. Every list of roles is made from the rows
of `ROLE_TABLE`; which token has a role is said in `spiritlens.prompts.roles`.
"""

from dataclasses import dataclass
from typing import Literal, get_args

At = Literal["token", "word", "span", "role"]


Direction = Literal["denoising", "noising"]


MODALITIES = ("T2T", "S2T", "mixed")


AnswerModality = Literal["text", "speech", "any"]
"""What a continuation may hold: ``text`` pieces only, ``speech`` units only (pitch and style included), or ``any`` of
them and markers; never padding rows or special tokens."""


BackwardRule = Literal["gradient", "relp"]
"""gradient: the derivative; relp: that of the model made linear (`spiritlens.runs.backward`)."""


Facts = Literal["known", "all"]
"""known: prompts whose answer the model gives (``known`` = 1); all: every traced prompt."""


Kind = Literal["T2T", "S2T", "mixed"]
"""Written (T2T), spoken (S2T), or both; the answer is asked for in writing each time."""


Progress = Literal["bar", "none"]
"""bar: a progress bar on stderr; none: nothing is shown."""


StreamName = Literal["unit", "pitch", "style"]
"""The streams of units that a model may write: ``unit`` says what is spoken, the others how."""


TokenFamily = Literal["bos", "marker", "text", StreamName]


Modality = Literal["none", "text", "speech"]


FoilRule = Literal["own", "runner-up"]
"""own: the foil that the prompt was built with; runner-up: the model's likeliest other answer."""


Role = Literal[
    "bos",
    "modality marker",
    "before subject",
    "subject",
    "after subject",
    "last word",
    "final marker",
]


Part = Literal["first", "middle", "last", "none"]


PARTS: tuple[Part, ...] = get_args(Part)

SUBJECT_PARTS = tuple(f"subject {part}" for part in PARTS if part != "none")
"""Names of the subject's parts, as of spans and of rows."""


@dataclass(frozen=True)
class RoleRow:
    """One role. `of_words`: its tokens belong to words, by which two prompts are matched; others are, one by one, by
    role. `curve`: figures draw its curve by default. `readout`: the answer may be read there, at the latest such role
    that a prompt has.
    """

    name: Role
    of_words: bool = True
    curve: bool = False
    readout: bool = False


ROLE_TABLE: tuple[RoleRow, ...] = (
    RoleRow("bos", of_words=False),
    RoleRow("modality marker", of_words=False),
    RoleRow("before subject"),
    RoleRow("subject", curve=True),
    RoleRow("after subject"),
    RoleRow("last word", curve=True, readout=True),
    RoleRow("final marker", of_words=False, curve=True, readout=True),
)
"""All roles, in the order in which figures show them."""

ROLES: tuple[Role, ...] = tuple(row.name for row in ROLE_TABLE)

READOUT = "read-out"
"""The row of the position at which the answer is read: the first of `READOUT_ROLES` that a prompt has."""
READOUT_ROLES: tuple[Role, ...] = tuple(row.name for row in reversed(ROLE_TABLE) if row.readout)


DEFAULT_VOICE = "espeak:en-us"
"""Who speaks unless another voice is named: the same samples on every machine, and a training voice of the embedded
model."""
