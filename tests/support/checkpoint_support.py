import copy
import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from ebmlab.energy import Energy
from ebmlab.protocols import Loss, Method, Objective, Stepped
from ebmlab.training import Recording, fit, save

# A method with every kind of state: one encoder under three names, batch norm, a teacher that
# moves in commit, and negatives that the objective holds.


class Teacher(Stepped):
    def __init__(self, student) -> None:
        super().__init__()
        self.own = copy.deepcopy(student).requires_grad_(False)
        self.student = (student,)
        self.register_buffer("clock", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def step(self) -> None:
        for own, student in zip(self.own.parameters(), self.student[0].parameters(), strict=True):
            own.lerp_(student, 0.1)
        self.clock += 1


class Siamese(Energy):
    def __init__(self, width) -> None:
        super().__init__()
        self.online = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Tanh())
        self.target = self.online
        self.teacher = Teacher(self.online)

    def forward(self, x, y, z=None) -> Tensor:
        pull = (self.online(x) - self.target(y)).square().sum(-1)
        return pull + (self.online(x) - self.teacher.own(y)).square().sum(-1)


class Hinged(Objective):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pool", torch.zeros(16, 3))

    def forward(self, energy, x, y, rng) -> Loss:
        slots = torch.randint(len(self.pool), (len(y),), generator=rng)
        noisy = self.pool[slots] + 0.1 * torch.randn(y.shape, generator=rng)
        value = energy(x, y).mean() + (1 - energy(x, noisy)).relu().mean()

        def commit() -> None:
            self.pool[slots] = y

        return Loss(value, {"hinge": value.detach()}, {}, commit)


def build(width=4, seed=0) -> Method:
    torch.manual_seed(seed)
    energy = Siamese(width)
    return Method(energy, Hinged(), encoder=energy.online)


DATA = torch.randn(64, 3, generator=torch.Generator().manual_seed(5))
OPTIMIZERS = {
    "AdamW": lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, betas=(0.8, 0.95), amsgrad=True),
    "SGD": lambda m: torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01, centered=True),
    "Rprop": lambda m: torch.optim.Rprop(m.parameters(), lr=0.01),
    "groups": lambda m: torch.optim.Adam(
        [
            {"params": [*m.energy.online[0].parameters()], "lr": 0.03, "note": None},
            {"params": [*m.energy.online[1].parameters()], "maximize": False},
        ]
    ),
    "tensor rate": lambda m: torch.optim.Adam(m.parameters(), lr=torch.tensor(0.02)),
}


def build_all(kind="AdamW", width=4, seed=0):
    method = build(width, seed)
    return method, OPTIMIZERS[kind](method), torch.Generator().manual_seed(seed)


def train(method, optimizer, rng, steps):
    data = (DATA, DATA.roll(1, 0))
    run = fit(
        method,
        data,
        steps=steps,
        rng=rng,
        optimizer=optimizer,
        batch_size=16,
        record=Recording(every=1),
    )
    return run.history["value"]


def everything(method, optimizer, rng) -> str:
    """A digest of all that a run is made of."""
    sha = hashlib.sha256()

    def add(value) -> None:
        if isinstance(value, Tensor):
            sha.update(repr((value.dtype, value.shape)).encode())
            sha.update(value.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        elif isinstance(value, dict):
            for key in value:
                add(key)
                add(value[key])
        elif isinstance(value, list | tuple):
            sha.update(type(value).__name__.encode())
            for part in value:
                add(part)
        else:
            sha.update(repr(value).encode())

    add(dict(method.state_dict()))
    if optimizer is not None:
        add(optimizer.state_dict())
    add(rng.get_state())
    return sha.hexdigest()


def trained_run(tmp_path):
    """A run, what it saved, and a differently seeded run to load into."""
    method, optimizer, rng = build_all()
    train(method, optimizer, rng, 5)
    path = tmp_path / "run.safetensors"
    save(path, method, optimizer, rngs={"main": rng}, step=5, extra={"seed": 0})
    return path, (method, optimizer, rng), build_all(seed=1)


def reseal(path: Path, change) -> None:
    """Alter a file and give it a right digest again, as only intent can."""
    content = change(path.read_bytes())
    start = content.index(b'"sha256":"') + 10
    blank = content[:start] + b"0" * 64 + content[start + 64 :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    path.write_bytes(blank[:start] + digest + blank[start + 64 :])
