"""Runs of the command line: train a method into a folder, measure it, draw it."""

from ebmlab.runs.config import Config, read_config
from ebmlab.runs.kinds import OFFERED, configured
from ebmlab.runs.train import Trained, train

__all__ = ["OFFERED", "Config", "Trained", "configured", "read_config", "train"]
