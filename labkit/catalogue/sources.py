"""One source coursework as a whole: every figure and every claim of it beside ours, over all labs.

Not here: how one lab is compared (design.py), the checker of the hand count (auditing.py).
"""

from labkit.arithmetic.auditing import audit
from labkit.catalogue.index import labs
from labkit.records import reports

COUNTED = "uchile.vgg_d"  # the one section whose figures are counted by hand, not trained
NOT_A_RESULT = "not judged: it counts what the source trained"


def compare_source(source: str):
    """Return a table, one row a reported figure of a source: reported, ours, verdict. Introduced in lab 01.

    Args:
        source: its key in reported.toml, such as "uchile".

    Raises:
        ConfigError: an unknown source.
    """
    import pandas as pd

    reports.reported(source)  # refuses an unknown one
    rows = []
    for lab in labs():
        taken_up = [section for section in lab.sections if section.startswith(f"{source}.")]
        if COUNTED in taken_up:
            rows += [(lab.name, *row) for row in counted()]
        elif taken_up and lab.arms:
            table = lab.compare(source)
            rows += [(lab.name, *row) for row in table.reset_index().drop(columns=table.columns[2]).to_numpy().tolist()]
    rows += [("no lab", section, name, f"{value:,}", "–", NOT_A_RESULT) for section, name, value in left_out(source)]
    columns = ["lab", "arm", "figure", "reported", "ours", "verdict"]
    return pd.DataFrame(rows, columns=columns).set_index(columns[:3])


def counted() -> list[tuple[str, str, str, str, str]]:
    """Return layer, figure, reported, right and verdict for each figure of the first source's count of VGG-D."""
    said = reports.reported("uchile", "vgg_d")
    audited = audit(said["lines"], said["total"], size_bytes=said["bytes"], mebibytes=said["mebibytes"])
    right = audited.correct
    rows: list[tuple] = [
        (f"{number} {name}", "parameters", value, line.count)
        for number, ((name, _, value), line) in enumerate(zip(said["lines"], right.lines, strict=True), 1)
    ]
    rows.append(("all lines", "parameters", said["total"], right.total))
    rows.append(("all lines", "bytes", said["bytes"], 4 * right.total))  # float32
    rows.append(("all lines", "MiB", said["mebibytes"], round(4 * right.total / 2**20, 1)))
    return [
        (layer, figure, f"{value:,}", f"{ours:,}", "reproduced" if value == ours else "wrong: see lab 01")
        for layer, figure, value, ours in rows
    ]


def claims_of(source: str):
    """Return a table, one row a claim of a source: the lab, what was measured, and whether it holds."""
    import pandas as pd

    rows = []
    for lab in labs():
        claims = [claim for claim in lab.claims if claim.source == source]
        full = lab.recorded() if claims else []
        rows += [(lab.name, claim.says, claim.measured(full), claim.decide(full)) for claim in claims]
    return pd.DataFrame(rows, columns=["lab", "claim", "measured", "verdict"]).set_index(["lab", "claim"])


def left_out(source: str) -> list[tuple[str, str, int]]:
    """Return section, name and value of each figure of a source that no lab takes up: counts of its own trainings."""
    known = {section for lab in labs() for section in lab.sections}
    return [
        (section, name, value)
        for section, figures in reports.reported(source).items()
        if isinstance(figures, dict) and f"{source}.{section}" not in known
        for name, value in figures.items()
        if isinstance(value, int)
    ]
