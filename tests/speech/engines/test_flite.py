"""flite's phone names as phones of the inventory."""

from spiritlens.speech.engines.flite import FLITE_EXTRA, flite_phone
from spiritlens.speech.engines.phones import PHONES


def test_names_lead_into_the_inventory():
    assert set(FLITE_EXTRA.values()) <= set(PHONES)
    assert [flite_phone(name) for name in ("ax", "dx", "zz")] == ["ax", "t", None]
