"""What a plan costs before it runs: token-layers and floating-point operations of a model's shape."""

from dataclasses import dataclass

from spiritlens.models.protocol import LensModel
from spiritlens.runs.sweep.plan import Plan


@dataclass(frozen=True)
class ModelShape:
    """Sizes that decide the cost."""

    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    itemsize: int
    """Bytes of one number."""

    @property
    def block_parameters(self) -> int:
        """Weights of one block: q and output, k and v, and the three matrices of the gated MLP."""
        attention = 2 * self.n_heads * self.d_head + 2 * self.n_kv_heads * self.d_head
        return self.d_model * (attention + 3 * self.d_mlp)

    def block_flops(self, length: float) -> float:
        """FLOPs of one token through one block that attends to `length` positions."""
        return 2 * self.block_parameters + 4 * self.n_heads * self.d_head * length

    @property
    def mlp_flops(self) -> int:
        """FLOPs of one token through one MLP."""
        return 6 * self.d_model * self.d_mlp

    @property
    def readout_flops(self) -> int:
        """FLOPs of unembedding one position."""
        return 2 * self.d_model * self.d_vocab


def shape_of(model: LensModel) -> ModelShape:
    """Sizes of a loaded model."""
    itemsize = {"float64": 8, "float32": 4}.get(str(model.dtype).removeprefix("torch."), 2)
    return ModelShape(
        model.n_layers,
        model.n_heads,
        model.n_kv_heads,
        model.d_model,
        model.d_head,
        model.d_mlp,
        model.d_vocab,
        itemsize,
    )


def plan_flops(shape: ModelShape, plan: Plan, samples: int, n_readouts: int = 1) -> float:
    """FLOPs of a plan: no scheme that runs its rows exactly does fewer matrix products.

    In the last block, keys and values are needed of every position, everything else of the read-outs.
    """
    total = 0.0
    key_value = 4 * shape.d_model * shape.n_kv_heads * shape.d_head
    for column in plan.columns:
        suffix = plan.n_positions - column.start
        length = (column.start + plan.n_positions + 1) / 2
        for layer, block in column.layers:
            if layer == plan.n_layers - 1:
                per_row = suffix * key_value + n_readouts * (shape.block_flops(plan.n_positions) - key_value)
            else:
                per_row = suffix * shape.block_flops(length)
            total += samples * len(block.parents) * per_row
    return (
        total + plan.token_mlps(samples) * shape.mlp_flops + plan.n_rows() * samples * n_readouts * shape.readout_flops
    )
