"""Do writing and speech agree? Statistics over facts, and the sentences that they bear. Opens without torch.

`sl.compare(effects, rules=…, references=…)` is the door. Here are its values: `Rules` and `Margins` (level, smallest
effects of interest, clusters), `References` (twins, floors, ceilings), and `difference_by` (by what was heard). `save`
writes a comparison into a file, `load` reads it.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
