"""What limits the total effect, read from effects: sources that were planted are named."""

import numpy as np
import pytest
from effects_synthetic import role_effects

from spiritlens.effects.limits import limits


def test_samples_of_a_prompt_are_the_remainder_and_one_voice_is_unknown() -> None:
    effects = role_effects(n_facts=12, phrasings=2, samples=3).copy(deep=True)
    rng = np.random.default_rng(0)
    of_fact = dict(zip(np.unique(effects["fact_id"].values), rng.normal(0, 0.2, 12), strict=True))
    effects["clean"].values[:] = 0.8
    base = np.array([of_fact[name] for name in effects["fact_id"].values])
    effects["corrupted"].values[..., 0] = 0.3 + base[:, None] + rng.normal(0, 0.05, (effects.sizes["prompt"], 3))
    found = limits(effects, "S2T", metric="probability")
    assert found["fact"].variance == pytest.approx(np.var(list(of_fact.values()), ddof=1), rel=0.2)
    assert found["remainder"].variance == pytest.approx(0.05**2, rel=0.5)
    assert "fact" in found.limiting
    assert "voice" in found.unknown
    assert found["fact"].more >= 30
    assert found["remainder"].more == np.inf


def test_it_is_of_one_modality_and_metric() -> None:
    effects = role_effects(n_facts=6)
    assert limits(effects, "T2T").mean != limits(effects, "S2T").mean
    assert limits(effects).mean == limits(effects, "T2T", metric="probability").mean
    assert limits(effects, metric="logit").mean > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "rank"}, "metric='rank' was not traced"),
        ({"modality": "written"}, "expected one of T2T, S2T, mixed"),
        ({"modality": "mixed"}, "no known prompt of it was traced"),
    ],
)
def test_one_clear_error_each(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        limits(role_effects(n_facts=3), **arguments)  # type: ignore[arg-type]
