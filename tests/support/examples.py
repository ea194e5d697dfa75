"""How much is thrown: little and always the same in `make test`; `make fuzz` asks for more, and for new ones each time."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
QUICK = 12

settings.register_profile(
    "quick",
    max_examples=QUICK,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "long",
    max_examples=int(os.environ.get("RUNSPAN_FUZZ_EXAMPLES", "0")) or QUICK,
    database=None,
    deadline=None,
    suppress_health_check=SLOW,
    print_blob=True,
)
settings.load_profile("long" if "RUNSPAN_FUZZ_EXAMPLES" in os.environ else "quick")
