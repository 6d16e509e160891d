"""The page: one HTML file with its figures inside, readable without a network."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from latex2mathml.converter import convert

from minigen.checks.ledger import Ledger, Row
from minigen.resources import lecture_files

from .stops import Stop

STYLE = """
body { font: 16px/1.5 Georgia, serif; color: #222; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, th, figcaption, .kind { font-family: system-ui, sans-serif; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; width: 100%; font-size: 0.86rem; margin: 0.8rem 0; }
th, td { text-align: left; padding: 0.25rem 0.6rem; border-bottom: 1px solid #eee; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; } figcaption { font-size: 0.85rem; color: #555; }
.kind { font-size: 0.78rem; padding: 0.05rem 0.45rem; border-radius: 0.6rem; background: #eee; }
.exact { background: #d9efdf; } .bound { background: #fbeecb; } .estimate { background: #dbe8f5; }
.fails { background: #f6c9c9; font-weight: bold; }
"""


def page(stops: list[tuple[Stop, list[tuple[Path, str]]]], ledger: Ledger, seed: int, seconds: float) -> str:
    """The whole page."""
    held = sum(row.holds for row in ledger.rows)
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>minigen: report</title>",
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style></head><body>",
        "<h1>minigen: models trained and equations executed</h1>",
        f"<p>Seed {seed}; {seconds:.0f} s. {held} of {len(ledger.rows)} claims and errata hold.</p>",
        "<h2>Likelihoods of test data</h2>", _likelihoods([stop for stop, _ in stops]),
        "<p>Exact: the number itself. Bound: log p(x) is at least as large, bits/dim at most. Estimate: the number "
        "with its Monte-Carlo standard error. Rows on different data cannot be compared with each other.</p>",
    ]
    for stop, figures in stops:
        parts.append(f"<h2>{escape(stop.title)}</h2><p>{escape(stop.text)}</p>")
        parts += [_figure(path, caption) for path, caption in figures]
    parts.append("<h2>The ledger</h2><p>Each claim is computed by two independent routes; each erratum shows the "
                 "printed form of a lecture document fail, and the right one hold.</p>")
    names = {int(path.stem[:2]): path.stem for path in lecture_files()}
    for number in ledger.lectures:
        rows = [row for row in ledger.rows if row.lecture == number]
        parts.append(f"<h3>{escape(names.get(number, str(number)))}</h3>{_ledger(rows)}")
    parts += [f"<p class='fails'>Lecture {n:02d} must execute {escape(id)}, and did not.</p>"
              for n, id in ledger.missing()]
    parts += [f"<p class='fails'>{escape(run.name)}: {escape(run.error)}</p>" for run in ledger.runs if run.error]
    return "\n".join([*parts, "</body></html>\n"])


def _likelihoods(stops: list[Stop]) -> str:
    rows = ["<tr><th>model</th><th>test data</th><th>nats</th><th>bits/dim</th><th>kind</th><th>method</th></tr>"]
    for stop in stops:
        for likelihood in stop.likelihoods:
            nats, bits = str(likelihood).partition(" nats")[0], likelihood.bits_per_dimension(stop.dimensions)
            rows.append(f"<tr><td>{escape(stop.title)}</td><td>{escape(stop.data)}</td><td class='number'>{nats}</td>"
                        f"<td class='number'>{str(bits).partition(' bits')[0]}</td>"
                        f"<td><span class='kind {likelihood.kind}'>{likelihood.kind}</span></td>"
                        f"<td>{escape(likelihood.method)}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _figure(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (f"<figure><img alt='{escape(caption, quote=True)}' src='data:image/png;base64,{data}'>"
            f"<figcaption>{escape(caption)}</figcaption></figure>")


def _ledger(rows: list[Row]) -> str:
    names = ("id", "statement", "source", "one side", "the other", "error", "")
    head = f"<tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"
    return f"<table>{head}{''.join(map(_row, rows))}</table>"


def _row(row: Row) -> str:
    id, _, left, right, error, verdict = row.cells()
    return (f"<tr><td>{escape(id)}</td><td>{_told(row)}</td><td>{escape(row.source)}</td>"
            f"<td class='number'>{escape(left)}</td><td class='number'>{escape(right)}</td>"
            f"<td class='number'>{escape(error)}</td>"
            f"<td{'' if row.holds else ' class=fails'}>{escape(verdict)}</td></tr>")


def _told(row: Row) -> str:
    """A claim as a formula; of an erratum both forms, as the errata table words them."""
    if row.kind != "erratum":
        return _formula(row.statement)
    return f"printed: {escape(row.statement)}<br>right: {escape(row.correction)}"


def _formula(latex: str) -> str:
    """LaTeX as MathML, which browsers draw themselves; as source where it is not understood."""
    try:
        return convert(latex)
    except Exception:  # the library raises many kinds; a formula must not cost the report
        return f"<code>{escape(latex)}</code>"
