"""The recipe of the embedded speech-text model: `train.py` runs its stages, `measure.py` asks what it knows."""
