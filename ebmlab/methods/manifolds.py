"""Recipes whose latent is one angle: the ellipse and the horn."""

from ebmlab.energies import Reconstruction
from ebmlab.free_energy import FreeEnergy
from ebmlab.inference import Circle, Enumerate
from ebmlab.methods.cards import card
from ebmlab.networks import MLP
from ebmlab.networks import Ellipse as EllipseDecoder
from ebmlab.networks import Horn as HornDecoder
from ebmlab.objectives import Regularized
from ebmlab.protocols import Method

__all__ = ["ellipse", "horn"]


@card(energy="‖(w₁ cos z, w₂ sin z) - y‖²", z="grid of angles", collapse="z has one dimension")
def ellipse(
    temperature: float = 0.0, atoms: int = 48, *, w: tuple[float, float] = (1.0, 1.0)
) -> Method:
    """The ellipse: F(y) over an angle z of E = ‖y - (w1 cos z, w2 sin z)‖², pushed down on data.

    z has one dimension where y has two, and that prevents collapse. At T > 0 the loss is that of
    maximum likelihood, since ∫ exp(-F / T) dy = π T whatever w is. Warmth shrinks the radii: w = 0
    is stable where T > 2 E[y_i²] for both i.

    Args:
        temperature: T >= 0.
        atoms: how many angles are tried, evenly spaced.
        w: where the radii begin, neither at 0.

    Source: Canziani, LeCun 2020, lectures on latent-variable energy models.
    """
    energy = Reconstruction(EllipseDecoder(w), takes_x=False)
    infer = Enumerate(Circle().atoms(atoms))
    return Method(FreeEnergy(energy, infer, temperature), Regularized())


@card(energy="‖(f₁(x) cos z, f₂(x) sin z) - y‖²", z="grid of angles", collapse="one-dimensional z")
def horn(temperature: float = 0.0, atoms: int = 48, *, hidden: tuple[int, ...] = (8, 8)) -> Method:
    """The horn: an ellipse for each x, E = ‖y - (f1(x) cos z, f2(x) sin z)‖² with a network f.

    Args beside those of `ellipse`:
        hidden: widths of the hidden layers of f, from the scalar x to two radii.

    Source: Canziani, LeCun 2020, lectures on latent-variable energy models.
    """
    energy = Reconstruction(HornDecoder(MLP(1, 2, hidden)))
    infer = Enumerate(Circle().atoms(atoms))
    return Method(FreeEnergy(energy, infer, temperature), Regularized())
