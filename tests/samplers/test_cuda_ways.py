"""`run(…, compile=True)` on CUDA: which way is taken, where it ends, and what it launches.

On the CPU stand-ins count launches, and Triton's interpreter runs the kernels; on a GPU the ways
themselves are judged against the CPU.
"""

import dataclasses
import warnings

import pytest
import torch
from kernels_support import on_device
from problems import generator
from samplers_support import bowl

from ebmlab import FunctionEnergy, run
from ebmlab.energies import MLP, DoubleWell, Gaussian, Ring
from ebmlab.kernels import graphs, threefry
from ebmlab.kernels.threefry import fresh_seeds, normals
from ebmlab.samplers import HMC, MALA, Annealed, Langevin, Underdamped, linear
from ebmlab.samplers._run import cuda
from ebmlab.samplers._steps import source
from ebmlab.samplers.metric import Diagonal

pytest.importorskip("triton")

from stand_ins import cuda_on_the_cpu

LANGEVIN = Langevin(0.02, 0.7)
U = FunctionEnergy(lambda y: bowl(y) + y.cos().sum(1)).given()
ENERGIES = {
    "double well": DoubleWell(2.0),
    "gaussian": Gaussian(torch.tensor([0.5, -1.0]), torch.tensor([[1.0, 0.3], [0.3, 0.5]])),
    "network": MLP(2, hidden=(8, 8)),
}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Chains and graphs of a few steps."""
    monkeypatch.setattr(cuda, "SHORTEST", 3)
    monkeypatch.setattr(cuda, "TRIED", 1)
    monkeypatch.setattr(cuda, "BLOCKS", 2)
    for kernel in (Langevin, MALA, HMC, Underdamped, Annealed):
        monkeypatch.setattr(kernel, "block", 2)


def start(dim: int = 2, chains: int = 7) -> torch.Tensor:
    return torch.randn(chains, dim, generator=generator(1))


def chain(kernel, u, steps, *, thin=0, y=None, compile=True):
    y = start() if y is None else y
    return run(kernel, u, y, steps=steps, rng=generator(3), thin=thin, compile=compile)


def close(got, due):
    torch.testing.assert_close(got, due, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ENERGIES)
def test_a_known_energy_s_chain_is_one_launch(name):
    u = ENERGIES[name].given()
    due = chain(LANGEVIN, u, 4, compile=False)
    with cuda_on_the_cpu() as launched:
        close(chain(LANGEVIN, u, 4), due)
        # One to try the way, against the fused update of single steps, and one for all steps.
        assert launched == {"chains": 2, "updates": 1}
        close(chain(LANGEVIN, u, 4), due)
        assert launched == {"chains": 3, "updates": 1}


def test_kept_states_end_launches_and_long_chains_are_cut(monkeypatch):
    u = ENERGIES["double well"].given()
    due = chain(LANGEVIN, u, 7, thin=3, compile=False)
    with cuda_on_the_cpu() as launched:
        # The last step is taken alone.
        close(chain(LANGEVIN, u, 7, thin=3), due)
        assert launched == {"chains": 3, "updates": 2}
        monkeypatch.setattr(cuda, "LONGEST", 4)
        close(
            chain(LANGEVIN, u, 7), due._replace(samples=due.samples[:0], energies=due.energies[:0])
        )
        assert launched == {"chains": 5, "updates": 3}


KERNELS = {
    "langevin": LANGEVIN,
    "in a metric": Langevin(0.02, metric=Diagonal(torch.tensor([1.0, 2.0]))),
    "in a box": Langevin(0.02, box=(-9.0, 9.0)),
    "mala": MALA(0.3),
    "hmc": HMC(0.2, 3, jitter=0.2),
    "annealed": Annealed(MALA(0.3), linear(2.0, 1.0, 5)),
}


@pytest.mark.parametrize("name", KERNELS)
def test_other_chains_are_a_launch_for_each_graph_of_steps(name):
    kernel = KERNELS[name]
    due = chain(kernel, U, 12, compile=False)
    with cuda_on_the_cpu() as launched:
        close(chain(kernel, U, 12), due)
        # Four steps a graph, and one graph to try; what is left of twelve are none alone.
        assert (launched["captures"], launched["graphs"]) == (1, 1 + 3)


def test_fifty_steps_are_a_launch(monkeypatch):
    monkeypatch.undo()
    due = chain(MALA(0.3), U, 200, compile=False)
    with cuda_on_the_cpu() as launched:
        close(chain(MALA(0.3), U, 200), due)
        assert launched == {"captures": 1, "graphs": 1 + 4}


def test_a_kernel_of_one_s_own_is_no_known_chain():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Colder(Langevin):
        def draw(self, state, source):
            return 0.1 * source.normal(state.y)

    u = ENERGIES["double well"].given()
    due = chain(Colder(0.02), u, 4, compile=False)
    with cuda_on_the_cpu() as launched:
        close(chain(Colder(0.02), u, 4), due)
        assert launched["chains"] == 0


def test_kept_states_of_a_graph_are_those_of_single_steps():
    for thin in (3, 4):
        due = chain(MALA(0.3), U, 9, thin=thin, compile=False)
        with cuda_on_the_cpu() as launched:
            close(chain(MALA(0.3), U, 9, thin=thin), due)
            assert launched["graphs"] == 3


def test_other_numbers_need_no_capture_and_other_parameters_are_seen():
    weight = torch.tensor([1.0, 4.0])
    u = FunctionEnergy(lambda y: (weight * y.square()).sum(1)).given()
    numbers = [(0.02, 1.0), (0.05, 0.5), (torch.tensor(0.03), torch.tensor(0.0))]
    due = [chain(Langevin(*pair), u, 4, compile=False).state for pair in numbers]
    with cuda_on_the_cpu(programs=True) as launched:
        for pair, state in zip(numbers, due, strict=True):
            close(chain(Langevin(*pair), u, 4).state, state)
        assert launched["captures"] == launched["programs"] == 1
    weight.mul_(2)
    due = chain(LANGEVIN, u, 4, compile=False).state
    with cuda_on_the_cpu() as launched:
        chain(LANGEVIN, u, 4)
        weight.div_(2)
        weight.mul_(2)
        close(chain(LANGEVIN, u, 4).state, due)
        assert launched["captures"] == 1


def test_a_way_that_ends_elsewhere_is_refused_with_one_warning(monkeypatch):
    u, broken = ENERGIES["double well"].given(), cuda.langevin_chain
    due = chain(LANGEVIN, u, 4, compile=False)

    def wrong(slope, y, seeds, *numbers):
        return broken(slope, y, seeds + 1, *numbers)

    with cuda_on_the_cpu() as launched:
        monkeypatch.setattr(cuda, "langevin_chain", wrong)
        with pytest.warns(UserWarning, match="one launch on cpu ends elsewhere") as told:
            close(chain(LANGEVIN, u, 4), due)
        assert len(told) == 1
        close(chain(LANGEVIN, u, 4), due)
        assert launched["graphs"] == 3


def test_a_graph_that_cannot_be_captured_is_refused_with_one_warning(monkeypatch):
    due = chain(MALA(0.3), U, 4, compile=False)

    def failing(body, device):
        raise RuntimeError("operation not permitted when stream is capturing")

    with cuda_on_the_cpu():
        monkeypatch.setattr(graphs, "record_cuda", failing)
        with pytest.warns(UserWarning, match="fails with RuntimeError: operation not permitted"):
            close(chain(MALA(0.3), U, 4), due)
        close(chain(MALA(0.3), U, 4), due)


def test_chains_that_no_way_serves_take_none():
    state = LANGEVIN.init(U, start(), generator())
    options = {"steps": 100, "thin": 0}
    assert cuda.fastest(LANGEVIN, U, state, **options) is None  # on the CPU itself
    with cuda_on_the_cpu() as launched:
        assert cuda.fastest(LANGEVIN, U, state, steps=2, thin=0) is None
        large = torch.zeros(1, cuda.SMALL + 1)
        assert cuda.fastest(LANGEVIN, U, LANGEVIN.init(U, large, generator()), **options) is None
        # Vectors that a kernel knows, but in double precision.
        u = ENERGIES["double well"].given()
        double = LANGEVIN.init(u, start().double(), generator())
        assert isinstance(cuda.fastest(LANGEVIN, u, double, **options), cuda.GraphedSteps)
        assert launched["chains"] == 0


def test_chains_that_fill_a_device_go_a_step_a_program(monkeypatch):
    due = chain(MALA(0.3), U, 6, thin=3, compile=False)
    shapes = []

    def told(seeds, like, stream):
        shapes.append(seeds.shape)
        return normals(seeds, like, stream)

    with cuda_on_the_cpu(programs=True) as launched:
        monkeypatch.setattr(cuda, "SMALL", 8)
        monkeypatch.setattr(source, "normals", told)
        close(chain(MALA(0.3), U, 6, thin=3), due)
        assert launched == {"programs": 1}
    # Traced once, with the numbers of one step.
    assert shapes == [(1,)]


def test_seeds_are_counted_on():
    whole = threefry._counted(-5, 2**33, 6)
    parts = threefry._counted(-5, 2**33, 2), threefry._counted(-5, 2**33 + 2, 4)
    assert whole.tolist() == [*parts[0], *parts[1]]
    many = torch.from_numpy(threefry._counted(-5, 0, 4000))
    assert len(many.unique()) == 4000
    assert (many >= 0).all()
    # 63 bits, each set in about half of the seeds: 7 standard deviations.
    bits = (many[:, None] >> torch.arange(63)) & 1
    assert (bits.double().mean(0) - 0.5).abs().max() < 7 * 0.5 / 4000**0.5


@pytest.mark.cuda
def test_seeds_on_cuda_do_not_depend_on_how_many_are_drawn_at_once():
    rng, again = (torch.Generator("cuda").manual_seed(4) for _ in range(2))
    torch.rand(5, generator=rng, device="cuda")
    torch.rand(5, generator=again, device="cuda")
    whole = fresh_seeds(rng, 12)
    assert torch.equal(whole, torch.cat([fresh_seeds(again, n) for n in (5, 1, 6)]))
    assert torch.equal(rng.get_state(), again.get_state())
    assert whole.is_cuda


CUDA = {
    "a chain in one launch": (Langevin(0.02), ENERGIES["double well"], cuda.WholeChain),
    "a network in one launch": (Langevin(0.02), MLP(2), cuda.WholeChain),
    "langevin": (Langevin(0.02, box=(-3.0, 3.0)), ENERGIES["network"], cuda.GraphedSteps),
    "mala": (MALA(0.05), Ring(), cuda.GraphedSteps),
    "hmc": (HMC(0.1, 3), ENERGIES["gaussian"], cuda.GraphedSteps),
    "underdamped": (Underdamped(0.1), ENERGIES["gaussian"], cuda.GraphedSteps),
}


@pytest.mark.cuda
@pytest.mark.parametrize("name", CUDA)
def test_ways_on_cuda_end_where_single_steps_of_the_cpu_end(name, monkeypatch):
    kernel, energy, kind = CUDA[name]
    monkeypatch.undo()
    energy.to("cuda")
    steps = 2 * cuda.BLOCKS * kernel.block
    y = on_device(500, 2, seed=1).clamp(-2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = kernel.init(energy.given(), y, torch.Generator("cuda"))
        way = cuda.fastest(kernel, energy.given(), state, steps=steps, thin=0)
        assert isinstance(way, kind)
    seeds = fresh_seeds(generator(3), steps)
    for part in seeds.to("cuda").split(way.length):
        state = way.moved(state, part).state
    energy.cpu()
    here = kernel.init(energy.given(), y.cpu(), generator())
    for seed in seeds:
        here = cuda._step((kernel, energy.given()), here, seed)[0]
    near = torch.isclose(state.y.cpu(), here.y, rtol=1e-2, atol=1e-2).all(1)
    assert near.double().mean() > 0.95
