"""One browser for all tests of the page."""

from collections.abc import Iterator
from importlib.resources import files

import pytest
from browser import CHROMIUM, Browser, browser


@pytest.fixture(scope="session")
def chromium(tmp_path_factory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="session")
def address() -> str:
    """Of the page that the wheel carries."""
    return (files("ebmlab.cli") / "explorer.html").as_uri()
