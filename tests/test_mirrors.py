"""Tests mirror modules: `spiritlens/a/b.py` is tested in `tests/a/test_b.py`, or in the file that is named here."""

from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "spiritlens"

NEED_NONE = (
    "analysis/grid/results",  # columns and attributes that every method's own test reads
    "corruptions",
    "effects/measures",
    "errors",
    "heads",
    "lenses",
    "models/backend_row",
    "models/protocol",
    "paths",
    "report/words",
    "speech/alignment/levels",
    "terms",
    "tracing",
)
"""Tables, protocols and lists of names."""

ELSEWHERE = {
    "analysis/grid/cells": "analysis/patching/test_grid",
    "analysis/grid/grid": "analysis/tracing/test_grid",
    "analysis/grid/prompt_folder": "analysis/tracing/test_traced_folder",
    "analysis/interchange/measured_sets": "analysis/interchange/test_interchange",
    "analysis/patching/canary": "analysis/grid/test_canary",
    "analysis/paths/canary": "analysis/grid/test_canary",
    "analysis/patching/one_prompt": "analysis/patching/test_activation_patching",
    "analysis/tracing/settings": "analysis/tracing/test_grid",
    "analysis/tracing/verifying": "analysis/grid/test_shared_run",
    "analysis/heads/references": "analysis/heads/test_head_knockout",
    "comparison/cells": "comparison/test_compare",
    "comparison/compared": "comparison/test_statistics",
    "comparison/conditions": "comparison/test_findings",
    "comparison/gates": "comparison/test_findings",
    "comparison/pairing": "comparison/test_compare",
    "comparison/references": "comparison/test_findings",
    "comparison/rules": "odd_inputs/areas/statistics",
    "comparison/sampling": "comparison/test_statistics",
    "effects/given": "odd_inputs/areas/statistics",
    "effects/inspecting": "analysis/grid/test_shared_run",
    "effects/joining": "effects/test_round_trip",
    "effects/making": "effects/test_schema",
    "effects/merging": "analysis/grid/test_shared_run",
    "effects/netcdf": "effects/test_round_trip",
    "files/weights": "models/checkpoints/test_checkpoint",
    "models/checkpoints/weight_files": "models/checkpoints/test_checkpoint",
    "models/blocks/generation": "runs/test_generate",
    "models/blocks/places": "models/blocks/test_lens_model",
    "models/blocks/tokenizer": "models/test_lens",
    "models/blocks/weights": "models/blocks/test_suffix",
    "models/hooked_transformer/backend": "models/test_backends",
    "models/hooked_transformer/settings": "models/blocks/test_fingerprint",
    "models/transformer_bridge/backend": "models/test_backends",
    "models/loading": "models/checkpoints/test_checkpoint",
    "models/planted/vocabulary": "models/planted/test_planted",
    "models/planted/weights": "models/planted/test_planted",
    "models/random_weights": "models/blocks/test_lens_model",
    "models/speaking": "models/test_lens",
    "prompts/building/draft": "prompts/building/test_build",
    "prompts/facts/columns": "prompts/facts/test_loading",
    "prompts/facts/left_out": "prompts/facts/test_loading",
    "prompts/facts/loaded": "prompts/facts/test_loading",
    "prompts/facts/rows": "prompts/facts/test_loading",
    "prompts/facts/text_tables": "prompts/facts/test_loading",
    "prompts/given": "analysis/test_prompts_without_questions",
    "prompts/prompt_values": "prompts/test_prompt",
    "prompts/facts/squad": "prompts/facts/test_spoken_sets",
    "prompts/facts/triples": "prompts/facts/test_spoken_sets",
    "prompts/subject_key": "analysis/patching/test_donors",
    "prompts/vocabulary/family": "prompts/vocabulary/test_families",
    "prompts/vocabulary/given_tokenizer": "models/hooked_transformer/test_accepting",
    "prompts/vocabulary/sentencepieces": "prompts/vocabulary/test_vocabulary",
    "prompts/vocabulary/spelling": "prompts/vocabulary/test_spacing",
    "prompts/vocabulary/tokenizer_files": "prompts/vocabulary/test_vocabulary",
    "report/figures/accuracy_table": "report/test_tables",
    "report/figures/chosen": "report/figures/test_own_results",
    "report/figures/figure": "report/figures/test_own_results",
    "report/acts": "report/page/sections/test_kinds",
    "report/figures/dots": "report/figures/test_head_ranking",
    "report/figures/head_means": "report/figures/test_head_map",
    "report/figures/head_measures": "report/figures/test_own_results",
    "prompts/spoken_seconds": "report/page/test_spoken",
    "report/figures/heatmap": "report/figures/test_trace_map",
    "report/figures/look": "report/figures/test_trace_map",
    "report/figures/peak_layers": "report/test_tables",
    "report/figures/rows": "report/figures/test_trace_map",
    "report/figures/scale": "report/figures/test_trace_map",
    "report/figures/total_effects": "report/test_tables",
    "report/figures/printing/layout": "report/figures/test_paper",
    "report/methods/sources": "report/methods/test_paragraph",
    "report/page/averages": "report/page/test_contents",
    "report/page/difference": "report/page/test_contents",
    "report/page/document": "report/page/test_dashboard",
    "report/page/facts_table": "report/page/test_contents",
    "report/page/maps": "report/page/test_contents",
    "report/page/sounds": "report/page/test_contents",
    "report/page/run_folder/reading": "report/page/run_folder/test_of_folder",
    "report/paper/averages_table": "report/paper/test_writing",
    "report/paper/comparison_table": "report/paper/test_writing",
    "report/paper/formats": "report/paper/test_writing",
    "report/methods/sentences": "report/page/test_dashboard",
    "report/page/sections/attention": "report/page/sections/test_kinds",
    "report/page/sections/attribution": "report/page/sections/test_kinds",
    "report/page/sections/averages": "report/page/sections/test_kinds",
    "report/page/sections/comparison": "report/page/sections/test_kinds",
    "report/page/sections/doses": "report/page/sections/test_kinds",
    "report/page/sections/effects": "report/page/sections/test_kinds",
    "report/page/sections/given": "report/page/sections/test_kinds",
    "report/page/sections/heads": "report/page/sections/test_kinds",
    "report/page/sections/interchange": "report/page/sections/test_kinds",
    "report/page/sections/lens": "report/page/sections/test_kinds",
    "report/page/sections/paths": "report/page/sections/test_kinds",
    "report/page/sections/tables": "report/page/sections/test_kinds",
    "runs/corruptions/knock_out": "runs/corruptions/test_corruption",
    "runs/corruptions/replacement": "runs/corruptions/test_corruption",
    "runs/corruptions/unit_sequences": "runs/corruptions/test_corruption",
    "runs/interventions": "runs/test_run",
    "runs/likeliest": "runs/test_run",
    "runs/placing": "runs/test_run",
    "runs/scoring": "runs/test_metrics",
    "runs/sweep/cost": "analysis/tracing/test_cost",
    "speech/alignment/sphinx": "speech/alignment/test_forced",
    "speech/audio/contents": "speech/audio/test_sources",
    "speech/audio/decoding": "speech/audio/test_waveform",
    "speech/encoders/fairseq_files": "speech/encoders/test_loading",
    "speech/encoders/hugging_face_files": "speech/encoders/test_loading",
    "speech/encoders/quantizers": "speech/encoders/test_loading",
    "speech/engines/answering": "speech/engines/test_process",
    "speech/engines/assembling": "speech/voices/test_names",
    "speech/engines/espeak_child": "speech/engines/test_espeak",
    "speech/engines/festival": "speech/voices/test_names",
    "speech/engines/flite_child": "speech/engines/test_flite",
    "speech/engines/utterance": "speech/voices/test_names",
    "speech/word_files/choice": "speech/word_files/test_sources",
    "speech/word_files/cues": "speech/word_files/test_formats",
    "speech/word_files/elan": "speech/word_files/test_formats",
    "speech/word_files/labels": "speech/word_files/test_formats",
    "speech/word_files/lines": "speech/word_files/test_formats",
    "speech/word_files/tables": "speech/word_files/test_formats",
    "speech/word_files/textgrids": "speech/word_files/test_formats",
    "speech/word_files/transcripts": "speech/word_files/test_formats",
    "speech/words": "speech/word_files/test_formats",
    "studies/page_record": "studies/test_study",
    "studies/design": "studies/test_study",
    "studies/kept_answers": "studies/test_study",
    "studies/pairs": "studies/test_study",
    "studies/selection": "studies/test_study",
    "studies/settings": "studies/test_study",
    "studies/sensitivity/figure": "studies/sensitivity/test_sensitivity",
    "studies/sensitivity/measuring": "studies/sensitivity/test_sensitivity",
    "studies/sensitivity/page": "studies/sensitivity/test_sensitivity",
    "studies/sensitivity/sections": "studies/sensitivity/test_sensitivity",
    "studies/sensitivity/varied": "studies/sensitivity/test_sensitivity",
    "studies/sensitivity/result": "studies/sensitivity/test_sensitivity",
    "studies/sensitivity/variant": "studies/sensitivity/test_variants",
    "studies/sensitivity/variant_result": "studies/sensitivity/test_sensitivity",
    "studies/traces": "studies/test_study",
    "text_tables": "runs/test_run",
}
"""Modules that are tested together with others, and where. A file of their own name is better."""


def modules() -> list[str]:
    found = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    return sorted(module.as_posix() for module in found if not module.name.startswith("__"))


def has_its_own(module: str) -> bool:
    path = TESTS / module
    return path.with_name(f"test_{path.name}.py").exists()


def test_every_module_has_its_tests() -> None:
    untested = [module for module in modules() if not has_its_own(module) and module not in {*NEED_NONE, *ELSEWHERE}]
    assert untested == [], "write tests/…/test_NAME.py for each"


def test_what_is_tested_elsewhere_has_no_file_of_its_own_there() -> None:
    listed = [*NEED_NONE, *ELSEWHERE]
    assert [module for module in listed if module not in modules()] == [], "these modules are gone"
    assert [module for module in listed if has_its_own(module)] == [], "these have a file of their own now"
    assert [file for file in ELSEWHERE.values() if not (TESTS / f"{file}.py").exists()] == [], "no such test files"
