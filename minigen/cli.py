"""The command `minigen`. Every command imports what it needs when it runs, so that `minigen --help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
                  help="Explicit deep generative models from scratch; every equation is executed.")
data_app = typer.Typer(no_args_is_help=True, help="The data sets: what there is, where it lies, fetching full MNIST.")
exercise_app = typer.Typer(no_args_is_help=True, help="Exercises: start one, check it, verify them all.")
notebooks_app = typer.Typer(no_args_is_help=True, help="Build the lectures' notebooks from their sources.")
app.add_typer(data_app, name="data")
app.add_typer(exercise_app, name="exercise")
app.add_typer(notebooks_app, name="notebooks")


class _Interrupted(Exception):
    """Ctrl-C with a word on how to go on; Typer would end the program without it."""


Json = Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")]
Seed = Annotated[int, typer.Option(help="Seed of every random number.")]


@app.command()
def tour(out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("report"), seed: Seed = 0) -> None:
    """Train a VAE, a flow and an RBM on bundled digits, execute the lectures, write report.html."""
    from minigen.tour import run

    try:
        code = run(out, seed=seed)
    except KeyboardInterrupt:
        raise _Interrupted("interrupted; a report that was there before is as it was") from None
    raise typer.Exit(code)


@app.command()
def check(lectures: Annotated[list[str] | None, typer.Argument(help="Lectures, as 01 11; all where none.")] = None,
          json: Json = None) -> None:
    """Execute the derivations of the lectures and print the ledger; exit 1 on any failure."""
    from minigen.checks import check_command

    raise typer.Exit(check_command(lectures or None, json))


@app.command()
def train(model: Annotated[str, typer.Argument(help="A model, as vae; an unknown name lists them.")],
          out: Annotated[Path, typer.Option(help="Folder of checkpoint and metrics.")],
          data: Annotated[str | None, typer.Option(help="A data set; the model's own by default.")] = None,
          epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
          resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")] = False,
          seed: Seed = 0) -> None:
    """Train a model; Ctrl-C keeps a checkpoint from which --resume goes on."""
    from minigen import recipes

    try:
        recipes.train(model, out=out, data=data, epochs=epochs, resume=resume, seed=seed)
    except KeyboardInterrupt as stop:
        told = f"{stop} (on the command line: --resume)" if str(stop) else "interrupted before anything was trained"
        raise _Interrupted(told) from None


@app.command()
def evaluate(folder: Annotated[Path, typer.Argument(help="Folder of a trained model.")], seed: Seed = 0) -> None:
    """Likelihood of a trained model on its test data, marked exact, bound or estimate."""
    from minigen import recipes

    recipes.evaluate(folder, seed=seed)


@app.command()
def sample(folder: Annotated[Path, typer.Argument(help="Folder of a trained model.")],
           out: Annotated[Path, typer.Option(help="Image file to write.")],
           n: Annotated[int, typer.Option("-n", help="How many samples.")] = 64, seed: Seed = 0) -> None:
    """Draw samples of a trained model into an image."""
    from minigen import recipes

    recipes.sample(folder, n=n, out=out, seed=seed)


@app.command()
def lab(folder: Annotated[Path | None, typer.Argument(help="Where your copy of the lectures goes.")] = None,
        browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
        port: Annotated[int | None, typer.Option(help="Port on this machine; the next free one by default.")] = None,
        ) -> None:
    """Open JupyterLab on a copy of the lectures that you may write to."""
    from minigen.lab import open_lab

    open_lab(folder, browser=browser, port=port)


@app.command()
def bench(names: Annotated[list[str] | None, typer.Argument(help="Cases, as vae, or rbm for a family.")] = None,
          json: Json = None,
          threads: Annotated[int, typer.Option(help="Threads of every peer.")] = 2,
          rounds: Annotated[int, typer.Option(help="Turns of every peer.")] = 15,
          settings: Annotated[str, typer.Option(help="BLAS settings: A (AVX2), B (as it stands) or AB.")] = "AB",
          figure: Annotated[Path | None, typer.Option(help="Also draw the ratios into this PNG file.")] = None,
          ) -> None:
    """Time training steps beside other engines and the bare matrix products, in turns; a missed target is no error."""
    from minigen.bench.report import run

    try:
        run(names or None, json_path=json, figure_path=figure, threads=threads, rounds=rounds, settings=settings)
    except KeyboardInterrupt:
        raise _Interrupted("interrupted; what had been measured by then is above") from None


@data_app.command("list")
def data_list() -> None:
    """What there is, with licence and place."""
    from rich.console import Console
    from rich.table import Table

    from minigen import data

    table = Table("name", "what", "shape", "licence", "where")
    for row in data.describe():
        table.add_row(row.name, row.what, str(row.shape), row.licence, row.where)
    Console().print(table)


@data_app.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(help="The data set.")] = "mnist",
               url: Annotated[str | None, typer.Option(help="Another server that holds the files.")] = None) -> None:
    """Download a data set into the user's cache and verify it."""
    from minigen import data

    print(data.fetch(name, url))


@data_app.command("path")
def data_path(name: Annotated[str | None, typer.Argument(help="The data set; the cache where none.")] = None) -> None:
    """Where a data set lies, or the folder that fetched data go to."""
    from minigen import data

    print(data.cache_folder() if name is None else data.path(name))


@exercise_app.command("list")
def exercise_list() -> None:
    """Number, name, functions and points of every exercise."""
    from minigen.grading import list_exercises, write_list

    write_list(list_exercises())


@exercise_app.command("start")
def exercise_start(exercise: Annotated[str, typer.Argument(help="Number or name, as 11 or vae.")],
                   folder: Annotated[Path, typer.Argument(help="Where your copy goes.")]) -> None:
    """Make a folder with the stub, its public tests and the task."""
    from minigen.grading import start

    print(start(exercise, folder))


@exercise_app.command("check")
def exercise_check(file: Annotated[Path, typer.Argument(help="Your file.")],
                   exercise: Annotated[str | None, typer.Option(help="Its exercise; by default its name says.")] = None,
                   json: Json = None) -> None:
    """Run the public checks on your file; exit 1 where one fails."""
    from minigen.grading import check as check_file
    from minigen.grading import write_result

    result = check_file(file, exercise)
    write_result(result)
    _write_json(json, result)
    raise typer.Exit(result.exit_code)


@exercise_app.command("verify")
def exercise_verify(exercises: Annotated[list[str] | None, typer.Argument(help="Exercises; all where none.")] = None,
                    json: Json = None) -> None:
    """Stub 0, solution 100 %, every mutant rejected, no solution line in a stub; exit 1 otherwise."""
    from minigen.grading import verify, write_report

    report = verify(exercises or None)
    write_report(report)
    _write_json(json, report)
    raise typer.Exit(report.exit_code)


@exercise_app.command("stubs")
def exercise_stubs() -> None:
    """Build the stubs from the solutions."""
    from minigen.grading import build_stubs

    for path in build_stubs():
        print(path)


@notebooks_app.command("build")
def notebooks_build(lectures: Annotated[list[str] | None, typer.Argument(help="Lectures; all where none.")] = None,
                    jobs: Annotated[int, typer.Option(help="Kernels at once.")] = 2) -> None:
    """Execute lectures/*.py into notebooks with outputs, the same bytes every time."""
    from minigen.notebooks import build
    from minigen.resources import find_lecture, lecture_files

    build([find_lecture(name) for name in lectures] if lectures else lecture_files(), jobs,
          lambda built: print(built))


@notebooks_app.command("check")
def notebooks_check() -> None:
    """Are the notebooks in step with their sources? Exit 1 where one is not."""
    from minigen.notebooks import check as in_step
    from minigen.resources import lecture_files

    problems = in_step(lecture_files())
    print("\n".join(problems) or f"{len(lecture_files())} notebooks are in step with their sources")
    raise typer.Exit(bool(problems))


def _write_json(path: Path | None, record: object) -> None:
    if path is not None:
        path.write_text(record.to_json() + "\n", encoding="utf-8")


def main() -> None:
    """Run the command; a mistake of the user is one line on stderr and exit 2, Ctrl-C is exit 130."""
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:
        sys.stdout.flush()
        print(f"minigen: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except _Interrupted as stop:
        print(f"minigen: {stop}", file=sys.stderr)
        raise SystemExit(130) from None
