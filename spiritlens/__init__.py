"""spiritlens: where and how a speech-text language model recalls facts, in writing and in speech.

    import spiritlens as sl

    lens = sl.load()                                   # the embedded model, or a checkpoint folder
    text = lens.text("The capital of France is", subject="France", answer="Paris")
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")
    effects = sl.causal_trace(lens, [text, spoken])

Names are resolved at first use (PEP 562): importing the package, reading results and drawing figures need no torch.
"""

from spiritlens.public_names import public_names

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = public_names(__name__, __file__)
__all__ = sorted([*__all__, "__version__"])
