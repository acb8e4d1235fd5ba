"""A run's encoder as a file that needs no ebmlab: for ONNX, or as a program of torch."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

import ebmlab
from ebmlab.errors import ConfigurationError, FileError
from ebmlab.runs.abilities import able
from ebmlab.runs.kind import Built, Encodes

__all__ = ["FORMATS", "export"]

# What an ONNX file, a protocol buffer, can hold.
_MOST = 2**31
# Rows of the batch that is traced, and of those that the files are checked on.
_TRACED, _CHECKED = 3, (1, 5)

About = Mapping[str, str]


class Format(NamedTuple):
    """How a program is written to a file, and what the file computes of a batch.

    Attributes:
        tolerance: largest difference of codes, in units of the largest code.
    """

    write: Callable[[ExportedProgram, Path, About], None]
    codes: Callable[[Path, Tensor], Tensor]
    tolerance: float


@torch.no_grad()
def export(run: Path, *, out: Path | None = None) -> list[Path]:
    """Write the encoder of a run, and check that the file gives its codes.

    The program takes any number of images at once, as `Method.encode` does, (n, *event) in
    [0, 1], and returns codes (n, width); batch normalization and dropout stand as in `eval` mode.
    The file says method, step, input and output: in ONNX's metadata, or in `ebmlab.json` of the
    archive. It is compared with the encoder on batches of other sizes than the traced one: ONNX
    by onnxruntime to 1e-5, a program of torch to 1e-6, relative to the largest code.

    A .pt2 of ours holds no pickle: weights as raw numbers, graph and rest as JSON. But
    `torch.export.load` unpickles what a file asks for, so load none that you do not trust.

    Args:
        run: the folder of `train`.
        out: a file that ends in .onnx or .pt2; None writes encoder.onnx and encoder.pt2 into the
            run's folder.

    Returns:
        The files.

    Raises:
        FileError: the folder holds no run or no checkpoint; a written file gives other codes.
        ConfigurationError: the method has no encoder; out ends otherwise; the packages of the
            extra `export` are missing, which .pt2 does not need; or 2 GiB are too much for ONNX.
    """
    paths = [run / f"encoder{suffix}" for suffix in FORMATS] if out is None else [out]
    for path in paths:
        _require_writable(path)
    built, kind, kept = able(run, "cpu", Encodes, "has no encoder of images")
    encoder = _encoder(built)
    images = kind.shown(built, max(_TRACED, *_CHECKED))
    about = _about(built, kept.step, images, encoder(images))
    program = torch.export.export(
        encoder, (images[:_TRACED],), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    for path in paths:
        _written(program, path, about, encoder, images)
    return paths


def _encoder(built: Built) -> nn.Module:
    encoder = built.method.encoder
    if encoder is None:
        raise ConfigurationError(
            f"{built.config.method} has no encoder that could be exported: its codes are the z "
            "that is inferred for each image: _, built, _ = ebmlab.runs.restore.restore(run) "
            "opens the run, and built.method.encode(images) infers it"
        )
    return nn.Sequential(encoder, nn.Flatten(1)).eval()


def _about(built: Built, step: int, images: Tensor, codes: Tensor) -> About:
    shape, config = ", ".join(map(str, images.shape[1:])), built.config
    return {
        "method": config.method,
        "data": config.data,
        "step": str(step),
        "input": f"images (batch, {shape}), {images.dtype} in [0, 1]".replace("torch.", ""),
        "output": f"codes (batch, {codes.shape[1]})",
        "width": str(codes.shape[1]),
        "ebmlab": ebmlab.__version__,
    }


def _require_writable(path: Path) -> None:
    if path.suffix not in FORMATS:
        raise ConfigurationError(f"out is {path.name}; it must end in {' or '.join(FORMATS)}")
    if path.suffix == ".onnx":
        try:
            import_module("onnxruntime")
            import_module("onnxscript")
        except ImportError as error:
            raise ConfigurationError(
                f"ONNX needs further packages ({error}): pip install ebmlab[export]; "
                "--out encoder.pt2 needs none"
            ) from error


def _written(
    program: ExportedProgram, path: Path, about: About, encoder: nn.Module, images: Tensor
) -> None:
    """Write whole or not at all."""
    write, codes, tolerance = FORMATS[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder, path.name)
        write(program, part, about)
        for rows in _CHECKED:
            expected, found = encoder(images[:rows]), codes(part, images[:rows])
            off = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-30))
            if not off <= tolerance:
                raise FileError(
                    f"{path} would give codes that are off by {off:.1e} of the largest; nothing "
                    "was written"
                )
        part.replace(path)


def _write_onnx(program: ExportedProgram, path: Path, about: About) -> None:
    size = sum(value.nbytes for value in program.state_dict.values())
    if size >= _MOST:
        raise ConfigurationError(
            f"the encoder has {size / 2**30:.1f} GiB, and an ONNX file at most 2; export .pt2"
        )
    with _quiet():
        made = torch.onnx.export(
            program, (), input_names=["images"], output_names=["codes"], dynamo=True, verbose=False
        )
        assert made is not None
        made.model.metadata_props.update(about)
        made.save(path, external_data=False)


def _onnx_codes(path: Path, images: Tensor) -> Tensor:
    # By its name, as an environment need not have it.
    session = import_module("onnxruntime").InferenceSession(
        path, providers=["CPUExecutionProvider"]
    )
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def _write_program(program: ExportedProgram, path: Path, about: About) -> None:
    # The images that were traced would be pickled into the file.
    traced, program.example_inputs = program.example_inputs, None
    try:
        torch.export.save(program, path, extra_files={"ebmlab.json": json.dumps(dict(about))})
    finally:
        program.example_inputs = traced


def _program_codes(path: Path, images: Tensor) -> Tensor:
    return torch.export.load(path).module()(images)


FORMATS: Mapping[str, Format] = {
    ".onnx": Format(_write_onnx, _onnx_codes, 1e-5),
    ".pt2": Format(_write_program, _program_codes, 1e-6),
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of packages that it does not need, and of its own future."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            yield
        finally:
            logger.setLevel(level)
