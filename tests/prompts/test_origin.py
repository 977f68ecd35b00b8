"""Where a prompt comes from, in texts."""

import pytest

from spiritlens.prompts.origin import Origin


def test_an_origin_is_texts() -> None:
    assert Origin(voice="me").voice == "me"
    with pytest.raises(ValueError, match=r"voice=None \(NoneType\): expected a text"):
        Origin(voice=None)
