import copy
import hashlib
import json
import math
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ebmlab.energy import Energy
from ebmlab.errors import ConfigurationError, DtypeError, FileError
from ebmlab.protocols import Loss, Method, Objective, Stepped
from ebmlab.training import Restored, fit, load, save
from ebmlab.training.packing import Packer, unpack

torch.set_num_threads(1)

# ---- a method with every kind of state: one encoder under three names, batch norm, a teacher that
# moves in commit, and negatives that the objective holds


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
        method, data, steps=steps, rng=rng, optimizer=optimizer, batch_size=16, every=1,
        progress=False,
    )  # fmt: skip
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


@pytest.fixture
def trained(tmp_path):
    """A run, what it saved, and a differently seeded run to load into."""
    method, optimizer, rng = build_all()
    train(method, optimizer, rng, 5)
    path = tmp_path / "run.safetensors"
    save(path, method, optimizer, rngs={"main": rng}, step=5, extra={"seed": 0})
    return path, (method, optimizer, rng), build_all(seed=1)


# ---- what it restores


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_restored_run_goes_on_bit_for_bit(tmp_path, kind):
    method, optimizer, rng = build_all(kind)
    train(method, optimizer, rng, 7)
    path = tmp_path / "run.safetensors"
    save(path, method, optimizer, rngs={"main": rng}, step=7)

    again, optimizer_2, rng_2 = build_all(kind, seed=9)
    assert everything(again, optimizer_2, rng_2) != everything(method, optimizer, rng)
    assert load(path, again, optimizer_2, rngs={"main": rng_2}) == Restored(7, {})
    assert everything(again, optimizer_2, rng_2) == everything(method, optimizer, rng)
    assert again.energy.teacher.clock == 7
    assert torch.equal(again.objective.pool, method.objective.pool)

    assert train(again, optimizer_2, rng_2, 6) == train(method, optimizer, rng, 6)
    assert everything(again, optimizer_2, rng_2) == everything(method, optimizer, rng)


@pytest.mark.parametrize("lost", ["optimizer", "rng", "buffers"])
def test_without_any_one_part_the_run_goes_another_way(trained, lost):
    path, (method, optimizer, rng), (again, optimizer_2, rng_2) = trained
    load(
        path,
        again,
        None if lost == "optimizer" else optimizer_2,
        rngs=None if lost == "rng" else {"main": rng_2},
    )
    if lost == "buffers":
        again.objective.pool.zero_()
    assert train(again, optimizer_2, rng_2, 6) != train(method, optimizer, rng, 6)


def test_a_second_order_optimizer_with_lists_in_its_state_goes_on(tmp_path):
    def make():
        torch.manual_seed(0)
        net = nn.Linear(3, 1, dtype=torch.float64)
        return net, torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=3)

    def train_on(net, optimizer):
        def closure():
            optimizer.zero_grad()
            loss = (net(DATA.double()) - 1).abs().pow(1.5).mean()
            loss.backward()
            return loss

        return [float(optimizer.step(closure).detach()) for _ in range(3)]

    net, optimizer = make()
    train_on(net, optimizer)
    save(tmp_path / "run", net, optimizer)
    net_2, optimizer_2 = make()
    load(tmp_path / "run", net_2, optimizer_2)
    assert train_on(net, optimizer) == train_on(net_2, optimizer_2)


def test_the_state_of_an_optimizer_keeps_its_types(trained):
    path, (_, optimizer, _), (again, optimizer_2, _) = trained
    load(path, again, optimizer_2)
    (group,), state = optimizer_2.param_groups, optimizer_2.state_dict()["state"]
    assert group["betas"] == (0.8, 0.95)
    assert isinstance(group["betas"], tuple)
    assert (group["foreach"], group["amsgrad"]) == (None, True)
    assert state.keys() == optimizer.state_dict()["state"].keys()
    assert (state[0]["step"].shape, state[0]["step"].dtype) == ((), torch.float32)


def test_a_shared_encoder_is_stored_once_and_restored_under_all_its_names(trained):
    path, (method, *_), (again, *_) = trained
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.endswith("0.weight")]  # noqa: SIM118
        assert [n for n in names if n.startswith("method")] == [
            "method/energy.online.0.weight",
            "method/energy.teacher.own.0.weight",
        ]
    load(path, again)
    assert again.energy.target is again.encoder is again.energy.online
    assert torch.equal(again.encoder[0].weight, method.encoder[0].weight)


def test_every_kind_of_tensor_comes_back(tmp_path):
    class Zoo(nn.Module):
        def __init__(self, fill) -> None:
            super().__init__()
            base = torch.arange(12.0) * fill
            self.transposed = nn.Parameter((base.reshape(3, 4)).t())
            self.part = nn.Parameter(base[2:7])
            self.overlapping = nn.Parameter(base[5:9])
            self.tied = self.part
            self.register_buffer("reshaped", self.part.data.view(5, 1))
            self.register_buffer("square", torch.arange(4.0).reshape(2, 2) * fill)
            self.register_buffer("its_transpose", self.square.t())
            self.register_buffer("scalar", torch.tensor(math.pi * fill, dtype=torch.float64))
            self.register_buffer("empty", torch.zeros(0, 3))
            self.register_buffer("rough", torch.full((2,), 0.1 * fill).bfloat16())
            self.register_buffer("flags", torch.tensor([fill == 1, False]))
            self.register_buffer("complex", torch.tensor([1j * fill]))
            self.register_buffer("bad", torch.tensor([math.nan, math.inf, -0.0]) * fill)

    saved, again = Zoo(1), Zoo(2)
    save(tmp_path / "zoo", saved)
    before = {n: t.data_ptr() for n, t in again.state_dict().items()}
    load(tmp_path / "zoo", again)
    for name, value in saved.state_dict().items():
        torch.testing.assert_close(
            again.state_dict()[name], value, rtol=0, atol=0, equal_nan=True, check_stride=True
        )
        assert again.state_dict()[name].data_ptr() == before[name]
    assert again.bad[2].signbit()


def test_tensors_that_live_briefly_or_share_a_name_are_not_confused():
    packer = Packer()
    packed = [packer.pack(torch.full((2, 3), float(i)).t(), f"{i}") for i in range(50)]
    packed.append(packer.pack({1: torch.tensor(1.0), "1": torch.tensor(2.0)}, "keys"))
    *values, keys = unpack(packed, packer.tensors)
    assert [float(value.mean()) for value in values] == [*range(50)]
    assert keys == {1: torch.tensor(1.0), "1": torch.tensor(2.0)}


def test_modules_are_told_their_version(tmp_path):
    class Versioned(nn.Linear):
        _version = 3

        def _load_from_state_dict(self, state, prefix, metadata, *rest) -> None:
            self.told = metadata.get("version")
            super()._load_from_state_dict(state, prefix, metadata, *rest)

    save(tmp_path / "run", Versioned(1, 1))
    again = Versioned(1, 1)
    load(tmp_path / "run", again)
    assert again.told == 3


def test_extra_comes_back_as_it_was(tmp_path):
    extra = {
        "none": None, "tuple": (1, 2.5, True), "list": ["a", {"b": ()}], 3: 0.1 + 0.2,
        "nan": math.inf, "quotes": '"sha256":"' + "0" * 64 + '"', "tensor": torch.arange(3),
    }  # fmt: skip
    save(tmp_path / "run", nn.Linear(1, 1), extra=extra, step=3)
    restored = load(tmp_path / "run", nn.Linear(1, 1))
    assert torch.equal(restored.extra.pop("tensor"), extra.pop("tensor"))
    assert restored == Restored(3, extra)
    assert isinstance(restored.extra["tuple"], tuple)


def test_any_safetensors_reader_opens_the_file(trained):
    path, (method, *_), _ = trained
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        weight = file.get_tensor("method/energy.online.0.weight")
    assert torch.equal(weight, method.energy.online[0].weight)
    assert (metadata["format"], metadata["version"]) == ("ebmlab.checkpoint", "1")
    assert json.loads(metadata["manifest"])["step"] == 5
    # The digest can be checked with nothing but a hash: it covers the file with itself as zeros.
    blank = path.read_bytes().replace(metadata["sha256"].encode(), b"0" * 64)
    assert hashlib.sha256(blank).hexdigest() == metadata["sha256"]


def test_saving_changes_nothing_and_draws_nothing(trained):
    path, run, _ = trained
    before, world = everything(*run), torch.get_rng_state()
    save(path, *run[:2], rngs={"main": run[2]})
    assert everything(*run) == before
    assert torch.equal(torch.get_rng_state(), world)


def test_the_weights_alone_can_be_loaded(trained):
    path, (method, *_), (again, *_) = trained
    load(path, again)
    assert all(map(torch.equal, method.state_dict().values(), again.state_dict().values()))


def test_gradients_and_identity_of_parameters_stay(trained):
    path, _, (again, *_) = trained
    parameters = [*again.parameters()]
    parameters[0].grad = torch.ones_like(parameters[0])
    load(path, again)
    assert [id(p) for p in again.parameters()] == [id(p) for p in parameters]
    assert torch.equal(parameters[0].grad, torch.ones_like(parameters[0]))


# ---- damaged files


@pytest.fixture
def small(tmp_path):
    net = nn.Linear(2, 1)
    rng = torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    path = tmp_path / "small.safetensors"
    save(path, net, optimizer, extra={"seed": 1})
    load(path, net, optimizer)
    return path, net, optimizer, rng


def test_a_flipped_bit_anywhere_is_refused_and_changes_nothing(small):
    path, *run = small
    content = path.read_bytes()
    before = everything(*run)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(FileError, match=r"small\.safetensors"):
            load(path, *run[:2])
    assert everything(*run) == before
    path.write_bytes(content)
    load(path, *run[:2])


def test_a_truncated_empty_or_longer_file_is_refused(small):
    path, *run = small
    content = path.read_bytes()
    before = everything(*run)
    for length in [*range(0, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(FileError, match=r"cut short|damaged"):
            load(path, *run[:2])
    path.write_bytes(content + b"\0")
    with pytest.raises(FileError, match="damaged"):
        load(path, *run[:2])
    assert everything(*run) == before


def test_files_of_another_kind_are_refused(tmp_path):
    net = nn.Linear(1, 1)
    with pytest.raises(FileError, match="cannot be read"):
        load(tmp_path / "missing", net)
    with pytest.raises(FileError, match="cannot be read"):
        load(tmp_path, net)
    save_file(net.state_dict(), tmp_path / "plain.safetensors")
    with pytest.raises(FileError, match="no SHA-256"):
        load(tmp_path / "plain.safetensors", net)


def reseal(path: Path, change) -> None:
    """Alter a file and give it a right digest again, as only intent can."""
    content = change(path.read_bytes())
    start = content.index(b'"sha256":"') + 10
    blank = content[:start] + b"0" * 64 + content[start + 64 :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    path.write_bytes(blank[:start] + digest + blank[start + 64 :])


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (b'"version":"1"', b'"version":"2"', "version 2; this release reads"),
        (b'"format":"ebm', b'"format":"abm', "is abmlab.checkpoint"),
        (b'"version":"1"', b'"venison":"1"', "no checkpoint: KeyError"),
        (b'\\"step\\": 0', b'\\"slip\\": 0', "malformed: KeyError"),
        (b'\\"dict\\": [', b'\\"fict\\": [', "malformed: ValueError"),
        (b'\\"method\\": {', b'\\"method\\": [', "malformed: JSONDecodeError"),
        (b'"dtype":"F32"', b'"dtype":"F99"', "no checkpoint"),
    ],
)
def test_an_intact_file_of_another_make_is_refused(tmp_path, old, new, match):
    path, net = tmp_path / "run", nn.Linear(1, 1, bias=False)
    save(path, net)
    reseal(path, lambda content: content)
    load(path, net)
    assert old in path.read_bytes()
    reseal(path, lambda content: content.replace(old, new, 1))
    with pytest.raises(FileError, match=match):
        load(path, net)


class Malicious:
    def __init__(self, marker) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_a_pickle_is_refused_and_never_executed(tmp_path):
    marker, path = tmp_path / "executed", tmp_path / "run"
    payload = pickle.dumps(Malicious(marker))
    path.write_bytes(payload)
    with pytest.raises(FileError):
        load(path, nn.Linear(1, 1))
    torch.save({"weight": Malicious(marker)}, path)
    with pytest.raises(FileError):
        load(path, nn.Linear(1, 1))
    assert not marker.exists()
    pickle.loads(payload)
    assert marker.exists()


# ---- another configuration


def refused(path, *run, **rngs) -> str:
    before = everything(run[0], run[1], torch.Generator())
    with pytest.raises(FileError, match="holds another configuration") as error:
        load(path, *run, **rngs)
    assert everything(run[0], run[1], torch.Generator()) == before
    return str(error.value)


def test_every_difference_of_the_method_is_listed_and_nothing_changes(tmp_path):
    class Net(nn.Module):
        def __init__(self, **tensors) -> None:
            super().__init__()
            for name, tensor in tensors.items():
                self.register_buffer(name, tensor)

    ones = torch.ones(2)
    save(tmp_path / "run", Net(same=ones, gone=ones[:1], wide=torch.ones(3), fine=ones.double()))
    other = Net(same=torch.zeros(2), new=torch.zeros(1), wide=torch.zeros(4), fine=torch.zeros(2))
    text = refused(tmp_path / "run", other, None)
    assert text.splitlines()[1:] == [
        "  missing in the file: tensor new",
        "  only in the file: tensor gone",
        "  wide: (3,) torch.float32 in the file, (4,) torch.float32 here",
        "  fine: (2,) torch.float64 in the file, (2,) torch.float32 here",
    ]


def test_an_expanded_tensor_is_saved_but_cannot_be_written(tmp_path):
    net = nn.Linear(1, 1)
    net.register_buffer("wide", torch.ones(1).expand(3))
    save(tmp_path / "run", net)
    assert "wide: expanded here" in refused(tmp_path / "run", net, None)
    net.wide = torch.zeros(3)
    load(tmp_path / "run", net)
    assert torch.equal(net.wide, torch.ones(3))


def test_tied_weights_do_not_go_into_untied_ones_nor_back(tmp_path):
    def net(tied):
        first, second = nn.Linear(2, 2), nn.Linear(2, 2)
        return nn.Sequential(first, first if tied else second)

    for tied in (True, False):
        path = tmp_path / f"{tied}"
        save(path, net(tied))
        load(path, net(tied))
        assert "1.weight: the same tensor as" in refused(path, net(not tied), None)


def test_another_optimizer_is_refused(trained):
    path, _, (again, *_) = trained
    both = [*again.parameters()]
    sgd = torch.optim.SGD(both, lr=0.1)
    assert "optimizer: AdamW in the file, SGD here" in refused(path, again, sgd)
    groups = torch.optim.AdamW([{"params": both[:1]}, {"params": both[1:]}])
    assert "1 groups in the file, 2 here" in refused(path, again, groups)
    reverse = torch.optim.AdamW(both[::-1])
    assert "another order here" in refused(path, again, reverse)
    fewer = torch.optim.AdamW(both[1:])
    text = refused(path, again, fewer)
    assert "only in the file: parameter of the optimizer's group 0: energy.online.0.weight" in text


def test_another_width_is_refused_whole(trained):
    path, *_ = trained
    text = refused(path, *build_all(width=5)[:2])
    assert "energy.online.0.weight: (4, 3) torch.float32 in the file, (5, 3)" in text
    assert "energy.online.1.num_batches_tracked" not in text


def test_a_missing_optimizer_is_said(tmp_path):
    net = nn.Linear(1, 1)
    save(tmp_path / "run", net)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    assert "missing in the file: the optimizer" in refused(tmp_path / "run", net, sgd)
    load(tmp_path / "run", net)


def test_generators_must_be_those_that_were_saved(trained):
    path, _, (again, optimizer, rng) = trained
    before = rng.get_state()
    text = refused(path, again, optimizer, rngs={"main": rng, "noise": rng})
    assert "missing in the file: generator noise" in text
    assert "only in the file: generator main" in refused(path, again, optimizer, rngs={})
    assert torch.equal(rng.get_state(), before)


def test_the_state_of_a_generator_that_does_not_fit_is_refused(tmp_path):
    net, rng = nn.Linear(1, 1, bias=False), torch.Generator().manual_seed(1)
    save(tmp_path / "run", net, rngs={"main": rng})
    reseal(tmp_path / "run", lambda content: content.replace(b'\\"cpu\\"', b'\\"gpu\\"', 1))
    assert "on gpu in the file, cpu here" in refused(
        tmp_path / "run", net, None, rngs={"main": rng}
    )
    save(tmp_path / "run", net, rngs={"main": rng})
    reseal(tmp_path / "run", lambda content: content[:-5056] + bytes(5056))
    assert "its state does not fit" in refused(tmp_path / "run", net, None, rngs={"main": rng})


# ---- what cannot be saved


def test_what_a_checkpoint_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    net, path = nn.Linear(1, 1), tmp_path / "run"
    foreign = torch.optim.SGD([*net.parameters(), nn.Parameter(torch.ones(3))], lr=0.1)
    with pytest.raises(ConfigurationError, match=r"parameters of shapes \[\(3,\)\]"):
        save(path, net, foreign)
    with pytest.raises(ConfigurationError, match="extra/when is a PosixPath"):
        save(path, net, extra={"when": path.absolute()})
    net.register_buffer("wide", torch.ones(1, dtype=torch.complex128))
    with pytest.raises(DtypeError, match=r"method/wide is torch\.complex128"):
        save(path, net)
    net.wide = torch.ones(2, 2).to_sparse()
    with pytest.raises(DtypeError, match=r"method/wide .* torch\.sparse_coo"):
        save(path, net)
    assert list(tmp_path.iterdir()) == []


# ---- failures while writing


def only(path: Path) -> bytes:
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return path.read_bytes()


def test_a_full_disk_leaves_the_old_file_and_no_litter(trained):
    path, (method, optimizer, rng), _ = trained
    before = only(path)
    method.energy.online[0].weight.data.add_(1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(FileError, match=r"was not written .*File too large"):
            save(path, method, optimizer, rngs={"main": rng})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert only(path) == before
    save(path, method, optimizer, rngs={"main": rng})
    assert only(path) != before


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_the_end_leaves_the_old_file_and_no_litter(trained, monkeypatch, step, error):
    path, (method, *_), _ = trained
    before = only(path)

    def fail(*arguments):
        raise error

    monkeypatch.setattr(os if step == "fsync" else Path, step, fail)
    with pytest.raises(FileError if isinstance(error, OSError) else KeyboardInterrupt):
        save(path, method)
    assert only(path) == before


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="was not written"):
        save(tmp_path / "file" / "run", nn.Linear(1, 1))
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match="was not written"):
        save(tmp_path / "folder", nn.Linear(1, 1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_folders_are_made_and_others_may_read_the_file(tmp_path):
    path = tmp_path / "a" / "b" / "run.safetensors"
    save(str(path), nn.Linear(1, 1))
    load(str(path), nn.Linear(1, 1))
    (tmp_path / "ordinary").touch()
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_process_killed_while_saving_leaves_a_whole_file(tmp_path):
    path = tmp_path / "run.safetensors"
    script = f"""
import torch
from ebmlab.training import save
net = torch.nn.Linear(1000, 300)
step = 0
while True:
    step += 1
    torch.nn.init.constant_(net.weight, step)
    save({str(path)!r}, net, step=step)
"""
    child = subprocess.Popen([sys.executable, "-c", script])
    try:
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    net = nn.Linear(1000, 300)
    step = load(path, net).step
    assert step >= 1
    assert (net.weight == step).all()
