"""A kind of run: its methods, its data, and how they are trained, measured and drawn."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from ebmlab._disk import write_whole
from ebmlab.methods.cards import Recipe
from ebmlab.protocols import Method
from ebmlab.runs.config import Config
from ebmlab.runs.order import Order
from ebmlab.training.batches import Batch
from ebmlab.training.watch import Watch

__all__ = [
    "Built",
    "Elsewhere",
    "Encodes",
    "Findings",
    "Inpaints",
    "Judges",
    "Kind",
    "Look",
    "Offered",
    "Samples",
    "Sketch",
    "Usual",
    "saved",
]


@dataclass(frozen=True, eq=False)
class Built:
    """A run's parts, on its device.

    Args:
        config: how it was started.
        method: what is trained.
        order: which data each step sees.
        device: where they are.
    """

    config: Config
    method: Method
    order: Order
    device: torch.device


class Offered(Protocol):
    """A row of a table of methods."""

    @property
    def recipe(self) -> Recipe:
        """The function of `ebmlab.methods`; its name is the method's."""
        ...


B = TypeVar("B", bound=Built)
P = TypeVar("P", bound=Offered)


class Usual(NamedTuple):
    """Arguments as they are where none are asked for."""

    encoder: str | None
    dim: int | None
    epochs: int
    lr: float


class Look(NamedTuple):
    """How a run stands: numbers for its record, and a frame of its film where it has one."""

    numbers: dict[str, float]
    frame: Tensor | None


class Findings(NamedTuple):
    """What is measured on held-out data.

    Attributes:
        train, test: how many data there are to learn from, and how many are judged.
        numbers: by what they measure.
        lists: several numbers of one sort, by name.
        advice: what to try, in one line; None where nothing need be said.
    """

    train: int
    test: int
    numbers: dict[str, float]
    lists: dict[str, list[float]]
    advice: str | None


class Sketch(NamedTuple):
    """What to draw: under which title, which frames by step, which data if not the run's."""

    title: str
    frames: Mapping[int, Tensor]
    data: str | None


class Elsewhere(NamedTuple):
    """Data that are in no table: what they are called, and which names they go by."""

    noun: str
    names: Callable[[str], bool]


class Kind(ABC, Generic[B, P]):
    """A sort of data, with all methods that learn it.

    Args:
        presets: the methods by name.

    Attributes:
        noun: what data of this kind are called.
        sets: the data by name; the first are taken where none are asked for.
        elsewhere: which others there are: files, folders.
    """

    noun: ClassVar[str]
    sets: ClassVar[Mapping[str, Callable[[], Any]]]
    elsewhere: ClassVar[Elsewhere | None] = None

    def __init__(self, presets: Mapping[str, P]) -> None:
        self.presets = presets

    def takes(self, data: str) -> bool:
        """Whether data of this name are of this kind."""
        others = self.elsewhere is not None and self.elsewhere.names(data)
        return data in self.sets or others

    @abstractmethod
    def usual(self, method: str, data: str, batch_size: int, limit: int | None) -> Usual:
        """The arguments that are a method's own, or follow from the data."""

    @abstractmethod
    def build(self, config: Config, device: torch.device) -> B:
        """The parts of a run as it starts; weights come from torch's generator."""

    @abstractmethod
    def every(self, built: B) -> int:
        """Steps from one record to the next."""

    @abstractmethod
    def settles(self, built: B) -> bool:
        """Whether an epoch of commits comes before the first step."""

    @abstractmethod
    def batch(self, built: B, rows: Tensor, rng: torch.Generator) -> Batch:
        """These rows of the training data as the method sees them."""

    @abstractmethod
    def watch(self) -> Watch | None:
        """What warns of trouble while a run trains."""

    @abstractmethod
    def look(self, built: B) -> Look:
        """How a run stands; it moves nothing."""

    @abstractmethod
    def measure(self, built: B, data: str | None, limit: int | None) -> Findings:
        """How a run does on held-out data, its own or others of their shape, `limit` at most."""

    @abstractmethod
    def draw(self, built: B, out: Path, sketch: Sketch) -> list[Path]:
        """Write pictures of a run into a folder."""


class Samples(ABC, Generic[B]):
    """What a kind can do besides, whose methods make data.

    Attributes:
        suffix: of the file that samples are written to.
    """

    suffix: ClassVar[str] = ".png"

    @abstractmethod
    def sample(self, built: B, out: Path, n: int, seed: int) -> list[Path]:
        """Write n samples, and the film of how they came about where there is one."""


class Encodes(ABC, Generic[B]):
    """What a kind can do besides, whose methods may hold an encoder of its data."""

    @abstractmethod
    def shown(self, built: B, n: int) -> Tensor:
        """The first n data of a run as its encoder takes them, or all where there are fewer."""


class Judges(ABC, Generic[B]):
    """What a kind can do besides: judge held-out data while a run trains."""

    @abstractmethod
    def online(self, built: B) -> Watch:
        """What looks at held-out data at some of the recorded steps."""


class Inpaints(ABC, Generic[B]):
    """What a kind can do besides, whose methods complete what is hidden of an image."""

    @abstractmethod
    def inpaint(self, built: B, out: Path, mask: str, data: str | None, seed: int) -> list[Path]:
        """Write held-out data with a part hidden, and several answers to each."""


def saved(out: Path, figures: Mapping[str, Any]) -> list[Path]:
    """Write each figure as a PNG of its name; their paths."""
    paths = [out / f"{stem}.png" for stem in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        content = BytesIO()
        figure.savefig(content, format="png")
        write_whole(path, content.getvalue())
    return paths
