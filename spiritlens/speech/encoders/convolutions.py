"""The convolution string of a HuBERT configuration, read without running it.

The published files describe the feature extractor as Python source such as ``"[(512,10,5)] + [(512,3,2)] * 4"``: a sum
of lists of (channels, kernel, stride), with repetition. It is parsed as a syntax tree in which only lists, tuples,
whole numbers, ``+`` and ``*`` are allowed.
"""

import ast
import math
from dataclasses import dataclass
from typing import cast

MOST_LAYERS = 64


@dataclass(frozen=True)
class Convolutions:
    """The layers of a feature extractor, each (channels, kernel, stride) in samples or frames of the layer before."""

    layers: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if not self.layers or len(self.layers) > MOST_LAYERS:
            raise ValueError(f"{len(self.layers)} convolutions; expected 1 to {MOST_LAYERS}.")
        for layer in self.layers:
            if len(layer) != 3 or any(size < 1 for size in layer):
                raise ValueError(f"convolution {layer} is not (channels, kernel, stride) of positive whole numbers.")

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return math.prod(stride for _, _, stride in self.layers)

    @property
    def receptive_field(self) -> int:
        """Samples that one frame sees: the shortest audio that gives a frame."""
        field, hop = 1, 1
        for _, kernel, stride in self.layers:
            field += (kernel - 1) * hop
            hop *= stride
        return field

    def n_frames(self, n_samples: int) -> int:
        """Frames of so many samples."""
        for _, kernel, stride in self.layers:
            n_samples = (n_samples - kernel) // stride + 1 if n_samples >= kernel else 0
        return n_samples


def parse_convolutions(source: str) -> Convolutions:
    """The layers that a convolution string describes."""
    try:
        layers = _value(ast.parse(source.strip(), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise ValueError(
            f"convolutions {source[:200]!r} cannot be read ({error}); expected a sum of lists of "
            "(channels, kernel, stride), such as '[(512,10,5)] + [(512,3,2)] * 4'."
        ) from None
    if not isinstance(layers, list) or not all(isinstance(layer, tuple) for layer in layers):
        raise ValueError(f"convolutions {source[:200]!r} are not a list of (channels, kernel, stride).")
    return Convolutions(tuple(cast(list[tuple[int, int, int]], layers)))


def _value(node: ast.expr) -> list[object] | tuple[object, ...] | int:
    if isinstance(node, ast.List):
        return [_value(element) for element in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(element) for element in node.elts)
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
            return left + right
        if isinstance(node.op, ast.Mult):
            layers, times = (left, right) if isinstance(left, list) else (right, left)
            if isinstance(layers, list) and isinstance(times, int) and 0 <= times <= MOST_LAYERS:
                return layers * times
    raise ValueError(f"{ast.unparse(node)[:60]!r} is not allowed")
