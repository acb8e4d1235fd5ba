"""An exhibit: what is made and trained, how that is drawn, and what to see there."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeVar

import torch
from matplotlib.figure import Figure

from pictures.sources import script

__all__ = ["Exhibit", "shown"]

T = TypeVar("T")


@dataclass(frozen=True)
class Exhibit:
    """A method, or a part of one, at work.

    Attributes:
        build: makes it and runs it; its body is the code that pages show.
        view: what was trained -> its picture.
        caption: what the picture shows, how to read it and what to notice.
    """

    build: Callable[[], Any]
    view: Callable[[Any], Figure]
    caption: str

    def draw(self) -> Figure:
        """Run it from seed 0, and draw it."""
        # Short runs warn of chains that hardly move; captions say what comes of it.
        with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):
            torch.manual_seed(0)
            return self.view(self.build())

    @property
    def code(self) -> str:
        """Imports, helpers and the body of `build`, as a script."""
        assert isinstance(self.build, FunctionType)
        return script(self.build)


def shown(view: Callable[[T], Figure], caption: str) -> Callable[[Callable[[], T]], Exhibit]:
    """Make of a function that builds and trains a method the method's exhibit."""
    return lambda build: Exhibit(build, view, caption)
