"""How a study was designed, as far as its findings depend on it: where answers are read, and doses."""

from collections.abc import Sequence

from spiritlens.studies.doses import StudyDose
from spiritlens.studies.marker_effect import MarkerEffect
from spiritlens.studies.selection import ChosenFact

UNLIKE = (
    "Written prompts end without the marker that ends the spoken ones: where the maps differ at the read-out, the "
    "marker may be what differs."
)
ALIKE = "Written prompts end as the spoken ones do; what the marker does by itself was not measured."


def design_sentences(chosen: Sequence[ChosenFact], dose: StudyDose, marker: MarkerEffect | None) -> tuple[str, ...]:
    """The marker's own effect, and the doses."""
    if marker is not None:
        return repr(marker), dose.sentence
    endings = {each.pair.written.roles[-1] == each.pair.spoken.roles[-1] for each in chosen}
    return ALIKE if all(endings) else UNLIKE, dose.sentence
