"""Every lecture that the list names runs to its end, its rows hold, and no claim or erratum of the list is missing."""

import pytest

from minigen.checks import run_ledger
from minigen.checks.required import CLAIMS


@pytest.mark.parametrize("lecture", sorted(CLAIMS))
def test_the_lecture_executes_what_it_must(lecture):
    ledger = run_ledger([f"{lecture:02d}"])
    assert not ledger.failures, "\n".join(map(str, ledger.failures))
    assert not ledger.missing()
