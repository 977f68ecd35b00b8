"""Around causal tracing: what it costs, a first look, the reference's settings, and how much noise is enough.

`rome` gives the arguments of `sl.causal_trace` by which the reference code traces; `estimate_cost` prices a trace
before it runs; `first_look` estimates one by gradients and checks itself; `dose_curve` and `match_dose` find the scale
of noise; `verify` checks a finished trace.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
