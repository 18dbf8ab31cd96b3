"""covidseg, the command line: the same jobs without a viewer."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code; see `cli.app`.

    What it needs is imported here, so that Ctrl-C is no error while that is loaded either.
    """
    try:
        from napari_covidseg.cli.app import main as run

        run(arguments)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
