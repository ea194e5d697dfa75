"""`python -m runspan`: the same as `runspan`, for where scripts are not on the path."""

import sys

from .cli.main import main

sys.exit(main())
