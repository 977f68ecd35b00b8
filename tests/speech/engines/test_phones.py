"""The phone inventory and its tables."""

import numpy as np
import pytest

from spiritlens.speech.engines.phones import (
    ESPEAK,
    FLITE_EXTRA,
    PHONE_CLASS,
    PHONES,
    Phone,
    espeak_phone,
    flite_phone,
    phone_frames,
)


def test_tables_lead_into_the_inventory():
    assert len(set(PHONES)) == len(PHONES) == 41
    assert set(ESPEAK.values()) <= set(PHONES)
    assert set(FLITE_EXTRA.values()) <= set(PHONES)
    assert set(PHONES) == set(ESPEAK.values()), "each class must be reachable from espeak-ng"


@pytest.mark.parametrize(
    ("mnemonic", "label"),
    [("'eI", "ey"), (",O:", "ao"), ("t#", "t"), ("@2", "ax"), ("_:", "pau"), ("3:", "er"), ("Q9", None)],
)
def test_espeak_mnemonics(mnemonic, label):
    assert espeak_phone(mnemonic) == label


def test_flite_names():
    assert [flite_phone(name) for name in ("ax", "dx", "zz")] == ["ax", "t", None]


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
