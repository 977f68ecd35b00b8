"""How a study was designed, as far as its findings depend on it: where answers are read, doses, voices, phrasings."""

from collections.abc import Iterable, Sequence

from spiritlens.studies.doses import StudyDose
from spiritlens.studies.marker_effect import MarkerEffect
from spiritlens.studies.selection import ChosenFact

UNLIKE = (
    "Written prompts end without the marker that ends the spoken ones: where the maps differ at the read-out, the "
    "marker may be what differs."
)
ALIKE = "Written prompts end as the spoken ones do; what the marker does by itself was not measured."


def design_sentences(chosen: Sequence[ChosenFact], dose: StudyDose, marker: MarkerEffect | None) -> tuple[str, ...]:
    """The marker's own effect, the doses, and over which voices and phrasings the facts were asked.

    In a study of writing or speech alone nothing is said of endings.
    """
    sentences = [dose.sentence, _asked_in(chosen)]
    if marker is not None:
        return (repr(marker), *sentences)
    endings = {each.pair.written.roles[-1] == each.pair.spoken.roles[-1] for each in chosen}
    return (ALIKE if all(endings) else UNLIKE, *sentences)


def _asked_in(chosen: Sequence[ChosenFact]) -> str:
    """Whom and what nothing is said of: a single voice or phrasing stands for no other."""
    spoken = [each.pair.spoken for each in chosen]
    voices, phrasings = ({getattr(one, name) for one in spoken} for name in ("voice", "phrasing"))
    told = f"{_counted('voice', voices)} and {_counted('phrasing', phrasings)}"
    few = [name for name, found in (("voices", voices), ("phrasings", phrasings)) if len(found) == 1]
    nothing = f", so nothing is said of other {' or '.join(few)}" if few else ""
    return f"Facts were asked in {told}, each fact in the same phrasing written and spoken{nothing}."


def _counted(what: str, names: Iterable[str]) -> str:
    found = sorted(names)
    return f"one {what} ({found[0] or 'unnamed'})" if len(found) == 1 else f"{len(found)} {what}s"
