"""Paths from one node to another, as `sl.path_patch` and `sl.attribute_edges` take them.

`Paths` says which edges are asked for and how: `Sender` nodes (heads, MLPs, the embedding) and `Receiver` inputs
(queries, keys, values, MLPs, the logits), the run that they are patched in, and what is held on the way.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
