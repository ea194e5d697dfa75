"""Recorded traffic with and without runspan: the app and the server see the same, in all seven modes."""

from __future__ import annotations

import pytest
from tests.e2e.recordings.folder import why_absent

if reason := why_absent():
    pytest.skip(reason, allow_module_level=True)

from tests.e2e.recordings.cases import Case, cases, noticed_by_app
from tests.support.slices import every

every_case = pytest.mark.parametrize("case", every(9, cases()), ids=lambda case: case.name)


@every_case
def test_an_app_sees_and_sends_the_same_with_runspan_as_without(case: Case) -> None:
    diff = noticed_by_app(case)
    assert not diff, "\n" + diff
