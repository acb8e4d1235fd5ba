"""Pictures that a hidden action turns."""

import torch
from torch import Tensor
from torch.nn import functional

from ebmlab._checks import require_counts
from ebmlab._kinds import require_floats
from ebmlab.data._random import uniform
from ebmlab.data.views.rotate import Rotate
from ebmlab.data.worlds.world import World
from ebmlab.errors import ConfigurationError, ShapeError

__all__ = ["TurningDigits"]


class TurningDigits(World):
    """Images at any angle, turned by a hidden action: one of a few turns, or any angle.

    A state is (number of the image, angle in degrees). An image is always rendered from its
    original at the angle that all turns add up to, so that nothing is lost on the way, and whole
    degrees add up exactly. At first images and angles are uniform. Positive turns are
    counterclockwise; what comes from outside the image is 0.

    With the three turns of the default the 81 sequences of four lead to 15 angles, all 15 degrees
    or more apart: two sequences by chance lead to the same one with probability 639 / 6561.

    Args:
        images: (n, channels, height, width).
        turns: the degrees that action k turns by; None: an action is an angle of its own,
            (n, 1) in degrees, uniform on [-180, 180).
        padding: pixels of 0 around each image, so that no corner is turned out of sight.

    Raises:
        ShapeError: images are not (n >= 1, c, h, w).
        ConfigurationError: there are no turns, or a negative padding.

    Example:
        >>> from ebmlab import data
        >>> world = TurningDigits(data.digits()[0], turns=(0.0, 90.0), padding=2)
        >>> x, y, action, state = world.moves(3, torch.Generator().manual_seed(0))
        >>> x.shape, torch.equal(world.render(world.step(state, action)), y)
        (torch.Size([3, 1, 12, 12]), True)
    """

    def __init__(
        self,
        images: Tensor,
        turns: tuple[float, ...] | None = (-85.0, 60.0, 175.0),
        *,
        padding: int = 0,
    ) -> None:
        require_floats("images", images)
        if images.ndim != 4 or len(images) == 0:
            raise ShapeError(
                f"images have shape {tuple(images.shape)}; expected (n >= 1, c, h, w)"
            )
        if turns is not None and len(turns) == 0:
            raise ConfigurationError(
                "turns is empty; name the degrees, or pass None for any angle"
            )
        require_counts(0, padding=padding)
        self.images = functional.pad(images, (padding,) * 4)
        self.turns = turns
        self.codes = None if turns is None else len(turns)

    def start(self, n: int, rng: torch.Generator) -> Tensor:
        """An image and an angle, both uniform: (n, 2)."""
        which = torch.randint(len(self.images), (n,), generator=rng, device=rng.device)
        angle = uniform(n, rng, 0.0, 360.0).floor()
        return torch.stack([which.to(angle), angle], dim=1)

    def act(self, n: int, rng: torch.Generator) -> Tensor:
        """Numbers of turns (n,), or angles (n, 1) in degrees."""
        if self.turns is None:
            return uniform(n, rng, -180.0, 180.0)[:, None]
        return torch.randint(len(self.turns), (n,), generator=rng, device=rng.device)

    def step(self, state: Tensor, action: Tensor) -> Tensor:
        """The image stays, the angle grows by the turn."""
        which, angle = state.unbind(1)
        turn = action[:, 0] if self.turns is None else self._degrees(action, state)
        return torch.stack([which, (angle + turn).remainder(360.0)], dim=1)

    def render(self, state: Tensor) -> Tensor:
        """The originals, each at its angle: (n, c, h, w)."""
        which, angle = state.unbind(1)
        return Rotate().apply(self.images[which.long()], (angle,))

    def _degrees(self, action: Tensor, state: Tensor) -> Tensor:
        return torch.tensor(self.turns, dtype=state.dtype, device=state.device)[action]
