"""Tables as text for a terminal and as HTML for a notebook. Needs neither torch nor pandas."""

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from labkit.base.templates import render


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
    styles = ["right" if right else "left" for right in _numeric(head, rows)]
    cells = [[(_html_cell(value), style) for value, style in zip(row, styles, strict=True)] for row in rows]
    return render("labkit.base", "table.html.jinja", head=head, rows=cells, notes=notes)


def duration(minutes: float) -> str:
    """Return a time as a table shows it.

    >>> duration(12.3), duration(90)
    ('12 min', '1.5 h')
    """
    return f"{minutes / 60:,.1f} h" if minutes >= 60 else f"{minutes:.0f} min"


class Table:
    """What gives a table its look: `print` shows it in columns, a notebook as HTML, both from `_table`."""

    def _table(self) -> tuple:
        """Return the arguments of `text_table`."""
        raise NotImplementedError

    def __str__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())


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


def _html_cell(value) -> Markup:
    return Markup(escape(_cell(value)).replace(" × ", "&nbsp;×&nbsp;"))


def _line(cells, widths, right) -> str:
    padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
    return "  ".join(padded).rstrip()
