"""The commands put together, and what becomes of their errors.

Exit codes: 0 done; 2 bad usage or bad input, said in one line; 1 our fault; 130 ended by
Ctrl-C; 141 the reader of our output went away. Results go to stdout, all else to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from napari_covidseg import RESEARCH_ONLY, __version__
from napari_covidseg.cli import (
    check_data,
    cross_validate,
    demo,
    evaluate_model,
    explain,
    inspect,
    measure,
    models,
    reproduce,
    run,
    streams,
    train,
)
from napari_covidseg.cli.errors import (
    BAD_INPUT,
    BROKEN_PIPE,
    DEBUG,
    INTERRUPTED,
    in_words,
    say,
)

# Typer offers these only through their subclass; older releases take them from click.
_UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="covidseg",
    help=f"Segment and measure lungs and infection on chest CT and X-ray. {RESEARCH_ONLY}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run.segment)
app.command()(run.classify)
app.command()(explain.explain)
app.command()(measure.measure)
app.command()(measure.evaluate)
app.add_typer(models.app, name="models")
app.command()(inspect.doctor)
app.command()(demo.demo)
app.command()(check_data.check_data)
app.command()(train.train)
app.command()(evaluate_model.evaluate_model)
app.command()(cross_validate.cross_validate)
app.command()(reproduce.reproduce)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-covidseg {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error came from (a traceback).")
    ] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    streams.prepare()
    # TensorFlow's greetings are no news for the user; its errors are raised as well.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(execute(arguments))


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; no exception gets out."""
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Not command.main(): it would turn Ctrl-C and a broken pipe into exits of its own.
        try:
            with command.make_context("covidseg", given) as context:
                command.invoke(context)
            code = 0
        except typer.Exit as ending:
            code = ending.exit_code
        sys.stdout.flush()
        return code
    except _UsageError as error:
        return _usage(error)
    except (BrokenPipeError, SystemExit):  # Rich exits where a pipe is broken
        # What Python still holds for stdout must go somewhere when it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort) as ending:
        # A command that knows what is left says so itself.
        say(str(ending) or "Stopped. What was written before is whole.")
        return INTERRUPTED
    except Exception as error:
        message, code = in_words(error)
        say(f"error: {message}")
        return code


def _usage(error: Any) -> int:
    """Say bad usage in one line, with the command whose help has the rest.

    Without any arguments Typer has shown the help, and the message is empty.
    """
    message = error.format_message().rstrip()
    if message:
        command = error.ctx.command_path if error.ctx else "covidseg"
        ending = "" if message.endswith((".", "?", "!")) else "."
        say(f"error: {message}{ending} See '{command} --help'.")
    return BAD_INPUT
