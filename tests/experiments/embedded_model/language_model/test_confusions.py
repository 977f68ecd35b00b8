"""Confusions are what the encoder says inside a phone in place of its class, and unit noise can be made of them."""

from dataclasses import replace

import numpy as np
from spoken_lines import FACTS, encoded, spoken_lines

from experiments.embedded_model.language_model.confusions import confusions
from experiments.embedded_model.language_model.documents import Documents, TokenIds
from experiments.embedded_model.language_model.unit_corpus import EncodedLine
from experiments.embedded_model.settings import SMOKE
from spiritlens.speech.engines.phones import PHONE_CLASS

SAID = {name: PHONE_CLASS[name] for name in ("m", "n", "aa", "s")}


def line_of_phones(units: list[int]) -> EncodedLine:
    """Two phones of five frames each, *m* and *aa*, without silence around them; `units` is what the encoder said."""
    line = encoded("list", "a b")
    phones = (("m", 0.0, 0.2), ("aa", 0.2, 0.4))
    spoken = replace(line.line, phones=phones, n_samples=640 * 10)
    return replace(line, line=spoken, frames=np.array(units, np.int16))


def test_only_the_inside_of_a_phone_counts_and_only_other_units() -> None:
    m, n, a, s = SAID.values()
    said = [n, m, n, m, s, s, a, a, n, a]  # the ends of both phones (frames 0, 4, 5, 9) do not count
    found = confusions([line_of_phones(said)])
    assert {unit: units.tolist() for unit, units in found.items()} == {m: [n], a: [n]}


def test_lines_at_another_speed_or_without_phones_are_left_out() -> None:
    m = SAID["m"]
    assert confusions([line_of_phones([m + 1] * 7), encoded("list", "a b")]) == {}


def test_replaced_units_come_from_the_confusions_of_the_unit(ids: TokenIds) -> None:
    settings = replace(SMOKE.documents, confused_share=1.0)
    documents = Documents(FACTS, spoken_lines(FACTS), ids, settings, 0.9, seed=0)
    documents.confusions = {5: np.array([6, 6, 7])}
    replaced = [documents._replacement(5) for _ in range(300)]
    assert set(replaced) == {6, 7}
    assert 0.5 < replaced.count(6) / 300 < 0.83
    assert {documents._replacement(4) for _ in range(300)} <= set(documents.unit_pool.tolist())
