"""Traces of runs that are over: exported threads and responses, recordings of traffic, objects that a script reads.

    from runspan import importing

    with importing.Importer(file="traces.jsonl") as importer:
        importer.read("exports/")                 # files and folders, known by their content
        importer.add(client.beta.threads.retrieve(thread_id))    # or objects, one by one
        report = importer.finish()
    print(report.runs, "runs;", report.left_out, "left out")

The spans are those that a live process makes of the same run, but for what only a live process can know. Their ids are made of the
ids of the runs: a second import changes nothing where spans are known by id. Documented in docs/archives.md.
"""

from __future__ import annotations

from .delivery import NotDeliveredError
from .importer import Importer
from .reports import BusyError, Fault, Report

__all__ = ["BusyError", "Fault", "Importer", "NotDeliveredError", "Report"]
