"""Windows: neighbouring layers that are patched together, for components whose single outputs do little.

A window of w around layer l holds the layers l − ⌊w/2⌋ … l − ⌊w/2⌋ + w − 1 that exist.
"""

from spiritlens.arguments import whole

DEFAULT_WINDOW_SHARE = 0.3
"""Default window of attn_out and mlp_out, as a share of the layers."""


def window_around(layer: int, width: int, n_layers: int) -> range:
    """Layers [l − width//2, l − width//2 + width) around layer l, cut off at the model's ends."""
    first = layer - width // 2
    return range(max(0, first), min(n_layers, first + width))


def given_window(window: int | None, n_layers: int) -> int:
    """The number of layers that are patched together; None is max(1, round(0.3 · layers))."""
    share = max(1, round(DEFAULT_WINDOW_SHARE * n_layers))
    return share if window is None else whole("window", window, at_least=1)
