"""Backbones that a user brings: a function of a module or of a file, or one of timm's."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ebmlab.errors import ConfigurationError

__all__ = ["brought", "placed"]

_FORM = "PACKAGE.MODULE:FUNCTION, FILE.py:FUNCTION, or timm:MODEL"
_TIMM = "timm"


def placed(name: str) -> str:
    """The same encoder as it is found from any folder: a file's whole path.

    Example:
        >>> placed("timm:resnet10t")
        'timm:resnet10t'
    """
    where, _, function = name.rpartition(":")
    return f"{Path(where).absolute()}:{function}" if where.endswith(".py") else name


def brought(name: str, channels: int, sizes: Sequence[int]) -> tuple[nn.Module, int]:
    """A network from images (n, channels, s, s) to codes (n, width), and that width.

    `module:function` names a function or class that returns the network. It is called with those
    of channels and size that it has parameters of that name for; other arguments are its own
    matter: what a config.json holds is a name, never code. The module is looked for in the current
    folder too. `timm:model` is the backbone of that name, without weights and classifier, for so
    many channels. Maps (n, width, h, w) are averaged over their places.

    Args:
        name: of the function.
        channels: of the images.
        sizes: heights and widths that the network will see, the usual one first.

    Raises:
        ConfigurationError: there is no such module or function, it fails, or what it returns is
            no such network.
    """
    with _importing_from(Path.cwd(), *_beside(name)):
        network = _called(name, _found(name), {"channels": channels, "size": sizes[0]})
        if not isinstance(network, nn.Module):
            raise ConfigurationError(
                f"encoder {name} returns a {type(network).__name__}; it must return an nn.Module"
            )
        codes = [_tried(name, network, torch.full((2, channels, s, s), 0.5)) for s in sizes]
    if any(code.ndim == 4 for code in codes):
        network = nn.Sequential(network, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    widths = {code.shape[1] for code in codes}
    if len(widths) > 1:
        raise ConfigurationError(
            f"encoder {name} gives codes of {' and '.join(map(str, sorted(widths)))} numbers for "
            f"images of sizes {', '.join(map(str, sizes))}; this method crops several sizes, and "
            "all must give one width"
        )
    return network, widths.pop()


@contextmanager
def _importing_from(*folders: Path) -> Iterator[None]:
    """Let modules there be found; an installed command does not even look where it is run."""
    sys.path[:0] = added = [str(folder) for folder in folders]
    try:
        yield
    finally:
        for path in added:
            sys.path.remove(path)


def _beside(name: str) -> list[Path]:
    """The folder of a file, whose neighbors it may import."""
    where = name.rpartition(":")[0]
    return [Path(where).absolute().parent] if where.endswith(".py") else []


def _found(name: str) -> Callable[..., Any]:
    where, _, function = name.rpartition(":")
    if where == _TIMM:
        return _of_timm(function)
    if where.partition(".")[0] in sys.stdlib_module_names:
        raise ConfigurationError(
            f"encoder is {name!r}; {where} is Python's own and has no networks"
        )
    module = _module(name, where)
    found = getattr(module, function, None)
    if not callable(found):
        got = "nothing of that name" if found is None else f"a {type(found).__name__}"
        raise ConfigurationError(
            f"encoder is {name!r}, but {where} holds {got}, no function {function}"
        )
    return found


def _module(name: str, where: str) -> ModuleType:
    is_file = where.endswith(".py")
    if is_file and not Path(where).is_file():
        raise ConfigurationError(f"encoder is {name!r}, but {Path(where).absolute()} is no file")
    if not is_file and not all(part.isidentifier() for part in where.split(".")):
        raise ConfigurationError(f"encoder is {name!r}; expected {_FORM}")
    try:
        return _of_file(Path(where)) if is_file else import_module(where)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"encoder is {name!r}, but there is no module {error.name}: install it, or run this "
            "where it lies"
        ) from error
    except Exception as error:
        raise ConfigurationError(
            f"encoder {name} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _of_file(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _of_timm(model: str) -> Callable[..., Any]:
    # A colon would name weights somewhere else, to be fetched and run.
    if not re.fullmatch(r"[\w.]+", model):
        raise ConfigurationError(
            f"encoder is 'timm:{model}'; expected timm:MODEL, such as timm:resnet18"
        )
    create = getattr(_module(f"{_TIMM}:{model}", _TIMM), "create_model")  # noqa: B009
    return lambda channels: create(model, pretrained=False, num_classes=0, in_chans=channels)


def _called(name: str, build: Callable[..., Any], given: dict[str, int]) -> Any:
    try:
        named = inspect.signature(build).parameters
    except (TypeError, ValueError):
        named = {}
    known = {key: value for key, value in given.items() if key in named}
    try:
        return build(**known)
    except Exception as error:
        with_what = ", ".join(f"{key}={value}" for key, value in known.items())
        raise ConfigurationError(
            f"encoder {name}, called with ({with_what}), fails: {type(error).__name__}: {error}"
        ) from error


@torch.no_grad()
def _tried(name: str, network: nn.Module, images: Tensor) -> Tensor:
    """What the network makes of two images; it stays as it is."""
    modes = {module: module.training for module in network.modules()}
    shape = tuple(images.shape)
    network.eval()
    try:
        codes = network(images)
    except Exception as error:
        raise ConfigurationError(
            f"encoder {name} does not take images {shape}: {type(error).__name__}: {error}; let "
            "the function have parameters channels and size, which it is then called with"
        ) from error
    finally:
        for module, training in modes.items():
            module.training = training
    is_tensor = isinstance(codes, Tensor)
    if is_tensor and codes.is_floating_point() and codes.ndim in (2, 4) and codes.numel():
        return codes
    got = f"{codes.dtype} {tuple(codes.shape)}" if is_tensor else f"a {type(codes).__name__}"
    raise ConfigurationError(
        f"encoder {name} makes {got} of images {shape}; it must make codes (n, width) or maps "
        "(n, width, h, w) of floats"
    )
