"""One source coursework as a whole: every figure and every claim of it beside ours, over all labs.

Not here: how one lab is compared (design.py), the checker of the hand count (auditing.py).
"""

from labkit.arithmetic.auditing import audit
from labkit.catalogue.index import labs
from labkit.records import reports
from labkit.records.claims import corrected, shown_p

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
            rows += [(lab.name, *row[:-1], "–", row[-1]) for row in counted()]
        elif taken_up and lab.arms:
            table = lab.compare(source)
            kept = table.reset_index().drop(columns=table.columns[-1])  # without the quick runs
            rows += [(lab.name, *row) for row in kept.to_numpy().tolist()]
    rows += [("no lab", where, name, f"{count:,}", "–", "–", NOT_A_RESULT) for where, name, count in left_out(source)]
    columns = ["lab", "arm", "figure", "reported", "ours", "one more run", "verdict"]
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
    """Return a table, one row a claim of a source: what was measured, its verdict, and that corrected by Holm.

    The lab is given by its number. The claims of a source are tested together: of many, some hold by luck. "p" is that
    of the claim alone, "of all" after the correction; the verdict is the corrected one where they differ. Introduced in
    lab 16.
    """
    import pandas as pd

    decided = []
    for lab in labs():
        mine = [claim for claim in lab.claims if claim.source == source]
        full = lab.recorded() if mine else []
        decided += [(lab.name, claim, claim.decide(full)) for claim in mine]
    rows = []
    for (name, claim, alone), (p, verdict) in zip(decided, corrected(one for *_, one in decided), strict=True):
        says, measured, margin, shown, _ = claim.row(alone)
        rows.append((name[:2], says, measured, margin, shown, shown_p(p), alone.verdict, verdict))
    columns = ["lab", "claim", "measured", "margin", "p", "p of all", "alone", "verdict"]
    return pd.DataFrame(rows, columns=columns).set_index(["lab", "claim"])


def intervals() -> int:
    """Return how many verdicts of the book come from a 95 % interval or a test at 5 %: one in twenty may be false."""
    full = [(lab, lab.recorded()) for lab in labs() if lab.arms]
    tested = sum(claim.decide(runs).p is not None for lab, runs in full for claim in lab.claims)
    return tested + sum(
        figure.judge(lab.values_of(figure, runs), runs).low is not None
        for lab, runs in full
        for figure in lab.reported_figures()
    )


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
