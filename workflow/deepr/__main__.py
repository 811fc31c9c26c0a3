"""``python -m deepr``, the same as the command ``deepr``."""

import sys

from deepr.cli import main

sys.exit(main())
