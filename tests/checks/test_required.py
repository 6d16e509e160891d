"""The list of what must be executed is whole and consistent."""

from minigen.checks.errata_table import ERRATA, errata_of
from minigen.checks.required import CLAIMS, erratum_row, missing_ids, planned_errata, required_ids
from minigen.checks.statement import plain

LECTURES = range(1, 22)


def test_every_row_of_the_documents_is_assigned_once():
    ids = [row.id for row in ERRATA]
    counts = {"A": 12, "B": 13, "C": 14, "D": 18, "E": 39}
    assert ids == [f"{letter}{n}" for letter, last in counts.items() for n in range(1, last + 1)]
    assert all(row.lecture in LECTURES and row.kind in "WAT" and row.source[0] == "S" for row in ERRATA)


def test_wrong_and_ambiguous_rows_are_executed():
    assert all(row.executable for row in ERRATA if row.kind in "WA")
    assert {row.id for row in ERRATA if row.executable and row.kind == "T"} == {
        "A8", "B2", "C8", "D1", "D13", "D15", "E4", "E10", "E25"}  # fmt: skip
    assert all(row.printed != row.right for row in ERRATA)


def test_required_and_planned_rows_are_all_of_them():
    required = [row.id for n in CLAIMS for row in errata_of(n)]
    assert sorted(required + planned_errata()) == sorted(row.id for row in ERRATA if row.executable)
    assert set(required) >= {"A1", "C1", "C2", "C5", "E19", "E37"}


def test_ids_are_unique_and_readable():
    for lecture in CLAIMS:
        ids = required_ids(lecture)
        assert len(ids) == len(set(ids)) >= 10
        assert all(plain(c.statement) and "\\" not in plain(c.statement) for c in CLAIMS[lecture])
    assert required_ids(8) == []


def test_an_experiment_on_a_row_covers_the_row():
    everything = set(required_ids(14))
    assert missing_ids(14, everything) == []
    split = (everything - {"C2"}) | {"C2-plu", "C2-qr"}
    assert missing_ids(14, split) == []
    assert missing_ids(14, everything - {"C2", "plu-log-det"}) == ["plu-log-det", "C2"]
    assert erratum_row("C2-plu") == "C2" and erratum_row("D9") == "D9"
