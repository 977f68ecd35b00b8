"""The public names and where they come from: type checkers read this file, and so does the loader."""

from spiritlens import corruptions as corruptions
from spiritlens import effects as effects
from spiritlens import errors as errors
from spiritlens import heads as heads
from spiritlens import prompts as prompts
from spiritlens import speech as speech
from spiritlens import studies as studies
from spiritlens.analysis.attribution.attribution_patching import attribution_patch as attribution_patch
from spiritlens.analysis.attribution.edge_attribution import edge_attribution as edge_attribution
from spiritlens.analysis.heads.attention_knockout import Edge as Edge
from spiritlens.analysis.heads.attention_knockout import attention_knockout as attention_knockout
from spiritlens.analysis.heads.direct_logit_attribution import direct_logit_attribution as direct_logit_attribution
from spiritlens.analysis.heads.head_knockout import head_knockout as head_knockout
from spiritlens.analysis.lenses.implicit_transcription import implicit_transcription as implicit_transcription
from spiritlens.analysis.lenses.logit_lens import logit_lens as logit_lens
from spiritlens.analysis.lenses.patchscope import patchscope as patchscope
from spiritlens.analysis.patching.activation_patching import activation_patch as activation_patch
from spiritlens.analysis.patching.activation_patching import back_patch as back_patch
from spiritlens.analysis.paths.nodes import Receiver as Receiver
from spiritlens.analysis.paths.nodes import Sender as Sender
from spiritlens.analysis.paths.path_patching import path_patch as path_patch
from spiritlens.analysis.tracing.causal_tracing import causal_trace as causal_trace
from spiritlens.analysis.tracing.cost import estimate_cost as estimate_cost
from spiritlens.analysis.tracing.dose import dose_curve as dose_curve
from spiritlens.analysis.tracing.dose import match_dose as match_dose
from spiritlens.analysis.tracing.screen import first_look as first_look
from spiritlens.comparison.compare import compare as compare
from spiritlens.components import hook_name as hook_name
from spiritlens.models.lens import Lens as Lens
from spiritlens.models.loading import load as load
from spiritlens.models.planted.planted import planted as planted
from spiritlens.models.selfcheck import selfcheck as selfcheck
from spiritlens.prompts.building.segments import SpeechSegment as SpeechSegment
from spiritlens.prompts.building.segments import TextSegment as TextSegment
from spiritlens.prompts.facts import Fact as Fact
from spiritlens.prompts.facts import load_facts as load_facts
from spiritlens.prompts.origin import Origin as Origin
from spiritlens.prompts.prompt import Prompt as Prompt
from spiritlens.report import figures as figures
from spiritlens.report import page as page
from spiritlens.report.page.dashboard import dashboard as dashboard

# analysis, results, pages
from spiritlens.runs.answers import known_prompts as known_prompts
from spiritlens.runs.corruptions.corruption import Corruption as Corruption
from spiritlens.runs.corruptions.knock_out import KnockOut as KnockOut
from spiritlens.runs.corruptions.noise import Noise as Noise
from spiritlens.runs.corruptions.replacement import Replacement as Replacement

# runs
from spiritlens.runs.generate import generate as generate
from spiritlens.runs.interventions import Intervention as Intervention
from spiritlens.runs.interventions import ablate as ablate
from spiritlens.runs.interventions import add as add
from spiritlens.runs.interventions import apply as apply
from spiritlens.runs.interventions import corrupt as corrupt
from spiritlens.runs.interventions import freeze as freeze
from spiritlens.runs.interventions import replace_with as replace_with
from spiritlens.runs.interventions import restore as restore
from spiritlens.runs.interventions import swap as swap
from spiritlens.runs.metrics import Metric as Metric
from spiritlens.runs.run import run as run
from spiritlens.runs.sites import Site as Site

# speech and prompts
from spiritlens.studies.study import study as study

__version__: str
