"""Tables of short texts, as aligned text for a terminal and as HTML for a notebook.

Rows are tuples of texts, equally long, the header first; who shows something makes its rows.
"""

import html
from collections.abc import Sequence
from typing import Literal

CELL = "style='text-align:left;padding:0 .6em'"


def text_table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """The rows as lines, columns two blanks apart, each as wide as its longest text; ``right`` ones end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """The rows as a table, the first one as its head."""
    body = "".join(_html_row(row, "td") for row in rows[1:])
    return f"<table><thead>{_html_row(rows[0], 'th')}</thead><tbody>{body}</tbody></table>"


def _html_row(row: Sequence[str], tag: Literal["td", "th"]) -> str:
    return f"<tr>{''.join(f'<{tag} {CELL}>{html.escape(cell)}</{tag}>' for cell in row)}</tr>"
