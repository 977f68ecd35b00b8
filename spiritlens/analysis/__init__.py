"""Methods: each takes a lens and prompts and returns a dataset of effects, of paths or of attributions.

===============================  =====================================================================================
folder                           asks
===============================  =====================================================================================
`tracing`                        which activations bring the answer back when the subject is corrupted; with the dose,
                                 a fast first look, and the cost beforehand
`patching`                       what an activation of another prompt, modality or layer does here
`paths`                          what reaches a receiver from a sender, with the paths in between held
`attribution`                    the same by gradients, for activations and for edges
`heads`                          what heads add to the answer, where they look, what is lost without them
`lenses`                         what intermediate states say: logit lens, implicit transcription, patchscope
===============================  =====================================================================================

They share `grid` and nothing else. How far the two modalities agree is in `spiritlens.comparison`. Signs and
words are those of `docs/glossary.md`; results are checked by `spiritlens.effects`.
"""
