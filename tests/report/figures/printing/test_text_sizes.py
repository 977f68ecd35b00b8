"""Texts are broken and cut so that their estimated width fits; markup is never torn."""

import pytest

from spiritlens.report.figures.printing.text_sizes import height_of, plain_lines, shortened, width_of, wrapped


def test_the_width_is_that_of_the_longest_line_without_markup() -> None:
    assert width_of("<i>ab</i><br>abcd", 10) == width_of("abcd", 10) == pytest.approx(4 * 6.3)
    assert width_of("<b>abcd</b><br>abcd", 10) == width_of("<b>abcd</b>", 10) > width_of("abcd", 10)
    assert width_of("il", 10) < width_of("mm", 10)
    assert width_of("a &amp; b", 10) == width_of("a < b", 10)
    assert height_of("a<br>b", 10) == 2 * height_of("a", 10) == 26.0
    assert height_of("", 10) == 0.0


@pytest.mark.parametrize("room", [40.0, 80.0, 150.0, 1000.0])
def test_lines_fit_where_their_words_do(room: float) -> None:
    text = "<b>T2T</b> · resid_pre · n = 40 facts"
    lines = wrapped(text, 10, room).split("<br>")
    assert " · ".join(lines) == text or "<br>".join(lines) != text
    assert "".join(plain_lines("<br>".join(lines))).replace(" ", "").replace("·", "") == "T2Tresid_pren=40facts"
    for line in lines:
        assert width_of(line, 10) <= room or " " not in line
        assert line.count("<b>") == line.count("</b>")


def test_tags_around_a_line_are_around_each_of_its_pieces() -> None:
    assert wrapped("<b>speech only</b><br>not traced", 10, 50) == "<b>speech</b><br><b>only</b><br>not<br>traced"
    assert wrapped("<b>one</b> and <i>another</i>", 10, 30) == "<b>one</b> and <i>another</i>"


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert wrapped("one two", 10, 1000) == "one two"
    assert wrapped("one<br>two", 10, 1000) == "one<br>two"
    assert shortened("<b>one</b>", 10, 1000) == "<b>one</b>"


def test_a_long_label_is_cut_at_its_end_and_stays_escaped() -> None:
    cut = shortened("<b>a &lt; b &amp; c and more</b>", 10, 60)
    assert cut.startswith("a &lt; b")
    assert cut.endswith("…")
    assert width_of(cut, 10) <= 60
    assert shortened("word", 10, 5) == ""
