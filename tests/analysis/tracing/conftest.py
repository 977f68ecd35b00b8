"""The lens and the prompts that the tests of tracing share."""

import pytest
from tracing_lens import TinyLens, spoken_prompt, text_prompt, tiny_lens

from spiritlens.prompts.prompt import Prompt


@pytest.fixture(scope="module", params=[4, 2], ids=["MHA", "GQA with biases"])
def lens(request: pytest.FixtureRequest) -> TinyLens:
    return tiny_lens(request.param, biased=request.param == 2)


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    return [text_prompt(fact_id="f"), spoken_prompt(fact_id="f")]
