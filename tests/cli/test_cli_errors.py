import pytest
from cli_support import TINY, ebmlab

# A run of each kind.
KINDS = [("pca",), ("denoising_score", "--data", "two-moons")]
both_kinds = pytest.mark.parametrize("method", KINDS, ids=lambda method: method[0])

WRONG = {
    "unknown method": (("train", "xx"), "method is 'xx'; there are autoencoder, barlow_twins"),
    "misspelt method": (("train", "SimCLRR"), "method is 'SimCLRR'; did you mean simclr?"),
    "method of other data": (
        ("train", "ellipse"),
        "train does not offer ellipse: call ebmlab.methods",
    ),
    "points for a method of images": (
        ("train", "simclr", "--data", "two-moons"),
        "simclr learns images, and two-moons are points: choose --data digits, mnist",
    ),
    "images for a density": (
        ("train", "denoising_score", "--data", "mnist"),
        "denoising_score learns points, and mnist are images: choose --data eight-gaussians",
    ),
    "encoder for a density": (
        ("train", "denoising_score", "--encoder", "conv"),
        "denoising_score shapes an energy of the points themselves; leave --encoder out",
    ),
    "dim for a density": (("train", "denoising_score", "--dim", "3"), "leave --dim out"),
    "misspelt points": (
        ("train", "denoising_score", "--data", "eight_gaussians"),
        "did you mean eight-gaussians",
    ),
    "too few points": (("train", "denoising_score", "--limit", "2"), "limit is 2; a plane takes"),
    "no points": (("train", "denoising_score", "--limit", "0"), "limit is 0; it must be at least"),
    "unknown data": (("train", "simclr", "--data", "xx"), "there are digits, mnist"),
    "misspelt data": (("train", "simclr", "--data", "mnits"), "did you mean mnist?"),
    "unknown encoder": (("train", "simclr", "--encoder", "xx"), "there are mlp, conv"),
    "misspelt encoder": (("train", "simclr", "--encoder", "resnet"), "mean resnet50 or resnet18?"),
    "encoder of one size": (("train", "swav", "--encoder", "mlp"), "swav crops several"),
    "encoder for none": (("train", "pca", "--encoder", "conv"), "pca takes none"),
    "dim for none": (("train", "siamese", "--dim", "8"), "leave --dim out"),
    "no epochs": (("train", "simclr", "--epochs", "0"), "epochs is 0; it must be at least 1"),
    "no step": (("train", "vae", "--lr", "-1"), "lr is -1"),
    "no device": (("train", "simclr", "--device", "warp"), "'warp' is unavailable"),
    "unknown optimizer": (("train", "vae", "--optimizer", "adm"), "did you mean adamw?"),
    "unknown precision": (("train", "vae", "--precision", "fp8"), "there are fp32, bf16"),
    "one rank to shard over": (("train", "vae", "--shard"), "there is one process"),
    "no run to judge": (("evaluate", "nowhere"), "nowhere holds no run"),
    "no run to draw": (("plot", "nowhere"), "nowhere holds no run"),
    "one image a step": (("train", "simclr", "--batch-size", "1"), "must see at least 2"),
    "nothing to judge": (("evaluate", "nowhere", "--limit", "1"), "limit is 1; it must be"),
    "unknown name": (("methods", "xx"), "method is 'xx'; there are cooperative"),
    "misspelt name": (("methods", "k-means"), "did you mean kmeans?"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    arguments, said = WRONG[case]
    code = ebmlab(monkeypatch, *arguments)
    assert isinstance(code, str)
    assert code.startswith("ebmlab: ")
    assert said in code
    assert "\n" not in code
    assert not list(tmp_path.iterdir())


def test_a_run_is_not_overwritten_nor_continued_by_another(tmp_path, monkeypatch):
    first = ("train", "autoencoder", *TINY, "--out", tmp_path)
    assert ebmlab(monkeypatch, *first) == 0
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    assert "holds a run already" in ebmlab(monkeypatch, *first)
    other = ebmlab(monkeypatch, *first, "--resume", "--lr", "0.1", "--dim", "4")
    assert "lr 0.001, not 0.1; dim 32, not 4" in other
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_run_that_failed_at_its_first_step_leaves_its_folder_free(tmp_path, monkeypatch):
    first = ("train", "autoencoder", *TINY, "--out", tmp_path)
    assert ebmlab(monkeypatch, *first) == 0
    (tmp_path / "checkpoint.safetensors").unlink()
    assert "holds a run already" in ebmlab(monkeypatch, *first)
    (tmp_path / "metrics.jsonl").write_text("")
    assert ebmlab(monkeypatch, *first) == 0


def test_arguments_that_cannot_be_read_end_with_2(monkeypatch, capsys):
    assert ebmlab(monkeypatch, "train", "simclr", "--epochs", "many") == 2
    assert "--epochs" in capsys.readouterr().err


def test_a_damaged_config_is_named(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"method": "vae"}')
    assert "is not the config of a run" in ebmlab(monkeypatch, "evaluate", tmp_path)


@both_kinds
def test_a_run_without_a_checkpoint_is_named(tmp_path, monkeypatch, method):
    assert ebmlab(monkeypatch, "train", *method, *TINY, "--out", tmp_path) == 0
    (tmp_path / "checkpoint.safetensors").unlink()
    assert "has no checkpoint yet" in ebmlab(monkeypatch, "evaluate", tmp_path)


@both_kinds
def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch, method):
    (tmp_path / "file").touch()
    said = ebmlab(monkeypatch, "train", *method, *TINY, "--out", tmp_path / "file")
    assert said == f"ebmlab: {tmp_path / 'file'} cannot hold a run (File exists); choose another"


@both_kinds
def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch, method):
    assert ebmlab(monkeypatch, "train", *method, *TINY, "--out", tmp_path) == 0
    (tmp_path / "evaluation.json").mkdir()
    said = ebmlab(monkeypatch, "evaluate", tmp_path)
    assert said == f"ebmlab: {tmp_path / 'evaluation.json'}: Is a directory"


@both_kinds
def test_a_run_without_a_step_is_not_drawn(tmp_path, monkeypatch, method):
    assert ebmlab(monkeypatch, "train", *method, *TINY, "--out", tmp_path) == 0
    (tmp_path / "metrics.jsonl").write_text("")
    assert "metrics.jsonl holds no step" in ebmlab(monkeypatch, "plot", tmp_path)
    assert not list(tmp_path.glob("*.png"))
