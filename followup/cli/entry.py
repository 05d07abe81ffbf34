"""Where the command `followup` begins. It imports little, so that Ctrl-C is answered also while the rest is loaded."""

from __future__ import annotations

import sys

INTERRUPTED = "interrupted: nothing half-done counts, so run it again"
INTERRUPTED_CODE = 130
"""Exit code, as shells say it of a command that SIGINT ended."""


def main() -> None:
    """Load the command line and run it."""
    try:
        from followup.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"{INTERRUPTED}\n")
        sys.exit(INTERRUPTED_CODE)


if __name__ == "__main__":
    main()
