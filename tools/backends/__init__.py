"""The real programs that people look at traces in: installed, started, used, asked what arrived. See `tools/try_backends.py`."""
