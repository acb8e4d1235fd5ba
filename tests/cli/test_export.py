import json
import pickletools
import sys
import zipfile

import pytest
import torch
from cli_support import TINY, ebmlab

from ebmlab.errors import ConfigurationError, FileError
from ebmlab.runs import export as exporting
from ebmlab.runs._images.image_sets import image_set
from ebmlab.runs.export import export
from ebmlab.runs.restore import restore


def trained(monkeypatch, folder, method, *more):
    assert ebmlab(monkeypatch, "train", method, *TINY, *more, "--out", folder) == 0
    return folder


def expected(run, images):
    _, built, _ = restore(run)
    with torch.no_grad():
        return built.method.encode(built.preset.feed.shown(images)).flatten(1)


# The first program costs some seconds of imports, which other backbones add to.
SLOW = [pytest.param(method, marks=pytest.mark.slow) for method in ("simclr", "vq_vae", "ijepa")]


@pytest.mark.parametrize("method", ["pca", *SLOW])
def test_a_program_gives_the_codes_of_any_number_of_images(tmp_path, monkeypatch, capsys, method):
    run = trained(monkeypatch, tmp_path / "run", method)
    file = tmp_path / "new" / "encoder.pt2"
    assert ebmlab(monkeypatch, "export", run, "--out", file) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(file)
    about = {"ebmlab.json": ""}
    program = torch.export.load(file, extra_files=about).module()
    images = image_set("digits").test_images[:11]
    shown = images.flatten(1) if method == "pca" else images
    codes = program(shown)
    torch.testing.assert_close(codes, expected(run, images), rtol=0, atol=1e-6)
    told = json.loads(about["ebmlab.json"])
    assert (told["method"], told["step"], told["width"]) == (method, "2", str(codes.shape[1]))
    shape = "64" if method == "pca" else "1, 8, 8"
    assert told["input"] == f"images (batch, {shape}), float32 in [0, 1]"


def test_the_file_of_a_program_holds_no_pickle(tmp_path, monkeypatch):
    run = trained(monkeypatch, tmp_path, "pca")
    (file,) = export(run, out=tmp_path / "encoder.pt2")
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert contents["encoder/data/sample_inputs/model.pt"] == b""
    for name, content in contents.items():
        assert not content.startswith((b"PK", b"\x80")), name
    with pytest.raises(ValueError, match="opcode"):
        list(pickletools.dis(contents["encoder/models/model.json"]))


def test_a_file_that_gives_other_codes_is_not_left(tmp_path, monkeypatch):
    run = trained(monkeypatch, tmp_path / "run", "pca")
    right = exporting.FORMATS[".pt2"]
    wrong = right._replace(codes=lambda *given: right.codes(*given) * (1 + 1e-5))
    monkeypatch.setattr(exporting, "FORMATS", {".pt2": wrong})
    with pytest.raises(FileError, match=r"off by 1\.0e-05"):
        export(run, out=tmp_path / "out" / "encoder.pt2")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_cannot_be_exported_is_told(tmp_path, monkeypatch, capsys):
    run = trained(monkeypatch, tmp_path / "codes", "kmeans")
    with pytest.raises(ConfigurationError, match="kmeans has no encoder"):
        export(run, out=tmp_path / "encoder.pt2")
    with pytest.raises(ConfigurationError, match=r"\.onnx or \.pt2"):
        export(run, out=tmp_path / "encoder.pt")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "pip install ebmlab[export]" in ebmlab(monkeypatch, "export", run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "encoder"),
    [("simclr", "conv"), ("simclr", "resnet18"), ("simclr", "vit-tiny"), ("vae", "mlp")],
)
def test_onnx_gives_the_codes_of_any_number_of_images(tmp_path, monkeypatch, method, encoder):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    run = trained(monkeypatch, tmp_path, method, "--encoder", encoder)
    assert export(run) == [run / "encoder.onnx", run / "encoder.pt2"]
    session = onnxruntime.InferenceSession(run / "encoder.onnx")
    images = image_set("digits").test_images[:11]
    codes = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    torch.testing.assert_close(codes, expected(run, images), rtol=1e-5, atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert about["method"] == method
    assert about["output"] == f"codes (batch, {codes.shape[1]})"
