"""`python -m maskwright` is `maskwright`; so `torchrun -m maskwright` starts several of it."""

import sys

from maskwright.cli.main import main

sys.exit(main())
