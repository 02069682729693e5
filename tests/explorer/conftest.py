"""One browser for all tests of pages."""

import pytest

from tests.explorer.browser import FLAGS, chromium


@pytest.fixture(scope="session")
def browser():
    sync_api, executable = chromium()
    with sync_api.sync_playwright() as play:
        running = play.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()
