"""Windows of layers, worked out by hand."""

import pytest

from spiritlens.analysis.grid.windows import window_around


@pytest.mark.parametrize(
    ("layer", "width", "layers"),
    [
        (4, 1, [4]),
        (4, 2, [3, 4]),
        (4, 3, [3, 4, 5]),
        (0, 3, [0, 1]),
        (7, 4, [5, 6, 7]),
        (3, 99, list(range(8))),
    ],
)
def test_a_window_holds_the_layers_around_its_centre_that_exist(layer, width, layers) -> None:
    assert list(window_around(layer, width, 8)) == layers
