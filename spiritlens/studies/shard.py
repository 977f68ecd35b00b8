"""One process's share of a study that several make together: its prompts of every trace, and nothing else.

Each process asks the facts (answers are kept, and found by the others), measures or reads the dose, and traces the
prompts of its shard in every run directory of the study. When all are through, `study` on the same folder finds every
trace done, joins them, and writes the comparison and the page.
"""

from collections.abc import Iterable
from contextlib import suppress

from spiritlens.arguments import told_keywords
from spiritlens.effects.inspecting import RunReport, inspect
from spiritlens.effects.shards import EmptyShard, RunFolder
from spiritlens.models.lens import Lens
from spiritlens.prompts.facts.fact import Fact
from spiritlens.studies.floors import study_floors, unknown_pairs
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
    ready = prepared(lens, place.path, settings, facts, protocol)
    with suppress(EmptyShard):
        traces(ready, place)
    unknown, noise = unknown_pairs(ready.asked.pairs), ready.dose.noise
    with suppress(EmptyShard):
        study_floors(ready.lens, ready.both, unknown, ready.settings, place.within("floors"), noise)
    if protocol == "seed":
        with suppress(EmptyShard):
            seed_maps(ready, place)
    return inspect(place.path)
