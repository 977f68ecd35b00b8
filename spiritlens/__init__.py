"""spiritlens: where and how a speech-text language model recalls facts, in writing and in speech.

    import spiritlens as sl

    lens = sl.load()                                   # the embedded model, or a checkpoint folder
    text = lens.text("The capital of France is", subject="France", answer="Paris")
    spoken = lens.speak("The capital of France is", subject="France", answer="Paris")
    effects = sl.causal_trace(lens, [text, spoken])

Names are resolved at first use (PEP 562): importing the package, reading results and drawing figures need no torch.
"""

from spiritlens.public_names import public_names

__version__ = "0.3.0"

MOVED = {
    "CachedEncoder": "speech.CachedEncoder",
    "CheckpointError": "errors.CheckpointError",
    "Edge": "heads.Blocked",
    "FAMILIES": "prompts.FAMILIES",
    "Family": "prompts.Family",
    "KnockOut": "corruptions.KnockOut",
    "NoiseScale": "corruptions.NoiseScale",
    "Receiver": "paths.Receiver",
    "Replacement": "corruptions.Replacement",
    "Sender": "paths.Sender",
    "ShapeError": "errors.ShapeError",
    "Span": "prompts.Span",
    "Status": "effects.Status",
    "Study": "studies.Study",
    "UnitStream": "speech.UnitStream",
    "Vocabulary": "prompts.Vocabulary",
    "Waveform": "speech.Waveform",
    "WordInterval": "speech.WordInterval",
    "align": "speech.align",
    "attention_knockout": "heads.attention_knockout",
    "attention_mass": "heads.attention_mass",
    "average_effects": "effects.average",
    "average_total_effects": "effects.average_total",
    "compare_encoders": "speech.compare_encoders",
    "compare_rankings": "heads.compare_rankings",
    "control_span": "corruptions.control_span",
    "direct_logit_attribution": "heads.direct_logit_attribution",
    "dose_curve": "tracing.dose_curve",
    "edge_attribution": "attribute_edges",
    "encode_recordings": "speech.encode_recordings",
    "established_words": "speech.established_words",
    "estimate_cost": "tracing.estimate_cost",
    "facts": "prompts.facts",
    "first_look": "tracing.first_look",
    "head_detectors": "heads.detectors",
    "head_knockout": "heads.head_knockout",
    "head_overlap": "heads.overlap",
    "hook_name": "components.hook_name",
    "implicit_transcription": "lenses.implicit_transcription",
    "indirect_effect": "effects.indirect",
    "load_effects": "effects.load",
    "load_encoder": "speech.load_encoder",
    "load_hubert_units": "speech.load_encoder",
    "logit_lens": "lenses.logit_lens",
    "match_dose": "tracing.match_dose",
    "noise_scale": "corruptions.noise_scale",
    "normalised_indirect_effect": "effects.normalised_indirect",
    "normalised_total_effect": "effects.normalised_total",
    "patchscope": "lenses.patchscope",
    "rank_heads": "heads.rank",
    "read_waveform": "speech.read_waveform",
    "read_words": "speech.read_words",
    "recordings_of_dataset": "speech.recordings_of_dataset",
    "recordings_of_folder": "speech.recordings_of_folder",
    "rejoin": "effects.rejoin",
    "role_effects": "effects.by_role",
    "save_effects": "effects.save",
    "speak_texts": "speech.speak_texts",
    "total_effect": "effects.total",
    "unit_table": "speech.unit_table",
    "voice": "speech.voice",
    "voices": "speech.available_voices",
}
"""Names of version 0.1 and where they are now: they are resolved with a FutureWarning until version 0.4."""

__getattr__, __dir__, __all__ = public_names(__name__, __file__, MOVED)
__all__ = sorted([*__all__, "__version__"])
