"""The tour itself: stage by stage, so that what is done is reported whatever happens."""

import sys
from pathlib import Path

import torch

from ebmlab._checks import named_device
from ebmlab.tour import digits, pictures
from ebmlab.tour.relation import FAMILIES, Problem, draw_problem, train
from ebmlab.tour.report import Report

__all__ = ["run_tour"]

STEPS, QUICK = 2000, 400
DIGIT_STEPS, QUICK_DIGITS = 800, 150
SPLIT = ("train", "test")


def run_tour(
    out: Path, *, seed: int = 0, device: str = "cpu", quick: bool = False, verbose: bool = True
) -> Report:
    """Train, judge and draw; write the report after every stage.

    Args:
        out: a folder; made where it does not exist.
        seed: of data, weights and batches.
        device: a torch device.
        quick: a fifth of the steps.
        verbose: show bars (on a terminal) and print the table.

    Raises:
        ConfigurationError: the device does not exist here.
    """
    where = named_device(device)
    out.mkdir(parents=True, exist_ok=True)
    settings = {"seed": seed, "device": device, "quick": quick, "steps": QUICK if quick else STEPS}
    report = Report(out, settings)
    problem = draw_problem(seed, where)
    report.splits = {name: len(x) for name, (x, _) in problem.splits.items()}
    report.truth = {"nll": problem.true_nll()}
    try:
        bars = verbose and sys.stderr.isatty()
        _relation(report, problem, seed, bars)
        _digits(report, seed, where, bars)
        report.complete = True
    except KeyboardInterrupt:
        _say(verbose, "\ninterrupted: the report holds what was done")
    if report.trained and not report.pictures:
        _draw_relation(report, problem)
    report.write()
    _say(verbose, f"\n{report.table()}\n\nreport: {out / 'index.html'}")
    return report


def _relation(report: Report, problem: Problem, seed: int, progress: bool) -> None:
    for family in FAMILIES:
        report.trained.append(
            train(family, problem, steps=report.settings["steps"], seed=seed, progress=progress)
        )
        report.write()
    _draw_relation(report, problem)


def _draw_relation(report: Report, problem: Problem) -> None:
    report.pictures.append(pictures.draw_families(report.trained, problem, report.out))
    report.pictures.append(pictures.draw_cut(report.trained, problem, report.out))
    for trained in report.trained:
        if trained.family.key == "latent":
            report.pictures.append(pictures.draw_temperatures(trained, problem, report.out))
    report.write()


def _digits(report: Report, seed: int, device: torch.device, progress: bool) -> None:
    steps = QUICK_DIGITS if report.settings["quick"] else DIGIT_STEPS
    data = digits.halves(seed, device)
    report.splits |= {
        f"digits {name}": len(part.labels) for name, part in zip(SPLIT, data, strict=True)
    }
    completions = digits.complete(*data, steps=steps, seed=seed, progress=progress)
    report.digits |= completions.results
    report.pictures.append(pictures.draw_digits(completions, report.out))
    report.write()
    report.digits |= digits.embed(*data, steps=steps, seed=seed, progress=progress)


def _say(verbose: bool, text: str) -> None:
    if verbose:
        sys.stdout.write(f"{text}\n")
