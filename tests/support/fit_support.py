import torch
from torch import Tensor, nn

from ebmlab.energy import Energy
from ebmlab.protocols import Loss, Method, Objective


class Line(Energy):
    """‖f(x) - y‖²; without x, ‖f(1) - y‖²."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x, y, z=None) -> Tensor:
        x = torch.ones_like(y[..., :1]) if x is None else x
        return (self.net(x) - y).square().sum(-1)


class Pull(Objective):
    """The energy at a noisy y, with a count of commits."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__()
        self.noise = noise
        self.register_buffer("commits", torch.zeros((), dtype=torch.long))

    def forward(self, energy, x, y, rng) -> Loss:
        noise = torch.randn(y.shape, generator=rng, dtype=y.dtype)
        value = energy(x, y + self.noise * noise).mean()
        rows = torch.tensor(float(len(y)))
        return Loss(value, {"pull": value.detach()}, {"rows": rows}, lambda: self.commits.add_(1))


class Scripted(Objective):
    """Multiplies the loss, or its gradient, by a number that depends on the step."""

    def __init__(self, factor, gradient_only: bool = False) -> None:
        super().__init__()
        self.factor, self.gradient_only, self.calls = factor, gradient_only, 0

    def forward(self, energy, x, y, rng) -> Loss:
        self.calls += 1
        value = energy(x, y).mean()
        factor = self.factor(self.calls)
        if self.gradient_only:
            value.register_hook(lambda grad: grad * factor)
        else:
            value = value * factor
        return Loss(value, {"energy": value.detach()}, {"energy": value.detach(), "two": value})


def line(objective=None, *, dtype=torch.float64, seed=0) -> Method:
    torch.manual_seed(seed)
    return Method(Line(nn.Linear(1, 1, dtype=dtype)), objective or Pull())


def pairs(n=64, dtype=torch.float64):
    x = torch.linspace(-1, 1, n, dtype=dtype)[:, None]
    return x, 2 * x + 1


def weights(method) -> list[Tensor]:
    return [p.detach().clone() for p in method.parameters()]
