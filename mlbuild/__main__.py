"""`python -m mlbuild`, for where the command is not installed."""

import sys

from mlbuild.cli.main import main

sys.exit(main(sys.argv[1:]))
