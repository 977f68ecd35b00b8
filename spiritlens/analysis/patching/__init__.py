"""Activation patching: values of another prompt, modality or layer put into a run, over a whole grid."""
