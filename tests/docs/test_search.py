"""What users ask is answered by the search of the built site: the page or section is among the first three pages shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.pages import ROOT

pytestmark = pytest.mark.wide  # it builds the site

SHOWN = 3
# What is typed -> the page or section that answers.
QUESTIONS: Mapping[str, str] = {
    "first trace": "tutorial/",
    "decorator": "how-to/own-functions/",
    "observe": "api/#runspan.observe",
    "jaeger": "backends/jaeger/",
    "langfuse": "backends/langfuse/",
    "datadog": "presets/#a-backend-without-a-preset",
    "content off": "how-to/content-off/",
    "redact pii": "privacy/#redact-with-a-library",
    "unfinished": "troubleshooting/#why-is-a-run-unfinished",
    "nothing arrives": "troubleshooting/#why-is-nothing-there",
    "no tokens": "troubleshooting/#why-are-there-no-tokens",
    "twice": "troubleshooting/#why-is-a-run-there-twice-duplicate-spans",
    "duplicate spans": "troubleshooting/#why-is-a-run-there-twice-duplicate-spans",
    "overhead": "troubleshooting/#how-much-overhead-is-there",
    "deprecation warning": "troubleshooting/#why-are-there-deprecationwarnings",
    "only failed runs": "how-to/failed-runs/",
    "sampling": "how-to/sampling/",
    "cost": "cost/",
    "price of my own model": "cost/#prices-of-your-own",
    "custom attributes": "how-to/attributes/",
    "user id": "how-to/attributes/#for-every-span-below-user-session-tags-metadata",
    "trace id in logs": "how-to/attributes/#trace-ids-in-logs",
    "feedback": "how-to/attributes/#record-feedback",
    "fastapi": "how-to/fastapi/",
    "celery": "how-to/celery/",
    "gunicorn": "how-to/gunicorn-and-uvicorn/",
    "django": "how-to/gunicorn-and-uvicorn/#django-and-flask",
    "aws lambda": "deploying/#serverless-aws-lambda-cloud-functions",
    "jupyter": "how-to/jupyter/",
    "two processes": "processes/",
    "background responses": "responses/",
    "webhook": "responses-recipes/#fastapi-and-a-webhook",
    "azure": "servers/#azure-openai",
    "proxy": "deploying/#behind-a-proxy-or-with-your-own-certificate",
    "self signed certificate": "deploying/#behind-a-proxy-or-with-your-own-certificate",
    "test assistant": "how-to/tests/",
    "mock": "how-to/tests/",
    "turn off tests": "how-to/turn-off/",
    "delete traces": "how-to/clear-the-viewer/",
    "console": "presets/#the-console-print-traces",
    "service name": "configuration/#the-name-of-the-service",
    "add preset": "contributing/add-a-preset/",
    "装饰器": "zh/math-tutor/",
    "第一条": "zh/tutorial/",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[list[str]]]:
    """Pages of each query, best first, each with its places that match."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs the theme's search (Debian: apt-get install nodejs)")
    site = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", site],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    asked = [node, Path(__file__).with_name("search.js"), site, *QUESTIONS]
    found: Mapping[str, list[list[str]]] = json.loads(subprocess.check_output(asked, text=True))
    return found


@pytest.mark.parametrize(("query", "place"), QUESTIONS.items())
def test_a_question_finds_its_answer(query: str, place: str, answers: Mapping[str, list[list[str]]]) -> None:
    shown = answers[query][:SHOWN]
    assert place in [one for page in shown for one in page], shown
