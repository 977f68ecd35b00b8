"""spiritlens: where and how a speech-text language model recalls facts, in writing and in speech.

    import spiritlens as sl

    lens = sl.load()                                   # the embedded model, or a checkpoint folder
    text = lens.text("The capital of France is", subject="France", answer="Paris")
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")
    effects = sl.causal_trace(lens, [text, spoken])

Names are resolved at first use (PEP 562): importing the package, reading results and drawing figures need no torch.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# public name -> "module" (the module itself) or "module:attribute"
_PUBLIC = {
    # models
    "load": "spiritlens.models.lens:load",
    "Lens": "spiritlens.models.lens:Lens",
    "selfcheck": "spiritlens.models.selfcheck:selfcheck",
    "models": "spiritlens.models",
    "planted": "spiritlens.models.planted:planted",
    # speech and prompts
    "Waveform": "spiritlens.speech.waveform:Waveform",
    "read_waveform": "spiritlens.speech.waveform:read_waveform",
    "UnitStream": "spiritlens.speech.units:UnitStream",
    "WordInterval": "spiritlens.speech.alignment:WordInterval",
    "voice": "spiritlens.speech.synthesis:voice",
    "voices": "spiritlens.speech.synthesis:voices",
    "align": "spiritlens.speech.forced_alignment:align",
    "read_words": "spiritlens.speech.word_sources:read_words",
    "Prompt": "spiritlens.prompts.prompt:Prompt",
    "Span": "spiritlens.prompts.prompt:Span",
    "TextSegment": "spiritlens.prompts.build:TextSegment",
    "SpeechSegment": "spiritlens.prompts.build:SpeechSegment",
    "FAMILIES": "spiritlens.prompts.families:FAMILIES",
    "Family": "spiritlens.prompts.families:Family",
    "Fact": "spiritlens.prompts.facts:Fact",
    "load_facts": "spiritlens.prompts.facts:load_facts",
    # runs
    "run": "spiritlens.runs.run:run",
    "Site": "spiritlens.runs.sites:Site",
    "Intervention": "spiritlens.runs.interventions:Intervention",
    "corrupt": "spiritlens.runs.interventions:corrupt",
    "swap": "spiritlens.runs.interventions:swap",
    "restore": "spiritlens.runs.interventions:restore",
    "ablate": "spiritlens.runs.interventions:ablate",
    "freeze": "spiritlens.runs.interventions:freeze",
    "noise_scale": "spiritlens.runs.noise:noise_scale",
    "Noise": "spiritlens.runs.noise:Noise",
    "NoiseScale": "spiritlens.runs.noise:NoiseScale",
    # analysis, results, pages
    "known_prompts": "spiritlens.analysis.knowledge:known_prompts",
    "causal_trace": "spiritlens.analysis.causal_tracing:causal_trace",
    "compare": "spiritlens.analysis.comparison:compare",
    "findings": "spiritlens.analysis.comparison:findings",
    "total_effect": "spiritlens.effects.statistics:total_effect",
    "indirect_effect": "spiritlens.effects.statistics:indirect_effect",
    "normalised_indirect_effect": "spiritlens.effects.statistics:normalised_indirect_effect",
    "average_total_effects": "spiritlens.effects.statistics:average_total_effects",
    "role_effects": "spiritlens.effects.statistics:role_effects",
    "Status": "spiritlens.effects.schema:Status",
    "average_effects": "spiritlens.effects.statistics:average_effects",
    "save_effects": "spiritlens.effects.store:save_effects",
    "load_effects": "spiritlens.effects.store:load_effects",
    "figures": "spiritlens.report.figures",
    "dashboard": "spiritlens.report.dashboard:dashboard",
    "study": "spiritlens.study:study",
    "Study": "spiritlens.study:Study",
    "ShapeError": "spiritlens.shapes:ShapeError",
}

__all__ = sorted(["__version__", *_PUBLIC])


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"spiritlens has no public name {name!r}; see dir(spiritlens)")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = importlib.import_module(module)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
