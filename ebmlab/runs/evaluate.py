"""How a run does on data that it was not trained on."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from ebmlab.errors import ConfigurationError
from ebmlab.runs.kind import Findings
from ebmlab.runs.kinds import kind_of
from ebmlab.runs.restore import restore
from ebmlab.training.folder import Folder

__all__ = ["EVALUATION", "Evaluation", "evaluate"]

EVALUATION = "evaluation.json"


class Evaluation(NamedTuple):
    """What `evaluate` returns: which run was judged by what, and what was found."""

    settings: dict[str, Any]
    findings: Findings


def evaluate(
    run: Path, *, data: str | None = None, limit: int | None = 10_000, device: str | None = None
) -> Evaluation:
    """Measure a run on held-out data, and write evaluation.json into its folder.

    Args:
        run: the folder of `train`.
        data: a set of images or points; None takes the run's.
        limit: data at most, of those to learn from and of those to be judged.
        device: None takes the run's.

    Raises:
        FileError: the folder holds no run, no checkpoint, or (to be drawn) no recorded step; or a
            file in it is damaged.
        ConfigurationError: the data are not of the run's shape, or limit < 2.
        DataError: the data are missing.
    """
    if limit is not None and limit < 2:
        raise ConfigurationError(f"limit is {limit}; it must be at least 2")
    config, built, kept = restore(run, device)
    kind = kind_of(config.method)
    found = kind.measure(built, data, limit)
    sizes = {"step": kept.step, "train": found.train, "test": found.test}
    settings = {"method": config.method, "data": data or config.data, **sizes}
    whole = {"settings": settings, "numbers": found.numbers, **found.lists}
    text = json.dumps({**whole, "advice": found.advice}, indent=2, ensure_ascii=False)
    Folder(run).write(EVALUATION, f"{text}\n")
    return Evaluation(settings, found)
