"""Word errors worked out by hand, of all that was said and of a part."""

import sys

import numpy as np
import pytest

from spiritlens.speech.recognition.word_errors import WordErrors

pytest.importorskip("jiwer", reason="jiwer counts word errors")

SAID = ("the", "capital", "of", "new", "zealand", "is")
SUBJECT = range(3, 5)


@pytest.mark.parametrize(
    ("heard", "errors", "of_subject"),
    [
        ("the capital of new zealand is", 0, 0),
        ("The Capital, of New Zealand is...", 0, 0),
        ("The capital of New Zealand's.", 0, 0),  # which sounds alike
        ("a capital of new zealand was", 2, 0),  # substitutions outside
        ("the capital of new sealand is", 1, 1),  # one in the subject
        ("the capital of you sea is", 2, 2),
        ("the capital of zealand is", 1, 1),  # a deletion in the subject
        ("capital of new zealand is", 1, 0),  # a deletion outside
        ("the capital of new old zealand is", 1, 1),  # an insertion between the subject's words
        ("the capital of the new zealand is", 1, 0),  # beside it, where it is heard right
        ("the capital of new zealand island is", 1, 0),
        ("the capital of new sea land is", 2, 2),  # beside a word of it that is heard as another
        ("so the capital of new zealand is it", 2, 0),
        ("", 6, 2),
        ("...", 6, 2),
        ("no", 6, 2),
    ],
)
def test_substitutions_deletions_and_insertions(heard: str, errors: int, of_subject: int) -> None:
    found = WordErrors(SAID, (heard,))
    assert found.rate() == pytest.approx(errors / 6)
    assert found.rate(SUBJECT) == pytest.approx(of_subject / 2)


def test_the_rate_of_all_is_jiwers_and_may_exceed_one() -> None:
    import jiwer

    found = WordErrors(("marseille", "is"), ("more say he is it so",))
    assert found.rate() == jiwer.wer("marseille is", "more say he is it so") == 2.5
    assert found.rate(range(1)) == 3.0


def test_numbers_are_compared_as_they_are_said() -> None:
    assert WordErrors(("in", "nineteen", "seventeen", "it", "was"), ("In 1917 it was",)).rate() == 0
    assert WordErrors(("1917",), ("nineteen seventy",)).rate(range(1)) == 0.5  # two words are said for one


@pytest.mark.parametrize("said", [(), ("...",), ("!", "?")])
def test_nothing_said_has_no_rate(said: tuple[str, ...]) -> None:
    assert np.isnan(WordErrors(said, ("anything",)).rate())
    assert np.isnan(WordErrors(SAID, ("the",)).rate(range(0)))


@pytest.mark.parametrize(
    ("heard", "stand_for"),
    [
        (("the", "capital", "of", "new", "zealand", "is"), (3, 4)),
        (("the", "capital", "of", "New-Zealand,", "is"), (3,)),
        (("capital", "of", "new", "sea", "land", "is"), (2, 3, 4)),
        (("the", "capital", "is"), ()),
        ((), ()),
    ],
)
def test_heard_words_that_stand_for_the_subject(heard: tuple[str, ...], stand_for: tuple[int, ...]) -> None:
    assert WordErrors(SAID, heard).heard_for(SUBJECT) == stand_for


def test_words_that_are_said_together_stand_for_it_together() -> None:
    assert WordErrors(("it", "cost", "$5 million"), ("it", "cost", "$5", "million")).heard_for(range(2, 3)) == (2, 3)


def test_all_pairs_of_short_word_lists_agree_with_a_plain_levenshtein() -> None:
    """The slow twin: the table of least steps, cell by cell."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        said, heard = (tuple(rng.choice(list("abc"), size=rng.integers(1, 6))) for _ in range(2))
        table = np.zeros((len(said) + 1, len(heard) + 1))
        table[:, 0], table[0] = np.arange(len(said) + 1), np.arange(len(heard) + 1)
        for i, one in enumerate(said):
            for j, other in enumerate(heard):
                table[i + 1, j + 1] = min(table[i, j] + (one != other), table[i, j + 1] + 1, table[i + 1, j] + 1)
        found = WordErrors(said, heard)
        assert found.rate() * len(said) == pytest.approx(table[-1, -1])
        assert found.rate(range(len(said))) == pytest.approx((table[-1, -1] - edge_insertions(found)) / len(said))


def edge_insertions(found: WordErrors) -> int:
    """Insertions before the first and after the last word, beside words that were heard right or not at all."""
    wrong = {step.said for step in found.steps if step.kind == "substitute"}
    last = len(found.said)
    edges = [step.said for step in found.steps if step.kind == "insert" and step.said in (0, last)]
    return sum((0 if place == 0 else last - 1) not in wrong for place in edges)


def test_without_jiwer_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(ImportError, match=r"pip install 'spiritlens\[recognise\]', or jiwer"):
        WordErrors(SAID, ("the",)).rate()
