"""The parts of a run on points, and where it is looked at."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebmlab.energies import Density, Gaussian, Uniform
from ebmlab.errors import ConfigurationError
from ebmlab.runs._points.point_sets import PointSet, point_set
from ebmlab.runs.config import Config
from ebmlab.runs.density_preset import DensityPreset, Points
from ebmlab.runs.kind import Built
from ebmlab.runs.order import Order
from ebmlab.slices import Landscape, Plane, landscape
from ebmlab.types import Potential

__all__ = ["HALF", "DensityRun", "density_run"]

# The toys lie within [-3, 3]²; they are looked at in a square of this half width. Projections of
# other points are seen in one that holds them all, and this share more.
HALF, MARGIN = 4.0, 1.1
LEAST = 3


@dataclass(frozen=True, eq=False)
class DensityRun(Built):
    """An energy of points, those it learns from, and the square on a plane where it is drawn."""

    preset: DensityPreset
    points: PointSet
    plane: Plane
    half: float

    @property
    def u(self) -> Potential:
        """The potential whose exp(-u) / Z is the model."""
        return self.preset.density(self.method.energy)

    @property
    def flat(self) -> bool:
        """Whether points lie in the plane itself, so that Z and samples are exact."""
        return self.points.dim == 2

    def seen(self, resolution: int) -> Landscape:
        """The model's potential on a square of the plane."""
        modes = {module: module.training for module in self.method.modules()}
        self.method.eval()
        try:
            return landscape(self.u, self.plane, -self.half, self.half, resolution)
        finally:
            for module, mode in modes.items():
                module.training = mode

    def noise(self) -> Density:
        """What knows nothing of the data but where they are: uniform in the square, or a Gaussian.

        In more than two dimensions it has the data's means and standard deviations.
        """
        if self.flat:
            corner = torch.full((2,), HALF, device=self.device)
            return Uniform(-corner, corner)
        points = self.points.points
        return Gaussian(points.mean(0), points.var(0).diag())


def density_run(config: Config, preset: DensityPreset, device: torch.device) -> DensityRun:
    """The parts of a run as it starts.

    Raises:
        ConfigurationError: an encoder or a dim, which nothing here takes; too few points, or too
            many dimensions.
    """
    for name, value in (("encoder", config.encoder), ("dim", config.dim)):
        if value is not None:
            raise ConfigurationError(
                f"{name} is {value!r}, but {config.method} shapes an energy of the points "
                f"themselves; leave --{name} out"
            )
    points = point_set(config.data).limited(config.limit).to(device)
    if len(points.points) < LEAST:
        raise ConfigurationError(
            f"limit is {config.limit}; a plane takes {LEAST} points at least to be drawn on"
        )
    if preset.most is not None and points.dim > preset.most:
        raise ConfigurationError(
            f"{config.method} takes points of at most {preset.most} dimensions, and those of "
            f"{config.data} have {points.dim}; choose other --data, such as eight-gaussians"
        )
    order = Order(len(points.points), config.batch_size, config.seed)
    rng = torch.Generator(device).manual_seed(config.seed)
    size = min(config.batch_size, len(points.points))
    setting = Points(points.points, size, config.epochs * order.epoch, rng)
    method = preset.build(setting).to(device)
    plane, half = _square(points.points)
    return DensityRun(config, method, order, device, preset, points, plane, half)


def _square(points: Tensor) -> tuple[Plane, float]:
    """The plane, and half the width of the square on it."""
    if points.shape[1] == 2:
        return Plane.xy(origin=points.new_zeros(2)), HALF
    plane = Plane.pca(points)
    return plane, MARGIN * float(plane.coordinates(points).abs().max())
