"""One process's share of a study that several make together: its prompts of every trace, and nothing else.

Each process asks its share of the facts (`spiritlens.studies.asking_share`) and makes the selection from the answers of
all; the dose is measured by one of them; then it traces the prompts of its shard in every run directory of the study.
When all are through, `study` on the same folder finds every trace done, joins them, and writes the comparison and the
page.
"""

from collections.abc import Iterable

from spiritlens.arguments import told_keywords
from spiritlens.effects.inspecting import RunReport, inspect
from spiritlens.effects.shards import RunFolder, share
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact
from spiritlens.studies.ceilings import study_ceilings
from spiritlens.studies.floors import study_floors, unknown_pairs
from spiritlens.studies.page_record import BY_ROLE
from spiritlens.studies.settings import Protocol, StudySettings
from spiritlens.studies.study import DEFAULTS, prepared, seed_maps, study_place, traces


@told_keywords
def study_shard(
    lens: Lens,
    out: RunFolder,
    settings: StudySettings = DEFAULTS,
    facts: Iterable[Fact] | None = None,
    *,
    protocol: Protocol = "own",
) -> tuple[RunReport, ...]:
    """Make the share of a study that the shard in `out` names, as ``RunFolder("run", Shard(2, 8))``.

    Returns the state of the study's run directories. Raises ValueError as `study` does, and while another process is at
    work on the same shard.
    """
    place = study_place(out)
    ready = prepared(lens, place, settings, facts, protocol)
    noise, given = ready.dose.noise, (ready.lens, ready.both)
    traced = traces(ready, place)
    study_floors(*given, unknown_pairs(ready.asked.pairs), ready.settings, place.within("floors"), noise)
    if BY_ROLE in traced:  # a ceiling has no more prompts than the trace by role
        study_ceilings(*given, ready.settings, traced[BY_ROLE], place.within("ceilings"), noise)
    if protocol == "seed":
        share(lambda: seed_maps(ready, place))
    return inspect(place.path)
