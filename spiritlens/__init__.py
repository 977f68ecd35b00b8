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

__version__ = "0.2.0"

# public name -> "module" (the module itself) or "module:attribute"
_PUBLIC = {
    # models
    "load": "spiritlens.models.loading:load",
    "Lens": "spiritlens.models.lens:Lens",
    "selfcheck": "spiritlens.models.selfcheck:selfcheck",
    "CheckpointError": "spiritlens.files.weights:CheckpointError",
    "planted": "spiritlens.models.planted.planted:planted",
    # speech and prompts
    "Waveform": "spiritlens.speech.audio.waveform:Waveform",
    "read_waveform": "spiritlens.speech.audio.waveform:read_waveform",
    "UnitStream": "spiritlens.speech.units:UnitStream",
    "WordInterval": "spiritlens.speech.words:WordInterval",
    "voice": "spiritlens.speech.voices.names:voice",
    "voices": "spiritlens.speech.voices.names:voices",
    "recordings_of_folder": "spiritlens.speech.recordings:recordings_of_folder",
    "recordings_of_dataset": "spiritlens.speech.recordings:recordings_of_dataset",
    "encode_recordings": "spiritlens.speech.recordings:encode_recordings",
    "speak_texts": "spiritlens.speech.recordings:speak_texts",
    "CachedEncoder": "spiritlens.speech.encoders.cached:CachedEncoder",
    "established_words": "spiritlens.speech.alignment.recognition:established_words",
    "unit_table": "spiritlens.speech.alignment.unit_words:unit_table",
    "compare_encoders": "spiritlens.speech.encoders.official:compare_encoders",
    "load_hubert_units": "spiritlens.speech.encoders.loading:load_hubert_units",
    "load_encoder": "spiritlens.speech.encoders.loading:load_encoder",
    "align": "spiritlens.speech.alignment.forced:align",
    "read_words": "spiritlens.speech.word_files.sources:read_words",
    "Vocabulary": "spiritlens.prompts.vocabulary.vocabulary:Vocabulary",
    "Prompt": "spiritlens.prompts.prompt:Prompt",
    "Span": "spiritlens.prompts.prompt:Span",
    "TextSegment": "spiritlens.prompts.building.build:TextSegment",
    "SpeechSegment": "spiritlens.prompts.building.build:SpeechSegment",
    "FAMILIES": "spiritlens.prompts.vocabulary.families:FAMILIES",
    "Family": "spiritlens.prompts.vocabulary.families:Family",
    "Fact": "spiritlens.prompts.facts:Fact",
    "facts": "spiritlens.prompts.facts",
    "load_facts": "spiritlens.prompts.facts:load_facts",
    # runs
    "run": "spiritlens.runs.run:run",
    "hook_name": "spiritlens.models.components:hook_name",
    "Site": "spiritlens.runs.sites:Site",
    "Intervention": "spiritlens.runs.interventions:Intervention",
    "corrupt": "spiritlens.runs.interventions:corrupt",
    "swap": "spiritlens.runs.interventions:swap",
    "restore": "spiritlens.runs.interventions:restore",
    "ablate": "spiritlens.runs.interventions:ablate",
    "freeze": "spiritlens.runs.interventions:freeze",
    "noise_scale": "spiritlens.runs.corruptions.noise:noise_scale",
    "Replacement": "spiritlens.runs.corruptions.replacement:Replacement",
    "KnockOut": "spiritlens.runs.corruptions.knock_out:KnockOut",
    "control_span": "spiritlens.runs.corruptions.corruption:control_span",
    "Noise": "spiritlens.runs.corruptions.noise:Noise",
    "NoiseScale": "spiritlens.runs.corruptions.noise:NoiseScale",
    # analysis, results, pages
    "known_prompts": "spiritlens.runs.answers:known_prompts",
    "causal_trace": "spiritlens.analysis.tracing.causal_tracing:causal_trace",
    "estimate_cost": "spiritlens.analysis.tracing.cost:estimate_cost",
    "dose_curve": "spiritlens.analysis.tracing.dose:dose_curve",
    "match_dose": "spiritlens.analysis.tracing.dose:match_dose",
    "first_look": "spiritlens.analysis.tracing.screen:first_look",
    "activation_patch": "spiritlens.analysis.patching.activation_patching:activation_patch",
    "back_patch": "spiritlens.analysis.patching.activation_patching:back_patch",
    "path_patch": "spiritlens.analysis.paths.path_patching:path_patch",
    "Sender": "spiritlens.analysis.paths.nodes:Sender",
    "Receiver": "spiritlens.analysis.paths.nodes:Receiver",
    "attribution_patch": "spiritlens.analysis.attribution.attribution_patching:attribution_patch",
    "edge_attribution": "spiritlens.analysis.attribution.edge_attribution:edge_attribution",
    "direct_logit_attribution": "spiritlens.analysis.heads.direct_logit_attribution:direct_logit_attribution",
    "head_knockout": "spiritlens.analysis.heads.head_knockout:head_knockout",
    "rank_heads": "spiritlens.comparison.head_ranking:rank_heads",
    "head_overlap": "spiritlens.comparison.head_ranking:head_overlap",
    "compare_rankings": "spiritlens.comparison.head_ranking:compare_rankings",
    "head_detectors": "spiritlens.analysis.heads.attention_mass:head_detectors",
    "attention_mass": "spiritlens.analysis.heads.attention_mass:attention_mass",
    "attention_knockout": "spiritlens.analysis.heads.attention_knockout:attention_knockout",
    "Edge": "spiritlens.analysis.heads.attention_knockout:Edge",
    "logit_lens": "spiritlens.analysis.lenses.logit_lens:logit_lens",
    "implicit_transcription": "spiritlens.analysis.lenses.implicit_transcription:implicit_transcription",
    "patchscope": "spiritlens.analysis.lenses.patchscope:patchscope",
    "compare": "spiritlens.comparison.compare:compare",
    "findings": "spiritlens.comparison.findings:findings",
    "total_effect": "spiritlens.effects.statistics:total_effect",
    "indirect_effect": "spiritlens.effects.statistics:indirect_effect",
    "normalised_indirect_effect": "spiritlens.effects.statistics:normalised_indirect_effect",
    "normalised_total_effect": "spiritlens.effects.statistics:normalised_total_effect",
    "average_total_effects": "spiritlens.effects.statistics:average_total_effects",
    "role_effects": "spiritlens.effects.statistics:role_effects",
    "Status": "spiritlens.effects.schema:Status",
    "average_effects": "spiritlens.effects.statistics:average_effects",
    "save_effects": "spiritlens.effects.store:save_effects",
    "load_effects": "spiritlens.effects.store:load_effects",
    "rejoin": "spiritlens.effects.rejoining:rejoin",
    "figures": "spiritlens.report.figures",
    "dashboard": "spiritlens.report.page.dashboard:dashboard",
    "study": "spiritlens.studies.study:study",
    "Study": "spiritlens.studies.study:Study",
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
