"""The program's name: the service where neither an option nor a variable names one."""

from __future__ import annotations

import os
import sys


def name() -> str:
    """`app` for `python app.py`, `pkg.mod` for `python -m pkg.mod`, `uvicorn` for uvicorn, `python` for a prompt or `-c`."""
    main = sys.modules.get("__main__")
    module = getattr(getattr(main, "__spec__", None), "name", None)
    if isinstance(module, str) and module != "__main__":
        return module.removesuffix(".__main__")
    path = getattr(main, "__file__", None) or sys.argv[0]
    if os.path.basename(path) == "__main__.py":  # of a folder or a zip file
        path = os.path.dirname(path)
    stem = os.path.splitext(os.path.basename(os.path.abspath(path)))[0] if path and path != "-c" else ""
    return stem or "python"
