"""Recipes that predict y by descending an energy."""

from ebmlab.energy import Energy
from ebmlab.methods.cards import card
from ebmlab.objectives import Answers, Unrolled
from ebmlab.objectives.unrolled import Judge
from ebmlab.protocols import Method, Solver

__all__ = ["ebt"]


@card(
    energy="any smooth E(x, y)",
    objective="min over starts of ‖ŷ - y‖², ŷ unrolled",
    collapse="y itself is the target",
)
def ebt(
    energy: Energy,
    starts: int = 1,
    *,
    solver: Solver | None = None,
    loss: Judge | None = None,
    thoughts: tuple[int, int] = (1, 4),
    answers: Answers | None = None,
) -> Method:
    """Predict y by thinking: ŷ is where descent of E(x, ·) from a random start leads.

    The loss sees ŷ, and goes back through the descent; y itself is the target, which prevents
    collapse. `prediction.think` answers, the longer the better. A network of [x, y] learns several
    times faster with a bowl beside it, `MLP(dim, x_dim) + Gaussian(zeros, eye)`, which also bounds
    it from below.

    Args:
        energy: of x and continuous y, with smooth activations.
        starts: 1 where each x has one right y, whose mean it finds; where several are right, about
            eight, of which the nearest answer counts: thinking then finds one of them.
        solver: a thought; one step of size 1 if left out.
        loss: of (ŷ, y), squared distance if left out.
        thoughts: the least and the most of them.
        answers: remembers some, to go on from; `objectives.Answers`.

    Example:
        >>> import torch
        >>> from ebmlab.energies import MLP, Gaussian
        >>> from ebmlab.prediction import think
        >>> method = ebt(MLP(2, x_dim=1) + Gaussian(torch.zeros(2), torch.eye(2)))
        >>> think(method, torch.zeros(5, 1), torch.randn(3, 2)).answer.shape
        torch.Size([5, 2])

    Source: Gladstone et al. 2025, arXiv:2507.02092; Belanger, McCallum 2016, arXiv:1511.06350.
    """
    objective = Unrolled(solver, loss, starts=starts, thoughts=thoughts, answers=answers)
    return Method(energy, objective)
