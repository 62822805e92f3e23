"""Entry point of `python -m neurobench`."""

import sys

from neurobench.cli.main import main

sys.exit(main())
