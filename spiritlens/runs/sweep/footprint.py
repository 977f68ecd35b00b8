"""What a sweep holds in memory, told from shapes before it runs: recorded runs, and rows with all that is made of them.

Only what is alive at the same moment counts, so each sum below is one moment of the code that it is named after, and
the largest is told:

1. *Recording* (`_recorded`): the activations that the plan reads, of both runs, stay until the prompt is finished.
   While the last of them are made, a block works on all runs at once: as a column's does where all that is read is at
   hand without scores (`spiritlens.models.protocol.AT_HAND`), else the model's own (`_recording`).
2. *Rows* (`_column`): two buffers of a column's rows; what one block makes of the rows that go through it together
   (on a CPU a few, on a GPU all); rows that part inside the block; logits at the read-outs, some rows at a time.
   Beside a user's own hooks rows are whole sequences (`_whole`): through the model's own block, whose tensors its
   backend tells (`LensModel.own_block_bytes`), with the logits of all positions.

Bytes are those of tensors. What an allocator keeps beside them, and what a kernel takes inside, is not told here.
Units: widths are numbers per token, times the model's `itemsize`; logits take `READ_OUT` bytes a number.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from spiritlens.components import COMPONENTS, HEAD_COMPONENTS, KEY_VALUE_COMPONENTS, hook_name
from spiritlens.models.precision import VOCAB_CHUNK
from spiritlens.models.protocol import AT_HAND, PREFIX_TO_SHARE, LensModel, names_at_hand
from spiritlens.runs.sweep.columns import rows_at_once
from spiritlens.runs.sweep.cost import ModelShape, shape_of
from spiritlens.runs.sweep.full_length import whole_rows
from spiritlens.runs.sweep.plan import Action, Column, LayerPlan, Plan, Which
from spiritlens.runs.sweep.sweep import READ_AT_ONCE, Sweep, divided

READ_OUT = 4
"""Bytes of a logit: float32; float64 models have 8."""

OF_TWO_TOKENS = ("scores", "pattern")
"""Components with a number for each query and key."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of one prompt's sweep: `recorded` all the time, `recording` and `rows` one after the other beside it.

    `largest_batch` is how many rows (cells × noise samples) go together in the widest column.
    """

    recorded: int
    recording: int
    rows: int
    largest_batch: int
    whole_batch: int
    """Rows of that column if none were split."""

    @property
    def peak(self) -> int:
        """The most that is held at once."""
        return self.recorded + max(self.recording, self.rows)


def footprint(model: LensModel, sweep: Sweep, runs: Mapping[Which, int], budget: int) -> Footprint:
    """What a planned sweep takes where its two runs are recorded so many times (`runs`), with a budget for rows."""
    shape, samples = shape_of(model), max(runs.values())
    length, readouts = sweep.plan.n_positions, sweep.n_readouts
    recorded = _recorded(shape, sweep, runs)
    recording = _recording_both(model, shape, sweep, runs)
    if sweep.whole_sequences:
        cells = len(sweep.programs) - len(set(sweep.unmoved))
        together = prod(whole_rows(model, length, samples, cells, budget))
        return Footprint(recorded, recording, _whole(model, shape, sweep, together), together, cells * samples)
    on_cpu = model.device.type == "cpu"
    pieces = [piece for column in sweep.plan.columns for piece in _pieces(model, column, sweep, samples, budget)]
    rows = max((_column(shape, sweep.plan, part, held, readouts, on_cpu) for part, held in pieces), default=0)
    batch = max((part.most_rows * held for part, held in pieces), default=0)
    most = max((column.most_rows for column in sweep.plan.columns), default=0)
    return Footprint(recorded, recording, rows, batch, most * samples)


def _pieces(model: LensModel, column: Column, sweep: Sweep, samples: int, budget: int) -> Iterator[tuple[Column, int]]:
    """Columns and noise samples that go together, as the sweep divides them."""
    parts, held = divided(model, sweep.plan, column, samples, sweep.n_readouts, budget)
    return ((part, held) for part in parts)


def _recorded(shape: ModelShape, sweep: Sweep, runs: Mapping[Which, int]) -> int:
    """What is kept of both runs, and the embeddings of the disturbed one."""
    embeddings = sum(count * sweep.plan.n_positions * shape.d_model for count in runs.values() if count > 1)
    return embeddings * shape.itemsize + sum(_kept(shape, sweep, run, count) for run, count in runs.items())


def _kept(shape: ModelShape, sweep: Sweep, run: Which, count: int) -> int:
    """The activations of a run that the plan reads, and its logits."""
    length = sweep.plan.n_positions
    width = _widths(shape, length)
    numbers = sum(width[name] for name in _names(shape, sweep, run))
    logits = sweep.n_readouts * shape.d_vocab * max(READ_OUT, shape.itemsize)
    return count * (length * numbers * shape.itemsize + logits)


def _names(shape: ModelShape, sweep: Sweep, run: Which) -> set[str]:
    """What is kept of a run."""
    return {*sweep.names[run], hook_name("resid_post", shape.n_layers - 1)}


def _widths(shape: ModelShape, length: int) -> dict[str, int]:
    """Numbers per token of every activation, by its hook name."""
    rows = [(row.name, layer) for layer in range(shape.n_layers) for row in COMPONENTS]
    return {hook_name(name, layer): _width(shape, name, length) for name, layer in rows}


def _width(shape: ModelShape, component: str, length: int) -> int:
    """Numbers of a component per token."""
    if component in OF_TWO_TOKENS:
        return shape.n_heads * length
    if component in KEY_VALUE_COMPONENTS:
        return shape.n_kv_heads * shape.d_head
    return shape.n_heads * shape.d_head if component in HEAD_COMPONENTS else shape.d_model


def _whole(model: LensModel, shape: ModelShape, sweep: Sweep, rows: int) -> int:
    """Rows as whole sequences: embeddings, what enters a block, the patched copy of an activation and the block; or the
    logits of all positions, and those at the read-outs. Where patterns are patched, the block holds at least scores,
    pattern and copy beside what they are made of."""
    length = sweep.plan.n_positions
    resid = rows * length * shape.d_model * shape.itemsize
    components = {action.component for program in sweep.programs for actions in program.values() for action in actions}
    widths = [_width(shape, name, length) for name in components - set(OF_TWO_TOKENS)]
    copied = rows * length * max(widths, default=0) * shape.itemsize
    logits = _logits(shape, rows * length)
    read_out = rows * sweep.n_readouts * shape.d_vocab * max(READ_OUT, shape.itemsize)
    own = model.own_block_bytes(rows, length)
    if "pattern" in components:
        heads = (shape.n_heads + 2 * shape.n_kv_heads) * shape.d_head
        three = 3 * _width(shape, "pattern", length)
        own = max(own, rows * length * (three + shape.d_model + heads) * shape.itemsize)
    return resid + max(resid + copied + own, logits + max(resid, read_out))


def _recording_both(model: LensModel, shape: ModelShape, sweep: Sweep, runs: Mapping[Which, int]) -> int:
    """What recording takes at most beside all that is kept in the end, of one run after the other."""
    length, readouts = sweep.plan.n_positions, sweep.n_readouts
    start = min(sweep.first_changed, length - readouts)
    plain = not model.has_user_hooks() and all(
        names_at_hand(shape.n_layers) >= _names(shape, sweep, run) for run in runs
    )
    if plain and start > 0:
        return _recording_rest(shape, sweep, runs, start)
    most, later = 0, sum(_kept(shape, sweep, run, count) for run, count in runs.items())
    for run, count in runs.items():
        later -= _kept(shape, sweep, run, count)
        names = _names(shape, sweep, run)
        if model.has_user_hooks() or not names_at_hand(shape.n_layers) >= names:
            most = max(most, _recording(model, shape, count, length, readouts) - later)
        else:
            most = max(most, _plain(shape, names, count, length, readouts) - later)
    return most


def _recording(model: LensModel, shape: ModelShape, count: int, length: int, readouts: int) -> int:
    """The last block of the model's own pass, before there are logits, or the logits after it: of all positions where a
    user's hooks may see them."""
    made = count * readouts * shape.d_vocab * max(READ_OUT, shape.itemsize)
    whole = _logits(shape, count * length) if model.has_user_hooks() else 0
    return max(model.own_block_bytes(count, length) - made, whole, _logits(shape, count * readouts) - made)


def _recording_rest(shape: ModelShape, sweep: Sweep, runs: Mapping[Which, int], start: int) -> int:
    """What recording takes where the disturbed run is run from `start` on, beside all that is kept in the end.

    The clean run has all that is asked for, and all keys and values, until the other is whole: while that one's last
    block runs, its first positions are not there; while they join, one activation is there twice; then its logits.
    """
    length, readouts = sweep.plan.n_positions, sweep.n_readouts
    other: Which = "source" if runs["source"] > runs["base"] else "base"
    clean: Which = "base" if other == "source" else "source"
    width, names, count = _widths(shape, length), _names(shape, sweep, other), runs[other]
    read = {hook_name(name, layer) for name in KEY_VALUE_COMPONENTS for layer in range(shape.n_layers)}
    beside = sum(width[name] for name in (names | read) - _names(shape, sweep, clean)) * length * shape.itemsize
    absent = sum(width[name] for name in names) * count * start * shape.itemsize
    made = count * readouts * shape.d_vocab * max(READ_OUT, shape.itemsize)
    joining = max(width[name] for name in names) * count * (length - start) * shape.itemsize - made
    block = _plain(shape, names, count, length - start, readouts) - absent
    return max(0, beside + max(block, joining, _logits(shape, count * readouts) - made))


def _plain(shape: ModelShape, names: Collection[str], count: int, length: int, readouts: int) -> int:
    """The last block of a pass without hooks, or the logits after it, beside what the run keeps in the end.

    In the attention: the entering and the normed residual, queries, keys and values as they are and turned, z. In the
    MLP: the entering and the normed residual, gate, up and output. What is kept of the layer is counted already, and
    what comes after that moment is not there yet.
    """
    head, key_value = shape.n_heads * shape.d_head, shape.n_kv_heads * shape.d_head
    last = shape.n_layers - 1
    kept = {name for name in AT_HAND if hook_name(name, last) in names}
    width = {name: _width(shape, name, length) for name in AT_HAND}

    def beside(there: Sequence[str], after: Sequence[str]) -> int:
        return sum(width[name] for name in there if name not in kept) - sum(width[n] for n in after if n in kept)

    attention = beside(("resid_pre", "q", "k", "v", "z"), ("attn_out", "resid_mid", "mlp_out", "resid_post"))
    attention += shape.d_model + head + key_value
    mlp = beside(("resid_mid", "mlp_out"), ("resid_post",)) + shape.d_model + 2 * shape.d_mlp
    made = count * readouts * shape.d_vocab * max(READ_OUT, shape.itemsize)
    return max(count * length * max(attention, mlp) * shape.itemsize - made, _logits(shape, count * readouts) - made)


def _logits(shape: ModelShape, rows: int) -> int:
    """Unembedding so many positions: half-precision models widen a share of the matrix, and join their parts."""
    logits = rows * shape.d_vocab * max(READ_OUT, shape.itemsize)
    if shape.itemsize >= READ_OUT:
        return logits
    share = min(VOCAB_CHUNK, shape.d_vocab) * shape.d_model * READ_OUT
    return max(logits + share, 2 * logits) + rows * shape.d_model * READ_OUT


def _column(shape: ModelShape, plan: Plan, column: Column, samples: int, readouts: int, on_cpu: bool) -> int:
    """The most that one column holds at once."""
    suffix = plan.n_positions - column.start
    buffer = column.most_rows * samples * suffix * shape.d_model * shape.itemsize
    at_once = rows_at_once(column.most_rows, samples, suffix, on_cpu)
    inside = 0
    for layer, block in column.layers:
        along = _Along(column.start, suffix, readouts if layer == plan.n_layers - 1 else suffix)
        through = (_block(shape, along, samples, *chunk) for chunk in _chunks(block, at_once))
        inside = max(inside, _parting(shape, block, samples, along.axis, plan.n_positions), *through)
    final = column.most_rows * samples * readouts * shape.d_model * shape.itemsize
    positions = min(column.most_rows * samples, READ_AT_ONCE) * readouts
    return max(2 * buffer + inside, final + _logits(shape, positions))


@dataclass(frozen=True)
class _Along:
    """Positions before a column, in it, and of it that a block computes."""

    start: int
    suffix: int
    axis: int


def _chunks(block: LayerPlan, at_once: int) -> Iterator[tuple[int, int]]:
    """Rows that go through a block together, and how often the residuals that enter it are copied: where they are no
    rows that follow each other, and where they are patched."""
    for first in range(0, len(block.parents), at_once):
        parents, actions = block.parents[first : first + at_once], block.actions[first : first + at_once]
        follow = parents[0] >= 0 and parents == tuple(range(parents[0], parents[0] + len(parents)))
        patched = any(action.component == "resid_pre" for own in actions for action in own)
        yield len(parents), (not follow and (parents[0] >= 0 or not patched)) + patched


def _block(shape: ModelShape, along: _Along, samples: int, rows: int, copies: int) -> int:
    """Rows through a whole block: the larger of its attention and its MLP, beside copies of what enters.

    In the attention: the normed residual, queries, keys and values, and what `_attending` holds. In the MLP: resid_mid
    (which attn_out has become), normed residual, gate, up and output.
    """
    head, key_value = shape.n_heads * shape.d_head, shape.n_kv_heads * shape.d_head
    entering = along.suffix * shape.d_model * copies
    own = along.suffix * (shape.d_model + 2 * key_value) + along.axis * head
    mlp = along.axis * (3 * shape.d_model + 2 * shape.d_mlp)
    prefix = samples * along.start * key_value
    widest = max(rows * samples * (own + _attending(shape, along)) + prefix, rows * samples * mlp)
    return (widest + rows * samples * entering) * shape.itemsize


def _attending(shape: ModelShape, along: _Along) -> int:
    """Numbers of one row's attention beside its queries, keys and values.

    Joined: turned queries, turned keys of the whole length, values of the whole length where there is a prefix, and z.
    Shared: turned and scaled queries, and the scores of all keys five times (of the prefix, all, as a pattern, twice by
    run).
    """
    head, key_value = shape.n_heads * shape.d_head, shape.n_kv_heads * shape.d_head
    length = along.start + along.suffix
    turned = along.axis * head * (1 if shape.n_heads == shape.n_kv_heads else 2)
    if along.start >= PREFIX_TO_SHARE * along.suffix:
        return turned + along.axis * (head + 5 * shape.n_heads * length) + along.suffix * key_value
    joined = length * key_value * (2 if along.start else 1)
    return turned + joined + along.axis * head


def _parting(shape: ModelShape, block: LayerPlan, samples: int, axis: int, n_positions: int) -> int:
    """Rows that part inside a block: their states behind it, and their own positions through its MLP.

    Those of equal positions go together: z, attn_out, resid_mid, mlp_out, what is gathered of them for the MLP, and the
    MLP's own.
    """
    first, width = n_positions - axis, 6 * shape.d_model + shape.n_heads * shape.d_head + 2 * shape.d_mlp
    after = len(block.new_rows) * samples * axis * shape.d_model
    inside = max(
        (count * samples * places * width for places, count in _groups(block, first)),
        default=0,
    )
    return (after + inside) * shape.itemsize


def _groups(block: LayerPlan, first: int) -> Iterable[tuple[int, int]]:
    """Numbers of positions and of rows, of the rows that part at the same positions from `first` on."""
    counts: dict[tuple[int, ...], int] = {}
    for actions in block.new_rows:
        own = _own(actions, first)
        counts[own] = counts.get(own, 0) + 1
    return [(len(own), count) for own, count in counts.items()]


def _own(actions: Sequence[Action], first: int) -> tuple[int, ...]:
    return tuple(sorted({position for action in actions for position in action.positions if position >= first}))
