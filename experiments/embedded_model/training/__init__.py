"""One step, and checkpoints of a run: shared by the unit encoders and the language model."""
