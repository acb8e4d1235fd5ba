"""Packages that only some need."""

from importlib import import_module
from typing import Any

from ebmlab.errors import ConfigurationError

__all__ = ["loaded"]


def loaded(package: str, extra: str) -> Any:
    """The package, which an extra of this one installs.

    Raises:
        ConfigurationError: it is not installed.

    Example:
        >>> loaded("nowhere", "data")
        Traceback (most recent call last):
        ebmlab.errors.ConfigurationError: nowhere is not installed: pip install ebmlab[data]
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{package} is not installed: pip install ebmlab[{extra}]"
        ) from error
