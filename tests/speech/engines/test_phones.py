"""The phone inventory."""

import numpy as np
import pytest

from spiritlens.speech.engines.phones import PHONE_CLASS, PHONES, Phone, phone_frames


def test_each_label_has_one_class():
    assert len(set(PHONES)) == len(PHONES) == 41


def test_frames_take_the_phone_at_their_centre():
    phones = [Phone("k", 0.0, 0.07), Phone(None, 0.07, 0.11), Phone("ae", 0.11, 0.16)]
    k, ae = PHONE_CLASS["k"], PHONE_CLASS["ae"]
    # centres .02 .06 .10 .14 .18
    assert phone_frames(phones, 5).tolist() == [k, k, -1, ae, -1]
    assert phone_frames(phones, 5).dtype == np.int64


def test_bad_phones():
    with pytest.raises(ValueError, match="not in the inventory"):
        Phone("xx", 0, 1)
    with pytest.raises(ValueError, match="start <= end"):
        Phone("k", 1, 0.5)
