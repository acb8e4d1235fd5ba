"""The tour itself: stage by stage, so that what is done is reported whatever happens."""

import sys
from pathlib import Path

import torch

from ebmlab._checks import named_device, require_counts
from ebmlab._explorer import write_explorer
from ebmlab.tour import digits, pictures
from ebmlab.tour.relation import FAMILIES, Problem, draw_problem, same_temperature, train
from ebmlab.tour.report import Report

__all__ = ["run_tour"]

STEPS, QUICK = 2000, 400
DIGIT_STEPS, QUICK_DIGITS = 800, 150
STAGES = len(FAMILIES) + 2


def run_tour(
    out: Path,
    *,
    seed: int = 0,
    device: str = "cpu",
    quick: bool = False,
    threads: int = 1,
    verbose: bool = True,
) -> Report:
    """Train, judge and draw; write the report after every stage.

    Args:
        out: a folder; made where it does not exist.
        seed: of data, weights and batches.
        device: a torch device.
        quick: a fifth of the steps.
        threads: of the CPU; more of them wait for one another where a machine is busy. The
            caller's number is put back at the end.
        verbose: show bars on a terminal, lines elsewhere, and print the table.

    Raises:
        ConfigurationError: the device does not exist here, or threads < 1.
    """
    require_counts(threads=threads)
    where = named_device(device)
    out.mkdir(parents=True, exist_ok=True)
    steps = QUICK if quick else STEPS
    settings = {"seed": seed, "device": device, "quick": quick, "steps": steps, "threads": threads}
    report = Report(out, settings)
    write_explorer(out / "explorer.html")
    problem = draw_problem(seed, where)
    report.splits = {name: len(x) for name, (x, _) in problem.splits.items()}
    report.truth = {"nll": problem.true_nll()}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        _relation(report, problem, seed, verbose)
        _digits(report, seed, where, verbose)
        report.complete = True
    except KeyboardInterrupt:
        _say(verbose, "\ninterrupted: the report holds what was done")
    finally:
        torch.set_num_threads(before)
    if report.trained and not report.pictures:
        _draw_relation(report, problem)
    report.write()
    _say(verbose, f"\n{report.table()}\n\nreport: {out / 'index.html'}")
    return report


def _relation(report: Report, problem: Problem, seed: int, verbose: bool) -> None:
    steps = report.settings["steps"]
    for number, family in enumerate(FAMILIES, start=1):
        _note(verbose, f"[{number}/{STAGES}] {family.title}: {steps} steps … ")
        trained = train(family, problem, steps=steps, seed=seed, progress=verbose)
        report.trained.append(trained)
        report.write()
        _note(verbose, f"{trained.results['seconds']:.0f} s\n")
    report.trained = same_temperature(report.trained, problem)
    _draw_relation(report, problem)


def _draw_relation(report: Report, problem: Problem) -> None:
    report.pictures.append(pictures.draw_data(problem, report.out))
    for trained in report.trained:
        if trained.family.key == "regression":
            report.pictures.append(pictures.draw_regression(trained, problem, report.out))
    report.pictures.append(pictures.draw_families(report.trained, problem, report.out))
    report.pictures.append(pictures.draw_cut(report.trained, problem, report.out))
    for trained in report.trained:
        if trained.family.key == "latent":
            report.pictures.append(pictures.draw_temperatures(trained, problem, report.out))
    report.write()


def _digits(report: Report, seed: int, device: torch.device, verbose: bool) -> None:
    steps = QUICK_DIGITS if report.settings["quick"] else DIGIT_STEPS
    data = digits.halves(seed, device)
    for name, part in zip(("train", "test"), data, strict=True):
        report.splits[f"digits {name}"] = len(part.labels)
    _note(verbose, f"[{STAGES - 1}/{STAGES}] digits, joint embedding: {steps} steps … ")
    energy, scores = digits.embed(*data, steps=steps, seed=seed, progress=verbose)
    report.digits |= scores
    _note(verbose, "done\n")
    _note(verbose, f"[{STAGES}/{STAGES}] digits, completions: {steps} steps twice … ")
    completions = digits.complete(*data, energy, steps=steps, seed=seed, progress=verbose)
    report.digits |= completions.results
    report.pictures.append(pictures.draw_digits(completions, report.out))
    _note(verbose, "done\n")


def _note(verbose: bool, text: str) -> None:
    """What is being trained, and how far, where no bar says so."""
    if verbose and not sys.stderr.isatty():
        sys.stderr.write(text)
        sys.stderr.flush()


def _say(verbose: bool, text: str) -> None:
    if verbose:
        sys.stdout.write(f"{text}\n")
