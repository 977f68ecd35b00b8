"""The dose of a study's noise: scaled so that both modalities lose the same share of the answer's probability, or not.

A spoken subject has ten times the tokens of a written one, so noise of equal scale is not an equal dose
(`spiritlens.tracing.match_dose`); maps are comparable at equal total effects. Matching takes some ten passes a prompt
and sample, a small part of a trace. Where it cannot be done (noise takes nothing away, one modality is not traced)
the noise has its default scale in both, and the sentence says so.

A folder has one dose, that of its first run, which ``dose.json`` keeps: a study that goes on, or is given more facts,
has the very same noise.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock

from spiritlens.analysis.grid.grid import Draws
from spiritlens.analysis.tracing.dose import match_dose
from spiritlens.arguments import check_choice
from spiritlens.files.atomic import write_whole
from spiritlens.models.lens import Lens
from spiritlens.prompts.prompt import Prompt
from spiritlens.runs.corruptions.noise import Noise, NoiseScale
from spiritlens.studies.settings import Dose, StudySettings

WORDS = {"text": "in writing", "speech": "in speech"}


@dataclass(frozen=True)
class StudyDose:
    """The noise of a study. `rule` is what holds, whatever was asked for; `why` says why it is not "matched".

    `scale` (text, speech; none: the default) is a standard deviation in units of embedding entries; `reached` the mean
    normalised total effect of each modality over the `n_prompts` on which it was matched, `multiples` the scale in
    units of the default one.
    """

    rule: Dose
    why: str = ""
    scale: Mapping[str, float] = field(default_factory=dict)
    reached: Mapping[str, float] = field(default_factory=dict)
    multiples: Mapping[str, float] = field(default_factory=dict)
    n_prompts: int = 0

    @property
    def noise(self) -> Noise | None:
        """The corruption of the traces; None is the default noise."""
        return Noise(NoiseScale(**self.scale)) if self.scale else None

    @property
    def sentence(self) -> str:
        """What the dose is, for a reader of the maps."""
        if self.rule == "equal":
            return (
                f"Doses are not matched ({self.why}): noise had its default scale in both modalities, so a difference "
                "of their total effects may be one of dose."
            )
        losses = " and ".join(
            f"{self.reached[name]:.2f} {words} ({self.multiples[name]:.2f} × the default scale)"
            for name, words in WORDS.items()
        )
        return (
            f"Doses are matched: noise was scaled so that over {self.n_prompts} prompts it takes away the same share "
            f"of the answer's probability, {losses}."
        )


def study_dose(lens: Lens, prompts: Sequence[Prompt], settings: StudySettings, path: Path) -> StudyDose:
    """The dose of these prompts, or the one that `path` keeps. Raises ValueError for a file that was changed."""
    if settings.dose == "equal":
        return StudyDose("equal", "as was asked for")
    if path.is_file():
        return _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(".dose.lock")):  # one of several shards measures it, the others read it
        if path.is_file():
            return _read(path)
        found = _matched(lens, prompts, settings)
        write_whole(path, json.dumps(asdict(found), indent=1, ensure_ascii=False).encode())
    return found


def _matched(lens: Lens, prompts: Sequence[Prompt], settings: StudySettings) -> StudyDose:
    try:
        found = match_dose(lens, prompts, samples=Draws(settings.samples, settings.seed))
    except ValueError as error:
        return StudyDose("equal", str(error))
    scale = {name: found.scale.of(name) for name in WORDS}
    return StudyDose("matched", scale=scale, reached=found.reached, multiples=found.multiples, n_prompts=len(prompts))


def _read(path: Path) -> StudyDose:
    """What is kept, checked by making the noise and the sentence of it."""
    try:
        found = StudyDose(**json.loads(path.read_text(encoding="utf-8")))
        check_choice("rule", found.rule, Dose)
        _ = found.noise, found.sentence
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read ({error}): it was changed; use another folder") from error
    return found
