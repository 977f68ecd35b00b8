"""Planted fact machines whose modalities share a mover head, have one each, or have one that stands by.

Hand-written on top of ``sl.planted("fact machine")``, whose mover L6H1 serves both modalities:

- *apart*: L6H1 finds the end of a written subject only, L6H3 that of a spoken one;
- *backup*: L7H1 copies the same attribute, but only where no answer was written before: an MLP in layer 6 raises a flag
  when an answer stands there at more than half of its size, and the flag turns L7H1 away.
"""

from either_kind import weights_by_name

from spiritlens.models.planted.planted import Planted, planted
from spiritlens.models.planted.vocabulary import token_kinds
from spiritlens.models.planted.weights import (
    ANSWER,
    ATTRIBUTE,
    FLAG,
    MERGED_SQUARES,
    MOVER_HEAD,
    MOVER_LAYER,
    READ,
    READ_SQUARES,
    SECOND_MOVER_HEAD,
    SHARPNESS,
    Directions,
    _scale,
    _write_attention,
    _write_mover_head,
    _write_values,
)

MERGE, MOVER, SPEECH_MOVER, BACKUP = "L1H0", "L6H1", "L6H3", "L7H1"
BACKUP_LAYER, BACKUP_HEAD = 7, 1
DECOY_SQUARES = ANSWER**2
"""What the decoy writes beside the mover."""


def heads_apart(backup: bool = False) -> Planted:
    """A machine with a mover for each modality."""
    machine = planted()
    weights, directions = weights_by_name(machine.lens.backend), _directions(machine)
    _write_mover_head(weights, directions, SECOND_MOVER_HEAD, "answer", ANSWER)
    keys = weights[f"blocks.{MOVER_LAYER}.attn.W_K"]
    keys[MOVER_HEAD, directions.flag("end speech")] = 0
    keys[SECOND_MOVER_HEAD, directions.flag("end text")] = 0
    if backup:
        _write_backup(machine)
    return machine


def shared_with_backup() -> Planted:
    """The fact machine with a backup of its mover."""
    machine = planted()
    _write_backup(machine)
    return machine


def _directions(machine: Planted) -> Directions:
    kinds = token_kinds(machine.lens.vocabulary)
    return Directions(kinds.n_codes, len(kinds.answers))


def _write_backup(machine: Planted) -> None:
    weights, directions = weights_by_name(machine.lens.backend), _directions(machine)
    answered, read, answers = directions["copy"].start, directions.flag("read"), directions["answer"]
    gate, up, down = (weights[f"blocks.{MOVER_LAYER}.mlp.{matrix}"] for matrix in ("W_gate", "W_in", "W_out"))
    factor = _scale(READ_SQUARES + DECOY_SQUARES + ANSWER**2)
    gain = 8 * SHARPNESS / factor
    for neuron in range(answers.stop - answers.start):
        gate[answers.start + neuron, neuron] = gain
        gate[read, neuron] = -gain * ANSWER / 2 / READ
        up[read, neuron] = 1 / (factor * READ)
        down[neuron, answered] = FLAG / (factor * gain * ANSWER / 2)
    squares = MERGED_SQUARES + ATTRIBUTE**2
    _write_attention(
        weights,
        directions,
        BACKUP_LAYER,
        BACKUP_HEAD,
        query=("read",),
        query_row=(READ, READ_SQUARES + DECOY_SQUARES),
        key=("end text", "end speech"),
        key_row=(FLAG, squares),
    )
    to_query = weights[f"blocks.{BACKUP_LAYER}.attn.W_Q"][BACKUP_HEAD]
    to_query[answered] = -2 * READ / FLAG * to_query[read]
    _write_values(
        weights, directions, BACKUP_LAYER, BACKUP_HEAD, "attribute", "answer", ANSWER / (_scale(squares) * ATTRIBUTE)
    )
