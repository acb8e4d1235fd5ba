"""Files that were made to harm: each is a name, and how it is made; then something reads it."""

import gzip
import hashlib
import json
import math
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import torch
from checkpoint_support import everything
from folder_support import filled, remade, resealed
from torch import nn

from ebmlab.errors import FileError
from ebmlab.runs.config import Config, read_config, write_config
from ebmlab.training import load, save
from ebmlab.training.folder import Folder
from ebmlab.training.lines import chained
from ebmlab.training.record import read_record
from ebmlab.training.sealed import BLANK, read_tensors, seal, seal_tensors

NESTED = "[" * 100_000 + "]" * 100_000
LONG = int("9" * 4000)


def parts():
    """A small run: a method, its optimizer and its generator."""
    net, rng = nn.Linear(2, 1), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return net, optimizer, rng


# What stands in the place of a file.
def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path)


def folder(path: Path) -> None:
    path.mkdir()


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**33)


def silent(path: Path) -> None:
    path.touch()


def swollen(path: Path) -> None:
    path.write_bytes((2**63).to_bytes(8, "little") + b"{}")


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"step": 0}))


PLACES = (pipe, endless, loop, folder, sparse, silent, swollen, pickled)


def raw(text: str) -> Callable[[Path], None]:
    """A file of safetensors with this header, sealed."""

    def make(path: Path) -> None:
        header = f'{{"__metadata__":{{"sha256":"{BLANK}"}},"x":{text}}}'.encode()
        content = seal(struct.pack("<Q", len(header)) + header)
        path.write_bytes(b"".join(content.pieces))

    return make


def texted(change: Callable[[str], str]) -> Callable[[Path], None]:
    """A whole checkpoint whose text is another, sealed."""

    def make(path: Path) -> None:
        net, optimizer, rng = parts()
        save(path, net, optimizer, rngs={"main": rng}, step=5)
        tensors, text, _ = read_tensors(path)
        changed = change(text)
        assert changed != text
        path.write_bytes(b"".join(seal_tensors(tensors, changed).pieces))

    return make


def saved(change: Callable[[dict, dict], object]) -> Callable[[Path], None]:
    """A whole checkpoint whose parts or tensors are others, sealed."""

    def make(path: Path) -> None:
        net, optimizer, rng = parts()
        save(path, net, optimizer, rngs={"main": rng}, step=5, extra={"film": {"0": net.weight}})
        tensors, text, _ = read_tensors(path)
        whole = json.loads(text)
        change(whole, tensors)
        path.write_bytes(b"".join(seal_tensors(tensors, json.dumps(whole)).pieces))

    return make


def within(packed: dict, *names: object) -> list:
    """The pair (key, value) of a packed dictionary, however deep it lies."""
    for name in names[:-1]:
        packed = packed[name][0] if isinstance(packed, list) else dict_of(packed)[name]
    return next(pair for pair in packed["dict"] if pair[0] == names[-1])


def dict_of(packed: dict) -> dict:
    return {key if not isinstance(key, dict) else str(key): part for key, part in packed["dict"]}


def put(value: object, *names: object) -> Callable[[dict, dict], object]:
    """Another value in the place of one of the whole."""

    def change(whole: dict, tensors: dict) -> None:
        first, *rest = names
        if rest:
            within(whole[first], *rest)[1] = value
        else:
            whole[first] = value

    return change


def grouped(name: str, value: object) -> Callable[[dict, dict], object]:
    def change(whole: dict, tensors: dict) -> None:
        group = dict_of(dict_of(whole["optimizer"])["state"])["param_groups"][0]
        next(pair for pair in group["dict"] if pair[0] == name)[1] = value

    return change


def moment(change: Callable[[list], object]) -> Callable[[dict, dict], object]:
    """The pairs (name, tensor) of the first parameter's state, changed."""

    def changed(whole: dict, tensors: dict) -> None:
        state = dict_of(dict_of(dict_of(whole["optimizer"])["state"])["state"])[0]
        change(state["dict"])

    return changed


def tensor(name: str, value: torch.Tensor) -> Callable[[dict, dict], object]:
    def change(whole: dict, tensors: dict) -> None:
        found = next(key for key in tensors if name in key)
        tensors[found] = value

    return change


CHECKPOINTS = {
    **{f"checkpoint: {place.__name__}": place for place in PLACES},
    "header nested": raw(NESTED),
    "header with doubled keys": raw('1,"x":1'),
    "header of 255 dimensions": raw(
        json.dumps({"dtype": "F32", "shape": [2**32] * 255, "data_offsets": [0, 4]})
    ),
    "text nested": texted(lambda text: f'{{"method": {NESTED}}}'),
    "text of a million lists": texted(lambda text: f'{{"method": [{"[]," * 2**20}[]]}}'),
    "text with doubled keys": texted(lambda text: text.replace("{", '{"step": 3, ', 1)),
    "text without an end": texted(lambda text: text[:-1]),
    "a number without end": texted(
        lambda text: text.replace('"step": 5', f'"step": {"9" * 10**4}')
    ),
    "step 1e400": texted(lambda text: text.replace('"step": 5', '"step": 1e400')),
    "step NaN": saved(put(math.nan, "step")),
    "step -5": saved(put(-5, "step")),
    "step 5.5": saved(put(5.5, "step")),
    "step true": saved(put(True, "step")),
    "step a word": saved(put("5", "step")),
    "an unknown part": saved(put(5, "steps")),
    "a part is missing": saved(lambda whole, tensors: whole.pop("rngs")),
    "method null": saved(put(None, "method")),
    "a weight is a number": saved(put(1.0, "method", "weight")),
    "a weight of 60 dimensions": saved(tensor("weight", torch.zeros((1,) * 60))),
    "a tensor that is not there": saved(put({"tensor": "nowhere"}, "method", "weight")),
    "a tensor of two kinds": saved(put({"tensor": "x", "dict": []}, "method", "weight")),
    "a key that cannot be one": saved(put({"dict": [[[1], 2]]}, "extra")),
    "a dictionary of three": saved(put({"dict": [[1, 2, 3]]}, "extra")),
    "extra a list": saved(put([], "extra")),
    "versions null": saved(put(None, "versions")),
    "run a list": saved(put([1], "run")),
    "optimizer null": saved(put(None, "optimizer")),
    "optimizer's state null": saved(put(None, "optimizer", "state")),
    "optimizer's names null": saved(put(None, "optimizer", "trained")),
    "optimizer's class a list": saved(put([], "optimizer", "class")),
    "no groups": saved(put(None, "optimizer", "state", "param_groups")),
    "a group null": saved(put([None], "optimizer", "state", "param_groups")),
    "lr NaN": saved(grouped("lr", math.nan)),
    "lr -1": saved(grouped("lr", -1.0)),
    "lr a word": saved(grouped("lr", "fast")),
    "three betas": saved(grouped("betas", {"tuple": [0.1, 0.2, 0.3]})),
    "parameters numbered otherwise": saved(grouped("params", [0, 7])),
    "eps null": saved(grouped("eps", None)),
    "no moments of a parameter": saved(moment(lambda pairs: pairs.clear())),
    "a moment is null": saved(moment(lambda pairs: pairs[1].__setitem__(1, 0.5))),
    "moments of a wrong shape": saved(tensor("exp_avg", torch.zeros(3, 3))),
    "steps of a moment NaN": saved(tensor("/step", torch.tensor(math.nan))),
    "state of no parameter": saved(
        put({"dict": [[9, {"dict": []}]]}, "optimizer", "state", "state")
    ),
    "a generator of NaN": saved(tensor("rngs", torch.full((5056,), math.nan))),
    "a generator too short": saved(tensor("rngs", torch.zeros(3, dtype=torch.uint8))),
    "a generator null": saved(put({"tuple": ["cpu", None]}, "rngs", "main")),
    "generators a list": saved(put([], "rngs")),
}


def config_text(**changes: object) -> str:
    tiny = {"method": "vae", "data": "digits", "epochs": 3, "batch_size": 32, "lr": 0.1}
    rest = {"decay": True, "encoder": "mlp", "dim": 16, "limit": None, "seed": 0, "device": "cpu"}
    return json.dumps({**tiny, **rest, **changes})


def listed(name: str, content: str | bytes) -> Callable[[Path], None]:
    """A folder whose manifest lists this content of one of its files."""

    def make(path: Path) -> None:
        filled(path)
        resealed(path, name, content.encode() if isinstance(content, str) else content)

    return make


def misplaced(name: str, place: Callable[[Path], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        filled(path)
        (path / name).unlink()
        place(path / name)

    return make


CONFIGS = {
    **{f"config: {p.__name__}": misplaced("config.json", p) for p in PLACES},
    "config nested": listed("config.json", NESTED),
    "config with nested dim": listed("config.json", config_text(dim=[[[1]]])),
    "config a list": listed("config.json", "[1]"),
    "config no text": listed("config.json", b"\xff\xfe{"),
    "config with an unknown key": listed("config.json", config_text(epoch=3)),
    "config with a doubled key": listed("config.json", config_text()[:-1] + ', "seed": 1}'),
    "config without a seed": listed("config.json", config_text().replace('"seed": 0, ', "")),
    "epochs 5.5": listed("config.json", config_text(epochs=5.5)),
    "epochs 1e400": listed("config.json", config_text().replace(": 3", ": 1e400")),
    "epochs -1": listed("config.json", config_text(epochs=-1)),
    "epochs of 4,000 digits": listed("config.json", config_text(epochs=LONG)),
    "lr of NaN": listed("config.json", config_text().replace("0.1", "NaN")),
    "decay 1": listed("config.json", config_text(decay=1)),
    "seed 2^70": listed("config.json", config_text(seed=2**70)),
    "seed a word": listed("config.json", config_text(seed="0")),
    "method null": listed("config.json", config_text(method=None)),
}

LINE = {"step": 1, "seconds": 0.1, "value": 1.0, "terms": {}, "metrics": {}, "skipped": 0}


def line(**changes: object) -> Callable[[Path], None]:
    content = chained({**LINE, **changes}, BLANK)

    def make(path: Path) -> None:
        filled(path)
        (path / "metrics.jsonl").write_bytes(content)
        manifest = json.loads((path / "manifest.json").read_text())
        manifest["files"]["metrics.jsonl"] = [json.loads(content)["sha256"]]
        remade(path, manifest)

    return make


def nested_line(path: Path) -> None:
    filled(path)
    body = f'{{"step": {NESTED}}}'.encode()
    digest = hashlib.sha256(BLANK.encode() + body).hexdigest()
    (path / "metrics.jsonl").write_bytes(body[:-1] + f', "sha256": "{digest}"}}\n'.encode())


RECORDS = {
    **{f"record: {p.__name__}": misplaced("metrics.jsonl", p) for p in PLACES},
    "a line nested": nested_line,
    "a line with a step of -1": line(step=-1),
    "a line with a step of 0.5": line(step=0.5),
    "a line with a value of words": line(value="much"),
    "a line with terms null": line(terms=None),
    "a line with nested metrics": line(metrics={"a": {"b": 1}}),
}


def listing(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        filled(path)
        manifest = json.loads((path / "manifest.json").read_text())
        change(manifest)
        remade(path, manifest)

    return make


def put_files(value: object) -> Callable[[Path], None]:
    return listing(lambda manifest: manifest.__setitem__("files", value))


MANIFESTS = {
    **{f"manifest: {p.__name__}": misplaced("manifest.json", p) for p in PLACES},
    "manifest of no files": put_files(None),
    "manifest of another version": listing(lambda manifest: manifest.__setitem__("version", "9")),
    "manifest of files elsewhere": put_files({"../config.json": [BLANK]}),
    "manifest without digests": put_files({"config.json": []}),
    "manifest with null digests": put_files({"config.json": [None]}),
    "manifest nested": lambda path: misplaced(
        "manifest.json",
        lambda p: p.write_bytes(
            b"".join(seal(f'{{"sha256": "{BLANK}", "files": {NESTED}}}'.encode()).pieces)
        ) and None,
    )(path),
}  # fmt: skip


def idx(*sizes: int, rest: bytes = b"") -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + rest


def content(make: Callable[[], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(make()) and None


def bomb(start: bytes, size: int = 2**20) -> bytes:
    return gzip.compress(start + bytes(size), 1)


DATA = {
    **{f"numbers: {p.__name__}": p for p in PLACES},
    "255 dimensions": content(lambda: idx(*(1,) * 255, rest=b"x")),
    "no rows of many": content(lambda: idx(0, *(2**32 - 1,) * 7)),
    "2^96 numbers": content(lambda: idx(*(2**32 - 1,) * 3, rest=b"x")),
    "a bomb without sizes": content(lambda: bomb(b"")),
    "a bomb of 8 GiB": content(lambda: bomb(idx(2, 2**32 - 1))),
    "a bomb with small sizes": content(lambda: bomb(idx(3))),
    "a bomb of empty parts": content(lambda: gzip.compress(b"") * 200_000),
}


def loaded(path: Path) -> None:
    net, optimizer, rng = parts()
    before = everything(net, optimizer, rng)
    try:
        load(path, net, optimizer, rngs={"main": rng})
    except FileError:
        assert everything(net, optimizer, rng) == before
        raise


def configured(path: Path) -> None:
    read_config(path)


def recorded(path: Path) -> None:
    read_record(path / "metrics.jsonl")


def checked(path: Path) -> None:
    Folder(path).check()


def sound(path: Path) -> None:
    """A folder that is as it should be."""
    filled(path)
    write_config(path, Config(**json.loads(config_text())))
    Folder(path).cut("metrics.jsonl", [])
    Folder(path).append("metrics.jsonl", LINE)
    Folder(path).seal()
