"""Tables as text for a terminal and as HTML for a notebook. Pure Python: needs neither torch nor pandas."""

from collections.abc import Sequence
from html import escape


def text_table(head: Sequence[str], rows: Sequence[Sequence], notes: Sequence[str] = ()) -> str:
    """Return a table in columns: numbers to the right with thousands separators, words to the left.

    Args:
        head: the titles of the columns.
        rows: one sequence of cells each, as long as `head`; a cell is a number, a string, or None for none.
        notes: lines that stand under the table.

    >>> print(text_table(["layer", "parameters"], [["conv3-64", 1792], ["pool", None]]))
    layer     parameters
    --------  ----------
    conv3-64       1,792
    pool
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    right = _numeric(head, rows)
    lines = [_line(head, widths, right), "  ".join("-" * width for width in widths)]
    lines += [_line(row, widths, right) for row in cells]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def html_table(head: Sequence[str], rows: Sequence[Sequence], notes: Sequence[str] = ()) -> str:
    """Return the same table as HTML, every cell escaped, and no line break within "16 × 30 × 30".

    >>> "<td style=\\"text-align:left\\">a &amp; b</td>" in html_table(["layer"], [["a & b"]])
    True
    >>> "16&nbsp;×&nbsp;30" in html_table(["output"], [["16 × 30"]])
    True
    """
    styles = [' style="text-align:right"' if right else ' style="text-align:left"' for right in _numeric(head, rows)]
    top = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(
        "<tr>" + "".join(f"<td{s}>{_html_cell(v)}</td>" for v, s in zip(row, styles, strict=True)) + "</tr>"
        for row in rows
    )
    below = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f'<table class="dataframe"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>{below}'


def _numeric(head, rows) -> list[bool]:
    """Say for each column whether it holds numbers only."""
    columns = [[row[i] for row in rows if row[i] is not None] for i in range(len(head))]
    return [bool(column) and all(isinstance(v, (int, float)) for v in column) for column in columns]


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _html_cell(value) -> str:
    return escape(_cell(value)).replace(" × ", "&nbsp;×&nbsp;")


def _line(cells, widths, right) -> str:
    padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
    return "  ".join(padded).rstrip()
