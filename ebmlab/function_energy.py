"""`FunctionEnergy`: any callable or module of x, y and z as an energy."""

from collections.abc import Callable

from torch import Tensor

from ebmlab._batched import over_batch
from ebmlab._checks import Ndim
from ebmlab._events import numbered
from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError
from ebmlab.types import Tree

__all__ = ["FunctionEnergy"]


class FunctionEnergy(Energy):
    """Any callable or nn.Module as an energy: E = f(x, y, z), f of single-batch tensors.

    Leading dimensions are broadcast, flattened to one for f, and restored.

    Args:
        function: takes `variables` in their order, each (n, *event), and returns (n,); every part
            of one that is a tuple by itself.
        variables: which of "x", "y", "z" the function takes; y is always among them.
        x_ndim, y_ndim, z_ndim: event dimensions, see `Energy`.

    Raises:
        ConfigurationError: `variables` lacks y or holds an unknown name.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
        >>> FunctionEnergy(net, variables=("y",))(None, torch.zeros(4, 5, 2)).shape
        torch.Size([4, 5])
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        variables: tuple[str, ...] = ("y",),
        *,
        x_ndim: Ndim = 1,
        y_ndim: Ndim = 1,
        z_ndim: Ndim = 1,
    ) -> None:
        super().__init__()
        if "y" not in variables or not set(variables) <= {"x", "y", "z"}:
            raise ConfigurationError(
                f'variables is {variables}; it lists some of "x", "y", "z" and always "y"'
            )
        self.function = function
        self.variables = tuple(variables)
        self.x_ndim, self.y_ndim, self.z_ndim = x_ndim, y_ndim, z_ndim
        self.takes_x, self.takes_z = "x" in variables, "z" in variables

    def forward(self, x: Tree, y: Tree, z: Tree = None) -> Tensor:
        """f of the variables it takes."""
        known = {"x": (x, self.x_ndim), "y": (y, self.y_ndim), "z": (z, self.z_ndim)}
        inputs = {
            part: each
            for name in self.variables
            for part, each in numbered(name, *known[name]).items()
        }
        return over_batch(self.function, *inputs.values(), names=list(inputs))
