import pytest

from tests.endings import table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if table.rows:
        terminalreporter.write_line("\n" + table.text())
