"""What a study is asked for, apart from its model and facts; what is wrong is told before a model is loaded.

Needs no torch, so that the command line can check before it loads a model.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from spiritlens.arguments import check_choice, listed, shown, whole, written
from spiritlens.prompts.facts import check_phrasing
from spiritlens.speech.engines.process import EngineError
from spiritlens.speech.voices.names import DEFAULT_VOICE, voice
from spiritlens.speech.voices.shipped import shipped_texts

Ask: TypeAlias = Literal["enough", "all"]
"""enough: facts are asked in random order until as many are known as are traced; all: every fact is asked, so that the
table of accuracy is of all of them."""


@dataclass(frozen=True)
class StudySettings:
    """The settings of `spiritlens.studies.study.study`, checked."""

    voice: str = DEFAULT_VOICE
    phrasing: str = "held out"
    n_facts: int = 40
    n_token_maps: int = 2
    components: Sequence[str] = ("resid_pre", "mlp_out", "attn_out")
    window: int | None = None
    samples: int = 10
    seed: int = 0
    ask: Ask = "enough"

    def __post_init__(self) -> None:
        for name, least in (("n_facts", 1), ("n_token_maps", 0), ("samples", 1), ("seed", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), at_least=least))
        if self.window is not None:
            object.__setattr__(self, "window", whole("window", self.window, at_least=1))
        object.__setattr__(self, "components", listed("components", self.components, of=str))
        check_choice("ask", self.ask, Ask)
        check_phrasing(self.phrasing)
        check_voice(self.voice)


def check_voice(name: str) -> None:
    """Refuse a voice that does not speak here, by letting it say a word; one with shipped texts may speak those."""
    try:
        voice(written("voice", name)).speak("one")
    except EngineError as error:
        if not shipped_texts(name):
            raise ValueError(f"voice={name!r} does not speak here: {error}") from error


def given_folder(out: str | Path) -> Path:
    """The folder as a path; refused where a file stands in its place."""
    if not isinstance(out, (str, Path)) or str(out) == "" or "\0" in str(out):
        raise ValueError(f"out={shown(out)}: expected the path of a folder, new or of an earlier run")
    folder = Path(out)
    existing = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), None)
    if existing is not None and not existing.is_dir():
        raise ValueError(f"out={folder}: {existing} is a file; name a folder, new or of an earlier run")
    return folder
