"""The real programs that people look at traces in: installed, started, used and asked what arrived. Run by `tools/try_backends.py`."""
