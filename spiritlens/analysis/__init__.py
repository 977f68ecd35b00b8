"""Methods: each takes a lens and prompts and returns a dataset of effects, of paths or of attributions.

==========================  ===========================================================================================
method                      asks
==========================  ===========================================================================================
`causal_tracing`            which activations bring the answer back when the subject is corrupted (with `causal_tracing_
                            dose`, `_screen`, `_cost`: matching the strength, a fast first look, the price beforehand)
`activation_patching`       what an activation of another prompt, modality or layer does here
`path_patching`             what reaches a receiver from a sender, with the paths in between frozen
`attribution_patching`      the same by gradients, for nodes; `edge_attribution` for edges, with integrated gradients
`head_attribution`          what each head, MLP and embedding adds to the answer's logit, by source position
`head_knockout`             what is lost without a head
`attention_knockout`        what is lost when some tokens cannot see others
`attention_mass`            where heads look: by role, by modality; previous-token, duplicate and induction heads
`lenses`                    what intermediate states say: logit lens, implicit transcription, patchscope
`comparison`                how far reading and hearing agree, with intervals over facts
==========================  ===========================================================================================

Signs and words are those of `docs/glossary.md`; results are checked by `spiritlens.effects`.
"""
