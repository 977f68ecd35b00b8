"""Paths as a value: what each field takes, and which nodes it means for a model."""

import pytest
from random_llamas import opened, random_llama

from spiritlens.analysis.paths.nodes import Receiver, Sender, all_senders
from spiritlens.analysis.paths.paths import Paths, given_nodes, given_paths

LOGITS = (Receiver("logits"),)


@pytest.fixture(scope="module")
def model():
    return opened(random_llama(4))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frozen": "mlps"}, "frozen='mlps': expected one of heads"),
        ({"base": "noised"}, "base='noised'"),
        ({"norms": "folded"}, "norms='folded'"),
        ({"receive": "group"}, "receive='group': expected one of each, together"),
        ({"senders": []}, "senders is empty"),
        ({"senders": LOGITS}, r"senders\[0\] .* expected a Sender"),
        ({"receivers": Receiver("logits")}, r"write \[receiver\] for one"),
        ({"at": "subject"}, r"write \['subject'\] for one"),
    ],
)
def test_a_field_takes_its_own_values_only(fields, message):
    with pytest.raises(ValueError, match=message):
        Paths(**fields)


def test_generators_are_read_once():
    paths = Paths((Sender("mlp_out", layer) for layer in (0, 1)), iter(LOGITS), at=iter(["subject"]))
    assert paths == Paths([Sender("mlp_out", 0), Sender("mlp_out", 1)], LOGITS, at=("subject",))
    assert hash(paths) == hash(Paths(paths.senders, LOGITS, at=["subject"]))


def test_what_is_not_named_is_the_methods_own(model):
    assert given_nodes(model, Paths(), LOGITS) == (all_senders(model), (LOGITS,))
    assert given_paths(None, "a method") == Paths()


def test_receivers_are_patched_each_or_together(model):
    both = Receiver("q_input", 1, 0), Receiver("mlp_in", 1)
    _, each = given_nodes(model, Paths(receivers=both), LOGITS)
    _, together = given_nodes(model, Paths(receivers=both, receive="together"), LOGITS)
    assert (each, together) == (((both[0],), (both[1],)), (both,))
    _, alone = given_nodes(model, Paths(receivers=LOGITS, receive="together"), both)
    assert alone == (LOGITS,)


def test_a_field_that_a_method_does_not_know_must_stay_as_it_is():
    assert given_paths(Paths(at=["subject"]), "edges", ("frozen",)).at == ("subject",)
    with pytest.raises(ValueError, match="paths has frozen='heads', which edges does not know; it reads senders, rec"):
        given_paths(Paths(frozen="heads"), "edges", ("frozen",))
