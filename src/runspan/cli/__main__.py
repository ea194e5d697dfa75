"""`python -m runspan.cli`: the same as `runspan`, for where scripts are not on the path."""

import sys

from .main import main

sys.exit(main())
