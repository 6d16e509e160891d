"""A student opens a lecture in JupyterLab, runs all its cells and sees the figures and the mathematics."""

import shutil
from contextlib import suppress

import pytest

from minigen import resources

playwright = pytest.importorskip("playwright.sync_api", reason="playwright (extra `dev`) is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
WIDGET = "window.jupyterapp?.shell.currentWidget"
CELLS = f"[...{WIDGET}.content.model.cells].map(cell => cell.toJSON())"
# Errors, unknown macros (red), and formulas that are still text: what is left of the prose has a dollar in it.
NOT_SET = """[
    ...[...document.querySelectorAll("mjx-merror, mjx-mtext[style*=red]")].map(
        e => e.closest("mjx-container").querySelector("math").textContent),
    ...[...document.querySelectorAll(".jp-MarkdownOutput")].map(e => {
        const prose = e.cloneNode(true);
        prose.querySelectorAll("mjx-container, code").forEach(set => set.remove());
        return prose.textContent;
    }).filter(text => text.includes("$")),
]"""
LECTURE = "11_vae"


@pytest.fixture
def page():
    """A browser page that collects, in `page.outside`, what it asks of other machines."""
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.outside = []
        page.on("request", lambda request: page.outside.append(request.url))
        yield page
        browser.close()


def test_all_cells_of_a_lecture_run_in_the_browser(page, tmp_path, start_lab):
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    mine, built = tmp_path / "mine", resources.lectures_dir() / f"{LECTURE}.ipynb"
    assert built.is_file()
    lab = start_lab(mine, resources.PACKAGE)
    lab.ask("/api/status")
    page.goto(lab.url(f"/lab/tree/lectures/{LECTURE}.ipynb?token={lab.token}&reset"), wait_until="domcontentloaded")
    # A run before the kernel is there would open a dialog over the page.
    page.wait_for_function(f"{WIDGET}?.sessionContext?.session?.kernel?.status === 'idle'", timeout=60_000)

    page.evaluate("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    code = [cell for cell in page.evaluate(CELLS) if cell["cell_type"] == "code"]
    assert code and not any(cell["outputs"] or cell["execution_count"] for cell in code), "nothing is left of the build"

    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        f"{CELLS}.some(cell => cell.outputs?.some(output => output.output_type === 'error'))"
        f" || {CELLS}.every(cell => cell.cell_type !== 'code' || cell.execution_count)"
        f" && {WIDGET}.sessionContext.session.kernel.status === 'idle'",
        timeout=180_000,
    )
    code = [cell for cell in page.evaluate(CELLS) if cell["cell_type"] == "code"]
    failed = [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    assert not failed, failed[0]["traceback"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))

    figures = sum("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"])
    drawn = page.evaluate("[...document.querySelectorAll('.jp-OutputArea img')].map(image => image.naturalWidth)")
    assert len(drawn) == figures > 0 and min(drawn) > 100
    assert page.locator(".jp-MarkdownOutput mjx-container").count() > 0
    with suppress(playwright.TimeoutError):  # the page sets mathematics in its own time
        page.wait_for_function(f"{NOT_SET}.length === 0", timeout=10_000)
    assert page.evaluate(NOT_SET) == [], "mathematics that MathJax cannot set"

    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    assert (mine / "lectures" / built.name).read_bytes() != built.read_bytes(), "saved, and to the copy"
    assert not [url for url in page.outside if url.startswith("http") and not url.startswith(lab.url("/"))]
