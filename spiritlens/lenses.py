"""Lenses: what the states of a model say when they are read as words.

`logit_lens` reads every state by the unembedding, `patchscope` by the model's own continuation of another prompt,
`implicit_transcription` which written words the states of speech stand for.
"""

from spiritlens.public_names import public_names

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
