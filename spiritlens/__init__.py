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
    "AlignedVoice": "speech.AlignedVoice",
    "CachedEncoder": "speech.CachedEncoder",
    "CheckpointError": "errors.CheckpointError",
    "CorruptionRequest": "corruptions.CorruptionRequest",
    "FAMILIES": "prompts.FAMILIES",
    "Family": "prompts.Family",
    "NoiseScale": "corruptions.NoiseScale",
    "ShapeError": "errors.ShapeError",
    "Span": "prompts.Span",
    "SpeechEncoder": "speech.SpeechEncoder",
    "Status": "effects.Status",
    "Stream": "prompts.Stream",
    "StreamEncoder": "speech.StreamEncoder",
    "Study": "studies.Study",
    "StudySettings": "studies.StudySettings",
    "UnitStream": "speech.UnitStream",
    "Utterance": "speech.Utterance",
    "Vocabulary": "prompts.Vocabulary",
    "Voice": "speech.Voice",
    "Waveform": "speech.Waveform",
    "WordInterval": "speech.WordInterval",
    "WordRule": "speech.WordRule",
    "align": "speech.align",
    "attention_mass": "heads.attention_mass",
    "average_effects": "effects.average",
    "average_total_effects": "effects.average_total",
    "compare_encoders": "speech.compare_encoders",
    "compare_rankings": "heads.compare_rankings",
    "control_span": "corruptions.control_span",
    "encode_recordings": "speech.encode_recordings",
    "established_words": "speech.established_words",
    "head_detectors": "heads.detectors",
    "head_overlap": "heads.overlap",
    "indirect_effect": "effects.indirect",
    "load_effects": "effects.load",
    "load_encoder": "speech.load_encoder",
    "load_hubert_units": "speech.load_encoder",
    "noise_scale": "corruptions.noise_scale",
    "normalised_indirect_effect": "effects.normalised_indirect",
    "normalised_total_effect": "effects.normalised_total",
    "rank_heads": "heads.rank",
    "read_waveform": "speech.read_waveform",
    "read_words": "speech.read_words",
    "recordings_of_dataset": "speech.recordings_of_dataset",
    "recordings_of_folder": "speech.recordings_of_folder",
    "rejoin": "effects.rejoin",
    "role_effects": "effects.by_role",
    "save_effects": "effects.save",
    "speak_texts": "speech.speak_texts",
    "study_cost": "studies.study_cost",
    "total_effect": "effects.total",
    "unit_table": "speech.unit_table",
    "voice": "speech.voice",
    "voices": "speech.available_voices",
}
"""Names of version 0.1 and where they are now: they are resolved with a FutureWarning until version 0.4."""

__getattr__, __dir__, __all__ = public_names(__name__, __file__, MOVED)
__all__ = sorted([*__all__, "__version__"])
