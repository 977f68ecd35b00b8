"""The recipe of the embedded speech-text model, stage by stage; `train_embedded_model.py` runs it."""
