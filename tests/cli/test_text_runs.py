"""Runs on texts: trained, measured, drawn and sampled, on a small file of a known law."""

import json
import math

import pytest
import torch
from cli_support import ebmlab
from torch import Tensor

from ebmlab.runs import configured, text_preset
from ebmlab.runs._texts.counts import beside_bits, single_bits
from ebmlab.runs._texts.text_sets import LEAST
from ebmlab.runs.build import build

SMALL = ("--batch-size", "16", "--dim", "8")


def cycles(n: int) -> str:
    """Runs of abcde, each begun anywhere: a letter tells the next one but at their ends."""
    rng = torch.Generator().manual_seed(0)
    starts = torch.randint(5, (n // 20,), generator=rng).tolist()
    return "".join("abcde"[(start + k) % 5] for start in starts for k in range(20))


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_text(cycles(4000), encoding="utf-8")
    return "book.txt"


@pytest.mark.parametrize(("method", "epochs"), [("masked_words", "1"), ("next_word", "8")])
def test_a_file_is_learned_measured_drawn_and_sampled(
    book, method, epochs, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(text_preset, "LONG", 9)
    monkeypatch.setattr(text_preset, "SWEEPS", 1)
    command = ("train", method, "--data", book, *SMALL, "--epochs", epochs, "--lr", "0.01")
    assert ebmlab(monkeypatch, *command) == 0
    run = tmp_path / "runs" / f"{method}-book"
    assert ebmlab(monkeypatch, "evaluate", run, "--limit", "150") == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found["settings"]["data"] == book
    numbers = found["numbers"]
    alone, pairs = numbers["bits per token by counts of tokens"], numbers["by counts of pairs"]
    assert alone == pytest.approx(math.log2(5), abs=0.01)
    assert pairs < 0.5
    # One that was trained for fifty steps knows more than single letters.
    assert numbers["bits per token"] < (0.8 if method == "next_word" else 1.1) * alone
    assert 0 < numbers["answers in a set, by F + log Z"] <= 5
    capsys.readouterr()
    assert ebmlab(monkeypatch, "plot", run) == 0
    assert ebmlab(monkeypatch, "sample", run, "--n", "2") == 0
    written = [line.rpartition("/")[2] for line in capsys.readouterr().out.split()]
    assert written == ["curves.png", "answers.png", "sizes.png", "samples-2.txt"]
    drawn = (run / "samples-2.txt").read_text()
    assert set(drawn.replace("-", "").replace("\n", "")) <= set("abcde")
    assert "ends in .txt" in ebmlab(monkeypatch, "sample", run, "--out", "a.png")
    assert "completes no pictures" in ebmlab(monkeypatch, "inpaint", run)
    (tmp_path / "other.txt").write_text("xyz" * 900, encoding="utf-8")
    said = ebmlab(monkeypatch, "evaluate", run, "--data", "other.txt")
    assert "'x'" in said


WRONG = {
    "no file": (("masked_words", "--data", "no.txt"), "no.txt cannot be read"),
    "empty file": (("masked_words", "--data", "empty.txt"), "is empty"),
    "no text": (("next_word", "--data", "binary.txt"), "cannot be read as text in UTF-8"),
    "short text": (
        ("next_word", "--data", "short.txt"),
        f"short.txt has 5 characters; at least {10 * LEAST} are needed",
    ),
    "low limit": (
        ("masked_words", "--data", "book.txt", "--limit", "99"),
        "99 characters under a limit of 99",
    ),
    "images": (("masked_words", "--data", "mnist"), "learns texts, and mnist are images: choose"),
    "text for images": (
        ("simclr", "--data", "book.txt"),
        "simclr learns images, and book.txt is a file of text",
    ),
    "misspelt": (("next_word", "--data", "txet"), "did you mean text?"),
    "encoder": (("next_word", "--data", "book.txt", "--encoder", "mlp"), "leave --encoder out"),
    "dim": (("next_word", "--data", "book.txt", "--dim", "7"), "heads"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_text_is_said_in_one_line(book, case, tmp_path, monkeypatch):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "short.txt").write_text("short", encoding="utf-8")
    (tmp_path / "binary.txt").write_bytes(bytes(range(128, 256)) * 40)
    arguments, said = WRONG[case]
    code = ebmlab(monkeypatch, "train", *arguments)
    assert isinstance(code, str)
    assert said in code
    assert "\n" not in code
    assert not (tmp_path / "runs").exists()


def test_the_same_config_gives_the_same_batches_and_questions(book):
    config = configured("masked_words", book, batch_size=16, epochs=1, dim=8)
    one, other = build(config), build(config)
    x, y = one.questions(one.texts.held_out, 40)
    torch.testing.assert_close(other.questions(other.texts.held_out, 40), (x, y))
    assert bool((x[:, one.preset.site] == len(one.tokens)).all())
    whole = x.clone()
    whole[:, one.preset.site] = y
    assert one.texts.held_out.decode(whole[0]) in cycles(4000)


def plain_bits(seen: list[int], beside: tuple[int, ...], y: int, k: int) -> float:
    """The same by loops: counts of (left, y, right), then of (left, y), then of y."""
    p = (seen.count(y) + 1) / (len(seen) + k)
    inner = range(1, len(seen) - 1)
    left = [i for i in inner if seen[i - 1] == beside[0]]
    p = (sum(seen[i] == y for i in left) + 2 * p) / (len(left) + 2)
    both = [i for i in left if seen[i + 1] == beside[1]]
    p = (sum(seen[i] == y for i in both) + 2 * p) / (len(both) + 2)
    return -math.log2(p)


def test_counts_are_counted():
    seen = torch.randint(3, (60,), generator=torch.Generator().manual_seed(0))
    beside = torch.tensor([[0, 1], [2, 2], [1, 0]])
    y = torch.tensor([2, 0, 1])
    asked = zip(beside.tolist(), y.tolist(), strict=True)
    due = [plain_bits(seen.tolist(), tuple(pair), v, 3) for pair, v in asked]
    ours: Tensor = beside_bits(seen, (-1, 1), beside, y, 3)
    torch.testing.assert_close(ours, torch.tensor(due, dtype=torch.float64))
    total = torch.stack([2 ** -single_bits(seen, torch.tensor([v]), 3) for v in range(3)]).sum()
    assert float(total) == pytest.approx(1)
