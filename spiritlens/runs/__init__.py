"""Runs of a model with interventions, and the sweep that fills whole grids of them exactly.

Words
    *clean run*: the prompt as it is. *Corrupted run*: the same prompt with, usually, its subject's embeddings
    disturbed, once per noise *sample*. *Restored run* (denoising): the corrupted run with some activations put back to
    their clean values; it asks what suffices. *Noised run* (noising): the clean run with some activations taken from
    the corrupted run; it asks what is necessary. *Base run*: the run that is patched; *source run*: the run whose
    values are put in. *Site*: component, layer, positions and perhaps a head. *Window*: neighbouring layers patched
    together. *Severing*: later MLP (or attention) outputs of the patched positions are held at the base run's values.
    *Read-out*: a position whose logits are scored (the last one; for answers of several tokens, each that predicts
    one).
Modules
    `sites` (where), `interventions` (what is done there), `corruptions` (how a subject is disturbed), `metrics` (what
    is measured), `run` (one run, to look at), `answers` (what the model knows), `sweep` (whole grids, exactly).
Source
    Meng et al. 2022 (causal tracing); Vig et al. 2020 (causal mediation); the exact suffix sweep is this project's.
"""
