"""Objectives: values, directions, sums, commits, and a user's own loop through a `Method`."""

from torch import Tensor, nn

from ebmlab.energies import SquaredDistance


class Counted(nn.Module):
    """A linear encoder that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3).double()
        self.calls = 0

    def forward(self, y: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(y)


class Recording(SquaredDistance):
    """A head that notes what `update` is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def update(self, x: Tensor, y: Tensor) -> None:
        self.seen.append((x, y))
