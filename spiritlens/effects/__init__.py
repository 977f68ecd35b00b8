"""Effects: what an intervention did to a metric, as plain `xarray.Dataset`, and averages over facts.

Glossary (the words are used in this sense everywhere):

clean, corrupted, restored, noised run
    the untouched run; the run whose subject was corrupted; the corrupted run with one site set back to its clean value;
    the clean run with one site set to its corrupted value.
direction
    *denoising* restores (is the site sufficient?), *noising* corrupts (is it necessary?). The two need not agree.
TE, total effect
    metric(clean) − metric(corrupted): what the corruption costs.
IE, indirect effect
    denoising: metric(restored) − metric(corrupted); noising: metric(clean) − metric(noised). Times the metric's sign,
    so that *larger* always means *more of the recall goes through here*.
nIE, nTE
    IE / TE (NaN where |TE| is small), TE / metric(clean).
ATE, AIE
    means over *facts* of TE and IE. Samples, voices and phrasings of a fact are averaged first: they are no more facts.
site axis
    `pos` (one token), `span` (tokens restored together: a word), `role` (all tokens of a role).
status
    how a cell came by its value: measured, exact (not run: provably the baseline), screened (not run), absent (no such
    cell).

Functions, as ``sl.effects.total(effects)``: `total`, `indirect`, `normalised_total`, `normalised_indirect` (of each
prompt), `by_role` (rows that modalities share), `average`, `average_total` (over facts, with intervals), `limits` (what
varies most, and how many more facts or voices would help), `save`, `load` (files), `rejoin` (effects.nc anew from its
parts), `inspect` (what a run holds and lacks), `merge` (runs of several machines into one), `canary` (whether the
engine did what it should); `Status` names how cells came about, `RunFolder` and `Shard` share a run among processes.

Modules: `schema` (the effects dataset and its checks), `paths` (the same for edges), `measures` (of other methods),
`metric_words` (what a metric is), `quantities` (TE, IE of prompts), `role_effects` (roles), `statistics` (facts),
`averages` (over facts), `canaries`, `clusters`, `intervals` (of means), `sign_flips` (tests), `bootstrap` (draws),
`variance`, `limits` (what limits a mean), `store` (files and joins), `netcdf` (their bytes), `run_directory` (folders
of parts), `contents`, `part_writer`, `prompt_table`, `environments`, `failures` (what is in them), `shards`,
`rejoining`, `inspecting`, `merging`. Nothing here imports torch, so results open on any laptop.
"""

from spiritlens.effects.averages import average as average
from spiritlens.effects.averages import average_total as average_total
from spiritlens.effects.canaries import Canary as Canary
from spiritlens.effects.canaries import canary as canary
from spiritlens.effects.inspecting import inspect as inspect
from spiritlens.effects.limits import limits as limits
from spiritlens.effects.merging import merge as merge
from spiritlens.effects.quantities import indirect as indirect
from spiritlens.effects.quantities import normalised_indirect as normalised_indirect
from spiritlens.effects.quantities import normalised_total as normalised_total
from spiritlens.effects.quantities import total as total
from spiritlens.effects.rejoining import rejoin as rejoin
from spiritlens.effects.role_effects import by_role as by_role
from spiritlens.effects.schema import Status as Status
from spiritlens.effects.shards import RunFolder as RunFolder
from spiritlens.effects.shards import Shard as Shard
from spiritlens.effects.store import load as load
from spiritlens.effects.store import save as save

__all__ = [
    "Canary",
    "RunFolder",
    "Shard",
    "Status",
    "average",
    "average_total",
    "by_role",
    "canary",
    "indirect",
    "inspect",
    "limits",
    "load",
    "merge",
    "normalised_indirect",
    "normalised_total",
    "rejoin",
    "save",
    "total",
]
