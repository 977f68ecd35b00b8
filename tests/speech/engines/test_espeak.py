"""espeak-ng's mnemonics as phones of the inventory."""

import pytest

from spiritlens.speech.engines.espeak import MNEMONICS, espeak_phone
from spiritlens.speech.engines.phones import PHONES


def test_mnemonics_lead_into_the_inventory_and_reach_each_class():
    assert set(PHONES) == set(MNEMONICS.values())


@pytest.mark.parametrize(
    ("mnemonic", "label"),
    [("'eI", "ey"), (",O:", "ao"), ("t#", "t"), ("@2", "ax"), ("_:", "pau"), ("3:", "er"), ("Q9", None)],
)
def test_espeak_mnemonics(mnemonic, label):
    assert espeak_phone(mnemonic) == label
