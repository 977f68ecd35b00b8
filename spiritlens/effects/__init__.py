"""Effects: what an intervention did to a metric, as plain `xarray.Dataset`, and the statistics over facts.

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

Rooms: `schema` (the effects dataset and its checks), `paths` (the same for edges), `quantities` (TE, IE of prompts),
`role_effects` (rows that modalities share), `statistics` (averages over facts), `resampling` (intervals and tests),
`store` (files and joins), `netcdf` (their bytes), `run_directory` (folders of parts), `rejoining` (effects.nc anew from
its parts). Nothing here imports torch, so results open on any laptop.
"""
