"""`Reconstruction`: decode x and z, and compare with y."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from ebmlab._batched import over_batch
from ebmlab._checks import Ndim, leading_shape, require_tensor
from ebmlab._events import numbered, require_vectors
from ebmlab._form import Priors
from ebmlab._kinds import name_of, told
from ebmlab.energies._codes.codes import SquaredDistance
from ebmlab.energy import Energy
from ebmlab.types import Decode, Rng, Tree

__all__ = ["Reconstruction"]


class Reconstruction(Energy):
    """E(x, y, z) = distance(decoder(x, z), y) [+ prior(z)]: what latent-variable prediction is.

    Args:
        decoder: maps (x, z), or z alone where `takes_x` is False, each with one batch dimension,
            to something like y; called as decoder(None, z) where x is None, and with every part
            of z by itself, decoder(x, z1, z2), where there are several.
        distance: energy between decoded and observed; squared distance by default.
        prior: an energy of z, called as prior(None, z). Leave it out where the free energy counts
            the prior as information, or it is counted twice.
        takes_x: whether the decoder is conditional.
        x_ndim, z_ndim: event dimensions of x and z, a tuple where z has several parts; those of y
            are the distance's.

    Example:
        >>> import torch
        >>> energy = Reconstruction(nn.Linear(3, 2), takes_x=False)
        >>> energy(None, torch.zeros(4, 2), torch.zeros(10, 4, 3)).shape
        torch.Size([10, 4])

    Source: LeCun et al. 2006; Canziani, LeCun 2020, lectures on latent-variable energy models.
    """

    def __init__(
        self,
        decoder: nn.Module,
        distance: Energy | None = None,
        prior: Energy | None = None,
        *,
        takes_x: bool = True,
        x_ndim: int = 1,
        z_ndim: Ndim = 1,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.distance = SquaredDistance() if distance is None else distance
        self.prior = prior
        self.takes_x, self.takes_z = takes_x, True
        self.x_event, self.z_event = x_ndim, z_ndim
        self.x_ndim, self.z_ndim = x_ndim, z_ndim
        self.y_ndim: Ndim = self.distance.y_ndim

    def decode(self, x: Tree, z: Tree) -> Tensor:
        """The prediction (*batch, *event) for x and z; leading dimensions broadcast."""
        latent = numbered("z", z, self.z_event)
        if not self.takes_x or x is None:
            decoder = partial(self.decoder, None) if self.takes_x else self.decoder
            return told(
                lambda: over_batch(decoder, *latent.values(), names=list(latent)),
                name_of(self.decoder),
                **({"x": x} if self.takes_x else {}),
                z=z,
            )
        inputs = {"x": (require_tensor("x", x), self.x_event)} | latent
        return over_batch(self.decoder, *inputs.values(), names=list(inputs))

    @property
    def squares(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the distance is squared, and there is no prior."""
        return self.prior is None and self.distance.squares

    def decoding(self) -> Decode:
        """What is decoded, as the distance reads it."""
        read = self.distance.decoding()
        if read is None:
            return self.decode
        return lambda x, z: read(self.decode(x, z), None)

    def forward(self, x: Tree, y: Tree, z: Tree = None, rng: Rng = None) -> Tensor:
        """The distance from what is decoded, plus the prior."""
        energy = self.distance(self.decode(x, z), y, rng=rng)
        return energy if self.prior is None else energy + self.prior(None, z, rng=rng)

    def at_each(self, x: Tree, y: Tree, z: Tree = None, *, rng: Rng = None) -> Tensor:
        """Each z decoded once and, where no x goes with it, compared with all y at once."""
        if (self.takes_x and x is not None) or not isinstance(y, Tensor):
            return super().at_each(x, y, z, rng=rng)
        batch = leading_shape("y", y, self.y_ndim)
        rows = y.reshape(batch.numel(), *y.shape[len(batch) :])
        each = self.distance.at_each(self.decode(x, z), rows, rng=rng)
        if self.prior is not None:
            each = each + self.prior(None, z, rng=rng)[:, None]
        return each.reshape(-1, *batch).movedim(0, -1)

    def split(self, kind: Callable[[Energy], bool]) -> tuple[Energy, Priors]:
        """The distance, and the prior where it is of this kind."""
        if self.prior is None or not kind(self.prior):
            return self, []
        plain = Reconstruction(
            self.decoder,
            self.distance,
            takes_x=self.takes_x,
            x_ndim=self.x_event,
            z_ndim=self.z_event,
        )
        return plain, [(1.0, self.prior)]

    def residuals(self, x: Tree, y: Tree, z: Tree = None) -> Tensor | None:
        """Those of the distance, where there is no prior."""
        if self.prior is not None:
            return None
        return self.distance.residuals(self.decode(x, z), y)

    def affine(self, x: Tree, y: Tree) -> tuple[Tensor, Tensor] | None:
        """The matrix of a linear decoder, and y without its bias."""
        decoder, distance = self.decoder, self.distance
        plain = isinstance(distance, SquaredDistance) and distance.ndim == 1
        plain = plain and self.prior is None and not self.takes_x
        if not plain or not isinstance(decoder, nn.Linear):
            return None
        y = require_vectors("y", y, decoder.out_features, "the decoder")
        return decoder.weight, y if decoder.bias is None else y - decoder.bias
