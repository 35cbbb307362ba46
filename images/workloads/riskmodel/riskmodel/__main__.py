"""The command line: `python3 -m riskmodel --profile quick`. Records go to stdout, everything else to stderr."""

import argparse
import signal
import sys

from . import __doc__ as purpose
from . import __version__, settings, supervise
from .planted import PLANTED

def main() -> int:
    """Parses the options and runs the processes; returns the exit code."""
    parser = argparse.ArgumentParser(prog="riskmodel", description=purpose)
    parser.add_argument("--profile", choices=settings.PROFILES, default="quick")
    parser.add_argument("--precision", choices=("both", *settings.PRECISIONS), default="both")
    parser.add_argument("--plant", choices=PLANTED, action="append", default=[], help="change something on purpose")
    parser.add_argument(
        "--keep-environment", action="store_true", help="keep variables that choose kernels or threads"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="train a variant: other weights, masks and order (0: the reference)"
    )
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args()
    precisions = settings.PRECISIONS if options.precision == "both" else [options.precision]
    # An orderly exit, so that the processes started here end with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    commands, variables = supervise.commands(
        list(precisions), options.profile, options.plant, options.keep_environment, options.seed
    )
    return supervise.run(commands, variables, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
