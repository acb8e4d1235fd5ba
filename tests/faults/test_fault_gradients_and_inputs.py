import torch
from faults_support import _free, _Joined, _normal, energies, inferences, refused, slopes, uses
from torch import nn

from ebmlab import FreeEnergy, FunctionEnergy
from ebmlab.energies import Reconstruction
from ebmlab.errors import GradientError
from ebmlab.inference import Descent


@slopes
def test_fault_10_an_energy_detached_from_y_is_refused(use):
    cut = FunctionEnergy(lambda y: y.detach().square().sum(-1))
    refused(
        GradientError, lambda: use(cut, None, _normal(4, 2)), "(4, 2)", "no gradient", "detach"
    )
    learned = nn.Linear(2, 1)
    cut = FunctionEnergy(lambda y: learned(y.detach())[:, 0])
    refused(GradientError, lambda: use(cut, None, _normal(4, 2)), "(4, 2)", "no gradient")
    use(FunctionEnergy(lambda y: learned(y)[:, 0]), None, _normal(4, 2))


def test_fault_10_an_energy_detached_from_z_is_refused():
    cut = FunctionEnergy(lambda y, z: (y - z.detach()).square().sum(-1), ("y", "z"))
    free = FreeEnergy(cut, Descent(_normal(3, 2), steps=2))
    refused(GradientError, lambda: free(None, _normal(4, 2)), "no gradient")


@uses
@energies
def test_fault_11_no_use_changes_its_input_in_place(use, build):
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    kept = x.clone(), y.clone()
    versions = x._version, y._version
    use(build(), x, y)
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])
    assert (x._version, y._version) == versions
    assert not x.requires_grad
    assert not y.requires_grad


@inferences
def test_fault_11_no_inference_changes_its_input_in_place(infer):
    free = _free(infer, Reconstruction(_Joined(nn.Linear(4, 2))))
    x, y = _normal(4, 2), _normal(4, 2, seed=1)
    kept = x.clone(), y.clone(), {n: v.clone() for n, v in free.state_dict().items()}
    free(x, y).sum().backward()
    assert torch.equal(x, kept[0])
    assert torch.equal(y, kept[1])
    assert all(torch.equal(v, kept[2][n]) for n, v in free.state_dict().items())
    assert not x.requires_grad
    assert x.grad is None
