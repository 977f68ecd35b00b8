"""Replacements keep length and the rule of deduplicated units; knock-outs and controls do what they say."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tracing_lens import make_prompt, spoken_prompt, text_prompt, tiny_lens

from spiritlens.prompts.prompt import Span
from spiritlens.runs.corruptions.corruption import corrupted_embeddings
from spiritlens.runs.corruptions.knock_out import KnockOut
from spiritlens.runs.corruptions.replacement import Replacement
from spiritlens.runs.corruptions.unit_sequences import fitted_units, keeps_rule, shuffled_units, silent_units


@pytest.fixture(scope="module")
def lens():
    return tiny_lens()


def ids_of(lens, embeddings: torch.Tensor) -> list[int]:
    """Token ids whose embeddings these are."""
    return [int((lens.backend.w_e == row).all(-1).nonzero()) for row in embeddings]


def other_text(first: int, second: int):
    return make_prompt((1, 30, 7, 21, first, second, 24, 13), (-1, -1, 0, 1, 2, 2, 3, 4), (4, 5))


def test_symmetric_replacement_takes_subjects_of_equal_length(lens) -> None:
    longer = make_prompt((1, 30, 5, 6, 8, 13), (-1, -1, 0, 0, 0, 1), (2, 3, 4))
    corruption = Replacement("symmetric", (longer, other_text(17, 18), other_text(19, 20), text_prompt()))
    embeddings = corrupted_embeddings(lens, text_prompt(), corruption, samples=12)
    seen = {tuple(ids_of(lens, row)[4:6]) for row in embeddings}
    assert seen == {(17, 18), (19, 20)}, "neither the longer subject nor the prompt's own"
    assert torch.equal(
        embeddings[:, [0, 1, 2, 3, 6, 7]],
        lens.backend.embed(text_prompt().tokens)[:, [0, 1, 2, 3, 6, 7]].expand(12, -1, -1),
    )


def test_the_same_subject_said_or_spelt_otherwise_is_no_donor(lens) -> None:
    """Other ids of one name would corrupt nothing."""
    spoken, text = spoken_prompt(), text_prompt()
    again = make_prompt((1, 31, 44, 43, 42, 37, 39, 34, 45, 30), (-1, -1, 0, 0, 0, 0, 0, 0, 1, -1), (2, 3, 4, 5, 6, 7))
    again = replace(again, subject=Span(spoken.subject.name.upper(), again.subject.positions))
    with pytest.raises(ValueError, match="can be time-warped"):
        Replacement(donors=(again,)).ids(spoken, spoken.subject.positions, 0, 0)
    spelt = replace(other_text(17, 18), subject=Span(text.subject.name.upper(), (4, 5)))
    with pytest.raises(ValueError, match="no donor's subject has 2 text tokens"):
        Replacement(donors=(spelt,)).ids(text, (4, 5), 0, 0)


def test_units_never_stand_in_for_text(lens) -> None:
    two_units = make_prompt((1, 31, 44, 43, 42, 30), (-1, -1, 0, 0, 1, -1), (2, 3))
    with pytest.raises(ValueError, match="others have no text"):
        Replacement(donors=(two_units,)).ids(text_prompt(), (4, 5), 0, 0)


def test_symmetric_replacement_warps_units(lens) -> None:
    donor = make_prompt((1, 31, 44, 43, 42, 37, 39, 34, 45, 30), (-1, -1, 0, 0, 0, 0, 0, 0, 1, -1), (2, 3, 4, 5, 6, 7))
    found = ids_of(lens, corrupted_embeddings(lens, spoken_prompt(), Replacement(donors=(donor,)), samples=1)[0])
    assert found[4:8] == [44, 43, 37, 34] or found[4:8] == [44, 42, 37, 34] or len(set(found[4:8])) == 4
    assert all(unit in (44, 43, 42, 37, 39, 34) for unit in found[4:8])
    assert sorted(found[4:8], key=[44, 43, 42, 37, 39, 34].index) == found[4:8], "in the donor's order"


def test_shuffle_and_silence_keep_the_rule(lens) -> None:
    prompt = spoken_prompt()
    for corruption in (Replacement("shuffle"), Replacement("silence", silence=(32, 45, 43))):
        for row in corrupted_embeddings(lens, prompt, corruption, samples=8):
            found = ids_of(lens, row)
            assert keeps_rule(found[4:8], (38, 32)), corruption.rule
            assert found[4:8] != list(prompt.ids[4:8])
            assert [*found[:4], *found[8:]] == [*prompt.ids[:4], *prompt.ids[8:]]
            if corruption.rule == "shuffle":
                assert sorted(found[4:8]) == sorted(prompt.ids[4:8])


def test_the_choice_depends_on_seed_and_sample_only(lens) -> None:
    corruption, prompt = Replacement("shuffle"), spoken_prompt()
    few = corrupted_embeddings(lens, prompt, corruption, samples=2, seed=4)
    assert torch.equal(few, corrupted_embeddings(lens, prompt, corruption, samples=5, seed=4)[:2])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=9),
    st.integers(1, 6),
    st.one_of(st.none(), st.integers(0, 5)),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_fitted_units_are_the_best_of_all_choices(units, length, before, after) -> None:
    """Against every increasing choice of indices."""
    from itertools import combinations

    wanted = [(order + 0.5) * len(units) / length - 0.5 for order in range(length)]
    costs = {
        choice: sum(abs(index - target) for index, target in zip(choice, wanted, strict=True))
        for choice in combinations(range(len(units)), length)
        if keeps_rule([units[index] for index in choice], (before, after))
    }
    found = fitted_units(units, length, (before, after))
    if not costs:
        assert found is None
    else:
        best = min(costs.values())
        assert any(found == [units[i] for i in choice] for choice, cost in costs.items() if cost < best + 1e-9)


def test_knock_outs(lens) -> None:
    prompt, w_e = spoken_prompt(), lens.backend.w_e
    where = list(prompt.subject.positions)
    assert float(corrupted_embeddings(lens, prompt, KnockOut("zero"), samples=1)[0, where].abs().max()) == 0
    mean = corrupted_embeddings(lens, prompt, KnockOut("mean"), samples=1)[0, where]
    assert torch.allclose(mean, w_e[32:46].mean(0).expand(4, -1), atol=1e-6)
    drawn = corrupted_embeddings(lens, prompt, KnockOut("resample"), samples=6)
    chosen = {token for row in drawn for token in ids_of(lens, row[where])}
    assert chosen <= set(range(32, 46))
    assert len(chosen) > 6


REFUSED = {
    "no donor's subject has 2 text tokens": lambda lens: Replacement(donors=(spoken_prompt(),)).ids(
        text_prompt(), (4, 5), 0, 0
    ),
    "can be time-warped": lambda lens: Replacement(donors=(spoken_prompt(),)).ids(spoken_prompt(), (4, 5, 6, 7), 0, 0),
    "replaces units": lambda lens: Replacement("shuffle").ids(text_prompt(), (4, 5), 0, 0),
    "needs donors": lambda lens: Replacement(),
    "replacement rule='reverse'": lambda lens: Replacement("reverse"),
    "which would be deduplicated": lambda lens: Replacement("silence").ids(spoken_prompt(), (4, 5, 6, 7), 0, 0),
    "no other order": lambda lens: shuffled_units([3, 3], (None, None), torch.Generator()),
    "units of silence": lambda lens: silent_units(2, [4], (None, None), torch.Generator()),
    "knock-out kind='max'": lambda lens: KnockOut("max"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refusals(lens, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        REFUSED[message](lens)


def test_the_mean_row_is_a_mean_in_float64() -> None:
    """In float32 a sum of thousands of rows would differ from the seventh digit on; here even float64 shows it."""
    lens = tiny_lens()
    prompt = text_prompt()
    (embeddings,) = corrupted_embeddings(lens, prompt, KnockOut("mean"), samples=1)
    rows = lens.backend.w_e[lens.vocabulary.text_ids.tolist()].double()
    assert (embeddings[4] - rows.mean(0)).abs().max() < 1e-15
