"""One source as a whole: every reported figure has its row, and what is not run says so."""

import pytest

from labkit.apps.cli import commands
from labkit.arithmetic import auditing
from labkit.base.errors import ConfigError
from labkit.catalogue import sources
from labkit.records import reports
from tests.reading import call

SECTIONS = {
    "vgg_d": "01-counting-parameters",
    "dropout": "03-dropout",
    "depth": "04-depth",
    "mlp": "05-mlp-comparison",
    "augmentation": "06-augmentation",
    "gap": "07-gap-net",
}


def test_every_figure_of_the_first_source_has_a_row():
    table = sources.compare_source("uchile")
    reported = reports.reported("uchile")
    read_otherwise = table.index.get_level_values("figure").str.endswith("with dropout off")
    for section, lab in SECTIONS.items():
        if section == "vgg_d":
            continue
        for arm, figures in reported[section].items():
            if isinstance(figures, dict) and arm not in reports.ABOUT_FIGURES:
                rows = table[~read_otherwise].sort_index().loc[(lab, arm)]
                assert len(rows) == len(set(figures) - {"epochs"})
                for figure, value in figures.items():
                    if figure != "epochs":
                        (row,) = rows[rows.index.str.startswith(figure)].itertuples()
                        assert float(row.reported.replace(",", "")) == value
    assert set(SECTIONS) == {name for name, value in reported.items() if isinstance(value, dict)}
    kinds = table["verdict"].str.partition(":")[0].value_counts().to_dict()
    assert kinds == {
        "not reproduced": 19,
        "wrong": 17,
        "cannot tell": 12,
        "reproduced": 7,
        "would explain it": 6,
        "no": 2,
    }


def test_the_hand_count_is_judged_line_by_line():
    rows = sources.counted()
    said = reports.reported("uchile", "vgg_d")
    assert [int(row[2].replace(",", "")) for row in rows[:16]] == [line[2] for line in said["lines"]]
    assert sum(int(row[3].replace(",", "")) for row in rows[:16]) == said["correct_total"] == 138_357_544
    assert rows[16][3] == "138,357,544"
    assert [row[4] for row in rows].count("reproduced") == 2  # the first two fully connected layers
    audited = {f.line for f in auditing.audit(said["lines"]).findings if f.line}
    assert audited == {number for number, row in enumerate(rows[:16], 1) if row[4] != "reproduced"}


def test_every_claim_of_the_first_source_is_decided():
    claims = sources.claims_of("uchile")
    labs = set(claims.index.get_level_values("lab"))
    said = {SECTIONS[n][:2] for n, v in reports.reported("uchile").items() if isinstance(v, dict) and "claim" in v}
    assert labs == said
    assert claims["alone"].value_counts().to_dict() == {"holds": 6, "does not hold": 1, "unclear": 1}
    assert claims["verdict"].value_counts().to_dict() == {"holds": 4, "does not hold": 1, "unclear": 3}  # Holm's


def test_the_command_compares_a_source_or_a_lab(capsys):
    code, out, _ = call(capsys, "compare", "uchile")
    assert not code
    for text in ("138,357,544", "train_acc (epoch 29)", "params_about", "Training times cannot be told apart", "0.78"):
        assert text in out
    assert "..." not in out  # nothing is cut off
    code, out, _ = call(capsys, "compare", "udesa")
    assert not code
    assert "net1 does not beat the baseline" in out
    assert "not judged: it counts what the source trained" in out
    code, out, _ = call(capsys, "compare", "04-depth")
    assert not code
    assert "1 conv" in out
    code, _, said = call(capsys, "compare", "uchil")
    assert code
    assert "Traceback" not in said
    assert "compare" in commands.commands


def test_a_section_without_a_lab_is_listed_and_not_judged():
    said = reports.reported("udesa", "runs")
    listed = sources.compare_source("udesa").loc["no lab"]
    assert listed["reported"].to_dict() == {("runs", name): str(count) for name, count in said.items()}
    assert set(listed["verdict"]) == {sources.NOT_A_RESULT}
    assert not sources.left_out("uchile")


def test_an_unknown_source_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'uchile'"):
        sources.compare_source("uchil")
