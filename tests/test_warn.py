"""A warning stands at the user's line, through every wrapper."""

import warnings

import spiritlens as sl
from spiritlens.environment import plain_torch
from spiritlens.warn import warn


def test_a_warning_points_to_the_nearest_line_outside_of_the_toolkit():
    machine = sl.planted()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        plain_torch(lambda: warn("look here"))()
        sl.attribution_patch(
            machine.lens,
            machine.prompts[:1],
            sl.corruptions.KnockOut("zero"),
            metrics=("logit_difference",),
            steps=3,
            progress="none",
        )
    assert [one.filename for one in told] == [__file__] * len(told)
    assert "look here" in str(told[0].message)
    assert len(told) >= 2
    assert {one.category for one in told} == {UserWarning}
