"""The public names and where they come from: type checkers read this file, and so does the loader."""

from spiritlens import comparison as comparison
from spiritlens import components as components
from spiritlens import corruptions as corruptions
from spiritlens import effects as effects
from spiritlens import errors as errors
from spiritlens import heads as heads
from spiritlens import lenses as lenses
from spiritlens import paths as paths
from spiritlens import prompts as prompts
from spiritlens import speech as speech
from spiritlens import studies as studies
from spiritlens import tracing as tracing
from spiritlens.analysis.attribution.attribution_patching import attribution_patch as attribution_patch
from spiritlens.analysis.attribution.attribution_patching import relevance_patch as relevance_patch
from spiritlens.analysis.attribution.edge_attribution import attribute_edges as attribute_edges
from spiritlens.analysis.grid.grid import Draws as Draws
from spiritlens.analysis.grid.grid import Grid as Grid
from spiritlens.analysis.grid.grid import Screen as Screen
from spiritlens.analysis.interchange.interchange import interchange as interchange
from spiritlens.analysis.patching.activation_patching import activation_patch as activation_patch
from spiritlens.analysis.patching.activation_patching import back_patch as back_patch
from spiritlens.analysis.patching.donors import Donors as Donors
from spiritlens.analysis.paths.path_patching import path_patch as path_patch
from spiritlens.analysis.tracing.causal_tracing import causal_trace as causal_trace
from spiritlens.comparison.compare import compare as compare
from spiritlens.models.lens import Lens as Lens
from spiritlens.models.loading import load as load
from spiritlens.models.planted.planted import planted as planted
from spiritlens.models.selfcheck import selfcheck as selfcheck
from spiritlens.prompts.building.segments import SpeechSegment as SpeechSegment
from spiritlens.prompts.building.segments import TextSegment as TextSegment
from spiritlens.prompts.facts.fact import Fact as Fact
from spiritlens.prompts.facts.loading import load_facts as load_facts
from spiritlens.prompts.origin import Origin as Origin
from spiritlens.prompts.prompt import Prompt as Prompt
from spiritlens.prompts.recognise import recognise as recognise
from spiritlens.report import figures as figures
from spiritlens.report import page as page
from spiritlens.report import tables as tables
from spiritlens.report.methods.paragraph import methods as methods
from spiritlens.report.page.dashboard import dashboard as dashboard

# analysis, results, pages
from spiritlens.runs.answers import known_prompts as known_prompts
from spiritlens.runs.corruptions.corruption import Corruption as Corruption
from spiritlens.runs.corruptions.noise import Noise as Noise

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
from spiritlens.studies.sensitivity.sensitivity import sensitivity as sensitivity
from spiritlens.studies.study import study as study

__version__: str
