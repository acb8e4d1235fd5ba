"""Runs of the command line: train a recipe on images into a folder, evaluate it, draw it."""

from ebmlab.runs.config import Config, read_config
from ebmlab.runs.offered import OFFERED, offered
from ebmlab.runs.train import Trained, train

__all__ = ["OFFERED", "Config", "Trained", "offered", "read_config", "train"]
