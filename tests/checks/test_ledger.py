"""Claims and errata: what holds, what fails, what is refused as vacuous, and how the ledger keeps it."""

import io
import json

import numpy as np
import pytest

from minigen import autodiff as ad
from minigen.checks import Ledger, LedgerError, VacuousError, claim, current_ledger, erratum
from minigen.checks.statement import plain


@pytest.fixture
def ledger():
    with Ledger(11, echo=False) as ledger:
        yield ledger


HOLDS = {
    "equal": {"lhs": 1.0 + 1e-12, "rhs": 1.0},
    "equal integers": {"lhs": 7, "rhs": 7, "tol": 0},
    "relative": {"lhs": 1e6 + 1, "rhs": 1e6, "tol": 0, "rtol": 1e-5},
    "arrays": {"lhs": np.arange(3.0), "rhs": [0, 1, 2 + 1e-12]},
    "array and number": {"lhs": np.full((2, 2), 3.0), "rhs": 3},
    "tensor": {"lhs": ad.Tensor([1.0, 2.0]), "rhs": np.array([1.0, 2.0])},
    "at most": {"lhs": [1.0, 2.0], "rhs": 2.0, "kind": "at_most"},
    "at least": {"lhs": 2.5, "rhs": 2.0, "kind": "at_least"},
    "z-score": {"lhs": [1.02, 0.97], "rhs": 1.0, "standard_error": [0.01, 0.02]},
    "noisy bound": {"lhs": 1.02, "rhs": 1.0, "kind": "at_most", "standard_error": 0.01},
    "zero with a size": {"lhs": 1e-17, "rhs": 0.0, "size": 0.5},
}


@pytest.mark.parametrize("name", HOLDS)
def test_a_true_claim_holds(ledger, name):
    assert claim("c", "s", **HOLDS[name]).holds


FAILS = {
    "off": {"lhs": 1.0 + 1e-8, "rhs": 1.0},
    "sign": {"lhs": -1.0, "rhs": 1.0},
    "integers": {"lhs": 7, "rhs": 8, "tol": 0},
    "one entry": {"lhs": [1.0, 2.0, 3.0], "rhs": [1.0, 2.0, 3.1]},
    "at most, sides swapped": {"lhs": 2.0, "rhs": 1.0, "kind": "at_most"},
    "at least, sides swapped": {"lhs": 1.0, "rhs": 2.0, "kind": "at_least"},
    "at most in one entry": {"lhs": [0.0, 3.0], "rhs": 2.0, "kind": "at_most"},
    "z-score": {"lhs": 1.05, "rhs": 1.0, "standard_error": 0.01},
    "z-score in one entry": {"lhs": [1.0, 1.05], "rhs": 1.0, "standard_error": 0.01},
    "noisy bound": {"lhs": 1.06, "rhs": 1.0, "kind": "at_most", "standard_error": 0.01},
    "nan": {"lhs": np.nan, "rhs": 1.0},
    "nan at most": {"lhs": np.nan, "rhs": 1.0, "kind": "at_most"},
    "infinite sides": {"lhs": np.inf, "rhs": float("inf")},
    "minus infinity is below anything": {"lhs": -np.inf, "rhs": 0.0, "kind": "at_most"},
    "one nan among many": {"lhs": [1.0, np.nan], "rhs": [1.0, 2.0]},
    "nan standard error of a bound": {"lhs": 1.0, "rhs": np.nan, "standard_error": 0.1},
    "zero with a size": {"lhs": 1e-3, "rhs": 0.0, "size": 0.5},
}


@pytest.mark.parametrize("name", FAILS)
def test_a_false_claim_is_in_the_table_and_fails(ledger, name):
    row = claim("c", "s", **FAILS[name])
    assert not row.holds and ledger.failures == [row]
    with pytest.raises(LedgerError, match="FAILS"):
        ledger.verify()


ONE = np.array([1.0, 2.0])
TENSOR = ad.Tensor([1.0, 2.0])
VACUOUS = {
    "one array": {"lhs": ONE, "rhs": ONE},
    "a view": {"lhs": ONE, "rhs": ONE[:]},
    "one number": dict.fromkeys(("lhs", "rhs"), 0.1),
    "a tensor and its data": {"lhs": TENSOR, "rhs": TENSOR.data},
    "tolerance of the size of the numbers": {"lhs": 1.0, "rhs": 1.3, "tol": 0.5},
    "relative tolerance": {"lhs": 1.0, "rhs": 1.3, "rtol": 0.5},
    "two zeros": {"lhs": 1e-17, "rhs": 0.0},
    "size within tolerance": {"lhs": 1e-17, "rhs": 0.0, "size": 1e-9},
    "slack bound": {"lhs": 1.0, "rhs": 0.5, "kind": "at_most", "tol": 1.0},
    "noise above the signal": {"lhs": 1.0, "rhs": 0.2, "standard_error": 0.5},
    "empty": {"lhs": [], "rhs": []},
}


@pytest.mark.parametrize("name", VACUOUS)
def test_a_claim_that_cannot_fail_is_refused(ledger, name):
    with pytest.raises(VacuousError, match="^c: "):
        claim("c", "s", **VACUOUS[name])
    assert not ledger.rows


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"lhs": ONE, "rhs": [1, 2, 3]}, r"lhs has shape \(2,\), rhs has shape \(3,\)"),
        ({"lhs": np.ones((2, 1)), "rhs": [1, 1]}, r"expected one shape"),
        ({"lhs": 1, "rhs": 2, "kind": "about"}, "kind 'about'; expected one of equal"),
        ({"lhs": 1, "rhs": 2, "kind": "z_score"}, "needs standard_error"),
        ({"lhs": 1, "rhs": 2, "kind": "equal", "standard_error": 1}, "takes no standard_error"),
        ({"lhs": 1, "rhs": 2, "standard_error": 0}, "expected positive numbers"),
        ({"lhs": "a", "rhs": 2}, "expected real numbers"),
    ],
)
def test_a_malformed_claim_is_refused(ledger, arguments, message):
    with pytest.raises(ValueError, match=message):
        claim("c", "s", **arguments)


def test_an_array_claim_reports_its_worst_entry(ledger):
    row = claim("c", "s", lhs=[1.0, 2.0, 3.0], rhs=[1.0, 2.5, 3.1])
    assert (row.lhs, row.rhs, row.error) == (2.0, 2.5, 0.5) and "worst of 3" in row.note
    row = claim("d", "s", lhs=[100.0, 1.0], rhs=[100.2, 1.1], rtol=0.01, tol=0)
    assert row.lhs == 1.0  # 0.1 beyond 0.011, while 0.2 is within 1.002
    row = claim("e", "s", lhs=[1.0, 1.3], rhs=1.0, standard_error=[0.01, 0.2])
    assert row.holds and row.error == pytest.approx(1.5) and row.tolerance == 4.5


ERRATA = {
    "number": {"printed": 1.386, "right": 1.0 + 1e-12, "truth": 1.0},
    "array": {"printed": [1.0, 5.0], "right": ONE + 1e-12, "truth": [1.0, 2.0]},
    "one printed number": {"printed": 0.0, "right": ONE + 1e-12, "truth": [1.0, 2.0]},
    "infinite": {"printed": -np.inf, "right": 1.0 + 1e-12, "truth": 1.0},
    "nan": {"printed": np.nan, "right": 1.0 + 1e-12, "truth": 1.0},
    "shape": {"printed": np.ones(5), "right": np.ones(4), "truth": np.ones(4)},
    "called": {"printed": lambda: 2.0, "right": 1.0 + 1e-12, "truth": 1.0},
    "raises": {"printed": lambda: np.ones((2, 3)) @ np.ones((2, 3)), "raises": ValueError,
               "right": 1.0 + 1e-12, "truth": 1.0},
    "monte carlo": {"printed": 73.9, "right": 16.2, "truth": 16.0, "tol": 1.0, "clear": 10.0},
}  # fmt: skip


@pytest.mark.parametrize("name", ERRATA)
def test_a_slip_that_fails_beside_its_right_form_holds(ledger, name):
    row = erratum("D9", **ERRATA[name])
    assert row.holds, row
    json.dumps(ledger.as_dict(), allow_nan=False)


NO_ERRATA = {
    "printed and right swapped": {"printed": 1.0 + 1e-12, "right": 1.386, "truth": 1.0},
    "printed holds": {"printed": 1.0 + 1e-12, "right": 1.0 - 1e-12, "truth": 1.0},
    "printed barely off": {"printed": 1.0 + 2e-8, "right": 1.0 + 1e-12, "truth": 1.0},
    "right off": {"printed": 2.0, "right": 1.0 + 1e-6, "truth": 1.0},
    "right nan": {"printed": 2.0, "right": np.nan, "truth": 1.0},
    "truth infinite": {"printed": 2.0, "right": np.inf, "truth": float("inf")},
    "truth nan": {"printed": 2.0, "right": 1.0, "truth": np.nan},
    "does not raise": {"printed": lambda: 2.0, "raises": ValueError, "right": 1.0 + 1e-12, "truth": 1.0},
    "raises another error": {"printed": lambda: {}["x"], "raises": ValueError, "right": 1.0 + 1e-12, "truth": 1.0},
    "raises unannounced": {"printed": lambda: 1 / 0, "right": 1.0 + 1e-12, "truth": 1.0},
}  # fmt: skip


@pytest.mark.parametrize("name", NO_ERRATA)
def test_what_is_no_slip_fails(ledger, name):
    row = erratum("D9", **NO_ERRATA[name])
    assert not row.holds and ledger.failures == [row]


def test_an_erratum_needs_its_row_and_three_forms(ledger):
    with pytest.raises(ValueError, match="no row 'D99' in the errata table"):
        erratum("D99", printed=2, right=1, truth=1)
    with pytest.raises(VacuousError, match="right and truth are one object"):
        erratum("D9", printed=np.zeros(2), right=ONE, truth=ONE)
    with pytest.raises(VacuousError, match="printed and truth are one object"):
        erratum("D9", printed=ONE, right=ONE + 0, truth=ONE)
    with pytest.raises(VacuousError, match="at least 3 tol"):
        erratum("D9", printed=2, right=1, truth=1, tol=0.1, clear=0.2)
    with pytest.raises(ValueError, match="expected one shape"):
        erratum("D9", printed=2, right=np.ones(2), truth=np.ones(3))
    row = erratum("C2-qr", printed=2, right=1, truth=1)
    assert row.source == "S2:73" and row.statement == "then fit P/L/U or Q/R" and "orthogonal" in row.correction


def test_ids_are_unique_inside_a_lecture_but_a_notebook_may_run_a_cell_again(ledger):
    claim("c", "s", lhs=1, rhs=1)
    with pytest.raises(ValueError, match="c: this id is in the ledger already"):
        claim("c", "s", lhs=1, rhs=1)
    with Ledger(2, echo=False) as other:
        claim("c", "s", lhs=1, rhs=1)
    ledger.extend(other)
    assert [(row.lecture, row.id) for row in ledger.rows] == [(11, "c"), (2, "c")]
    with Ledger(replace=True, echo=False) as notebook:
        claim("c", "s", lhs=1, rhs=2)
        claim("c", "s", lhs=1, rhs=1)
    assert len(notebook.rows) == 1 and notebook.passed


def test_the_current_ledger_is_the_innermost():
    outside = current_ledger()
    with Ledger(echo=False) as outer:
        with Ledger(echo=False) as inner:
            assert current_ledger() is inner
        assert current_ledger() is outer
    assert current_ledger() is outside


def test_missing_rows_are_no_pass(ledger):
    claim("gaussian-kl-quadrature", "s", lhs=1, rhs=1)
    assert not ledger.failures and not ledger.passed
    missing = ledger.missing()
    assert (11, "A7") in missing and (11, "gaussian-kl-quadrature") not in missing
    assert {lecture for lecture, _ in ledger.missing([2])} == {2}
    with pytest.raises(LedgerError, match="lecture 11 must execute elbo-decomposition, and did not"):
        ledger.verify()


def test_lines_are_aligned_and_show_both_sides():
    stream = io.StringIO()
    with Ledger(stream=stream):
        claim("elbo-decomposition", r"\log p(x) = \mathcal{L}(q) + \mathrm{KL}(q\,\|\,p(z \mid x))",
              lhs=-1.51551, rhs=-1.51551 + 3e-13)  # fmt: skip
        claim("second", r"a \leq b", lhs=2.0, rhs=1.5, kind="at_most")
        claim("third", "m", lhs=1.01, rhs=1, standard_error=0.01)
        erratum("D9", printed=2.0, right=1.0 + 1e-15, truth=1.0)
    first, second, third, slip = stream.getvalue().splitlines()
    assert first.startswith("elbo-decomposition") and first.endswith("holds")
    assert "log p(x) = L(q) + KL(q || p(z|x))" in first and first.count("-1.515510") == 2 and "1e-12" in first
    assert second.endswith("FAILS") and second.index("FAILS") == first.index("holds")
    assert "1.0 sd" in third
    assert "printed: log q(z*) = log q(z) + log|det dg/dz|" in slip and "1e+00 / 1e-14" in slip


def test_json_is_strict_and_comes_back(ledger, tmp_path):
    claim("c", r"\theta", lhs=np.inf, rhs=1.0, source="S2:61", note="why")
    erratum("D9", printed=-np.inf, right=1.0 + 1e-12, truth=1.0)
    claim("d", "s", lhs=1.0 + 1e-12, rhs=1.0)
    path = tmp_path / "ledger.json"
    ledger.write_json(path)
    data = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert data["schema"] == "minigen-ledger/1" and not data["passed"]
    assert data["rows"][0]["lhs"] == "inf" and {"lecture": 11, "id": "A7"} in data["missing"]
    back = Ledger.read_json(path)
    assert [str(row) for row in back.rows] == [str(row) for row in ledger.rows]
    assert back.rows[0].lhs == np.inf and back.rows[1].printed_error == np.inf
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.json"]


def test_json_is_written_whole_or_not_at_all(ledger, tmp_path, monkeypatch):
    path = tmp_path / "ledger.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        ledger.write_json(path)
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_another_schema_is_refused(tmp_path):
    path = tmp_path / "ledger.json"
    path.write_text('{"schema": "minigen-ledger/0"}')
    with pytest.raises(ValueError, match="expected 'minigen-ledger/1'"):
        Ledger.read_json(path)


@pytest.mark.parametrize(
    "latex, text",
    [
        (r"\log p(x) = \mathcal{L}(q) + \mathrm{KL}(q\,\|\,p(z \mid x))", "log p(x) = L(q) + KL(q || p(z|x))"),
        (r"\frac{1}{K} \sum_k w_k \leq \sqrt{n}", "1/K Σ_k w_k ≤ sqrt(n)"),
        (r"\frac{a + b}{2}", "(a + b)/2"),
        (r"J_{f_2 \circ f_1}^{-1}", "J_(f_2 ∘ f_1)^-1"),
        (r"\left| \det \hat J \right|", "| det hat J |"),
        (r"\nabla_\theta E_{q(z)} r(z), \quad \theta \in \mathbb{R}^d", "∇_θ E_(q(z)) r(z), θ ∈ R^d"),
        (r"\mathbf{\Sigma} \unknown", "Σ unknown"),
    ],
)
def test_statements_read_as_plain_text(latex, text):
    assert plain(latex) == text
