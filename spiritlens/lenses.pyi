from spiritlens.analysis.lenses.implicit_transcription import implicit_transcription as implicit_transcription
from spiritlens.analysis.lenses.logit_lens import logit_lens as logit_lens
from spiritlens.analysis.lenses.patchscope import patchscope as patchscope
