"""Runs of the command line: train a method on images into a folder, evaluate it, draw it."""

from ebmlab.runs.config import Config, read_config
from ebmlab.runs.presets import PRESETS, preset_of
from ebmlab.runs.train import Trained, train

__all__ = ["PRESETS", "Config", "Trained", "preset_of", "read_config", "train"]
