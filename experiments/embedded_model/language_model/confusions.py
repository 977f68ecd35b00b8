"""What the unit encoder takes a phone for when it errs: the noise that unseen voices bring.

A unit stands for a phone class, and the corpus knows which phone is spoken when. Inside a phone, away from its ends,
every other unit is a confusion. Their frequencies over the training voices are the mistakes to expect of a voice that
was never heard, only more of them; so units replaced by these are better noise than units drawn at random.
"""

from collections.abc import Sequence

import numpy as np

from experiments.embedded_model.language_model.unit_corpus import EncodedLine
from experiments.embedded_model.unit_encoder.encoder_training import frame_classes

EVERY_LINE = 3


def confusions(lines: Sequence[EncodedLine]) -> dict[int, np.ndarray]:
    """By phone class: the other units given inside its phones, as often as they were; of versions at their own speed.

    Classes that were never mistaken are missing. A frame is inside if both its neighbours are of its class.
    """
    mistaken: dict[int, list[int]] = {}
    for line in lines[::EVERY_LINE]:
        classes = frame_classes(line.line) if line.line.phones else np.empty(0, np.int16)
        count = min(len(classes), len(line.frames))
        if abs(len(classes) - len(line.frames)) > 1 or count < 3:
            continue
        classes, units = classes[:count], line.frames[:count]
        inside = np.flatnonzero((classes[1:-1] == classes[:-2]) & (classes[1:-1] == classes[2:])) + 1
        for frame in inside[classes[inside] != units[inside]].tolist():
            mistaken.setdefault(int(classes[frame]), []).append(int(units[frame]))
    return {unit: np.array(others) for unit, others in mistaken.items()}
