"""A server of the Assistants and Responses APIs on real sockets, what it does played from scenarios that are data.

    with serve("code_interpreter", responses="web_search") as server:
        client = OpenAI(base_url=server.base_url, api_key="none")

Shapes, states and event orders follow recorded traffic of 2023 to 2025. Standard library only.
"""

from runspan.fake.clock import Clock, SimulatedClock
from runspan.fake.dialects import DIALECTS
from runspan.fake.faults import FAULTS, Drop, Fault, HttpError, Slow
from runspan.fake.library import SCENARIOS
from runspan.fake.scenarios import (
    Auto,
    CodeInterpreter,
    Ending,
    FileCitation,
    FilePath,
    FileResult,
    FileSearch,
    FunctionCall,
    Image,
    ImageFile,
    ImageUrl,
    Logs,
    Message,
    Refusal,
    Retrieval,
    Scenario,
    Text,
    Tools,
    Turn,
    Usage,
)
from runspan.fake.server import Server, serve

__all__ = [
    "DIALECTS",
    "FAULTS",
    "SCENARIOS",
    "Auto",
    "Clock",
    "CodeInterpreter",
    "Drop",
    "Ending",
    "Fault",
    "FileCitation",
    "FilePath",
    "FileResult",
    "FileSearch",
    "FunctionCall",
    "HttpError",
    "Image",
    "ImageFile",
    "ImageUrl",
    "Logs",
    "Message",
    "Refusal",
    "Retrieval",
    "Scenario",
    "Server",
    "SimulatedClock",
    "Slow",
    "Text",
    "Tools",
    "Turn",
    "Usage",
    "serve",
]
