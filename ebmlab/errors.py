"""Typed errors: each names the tensor, says what arrived and what to do.

Every error is an `EbmlabError` and also the built-in exception that a caller would expect, so that
`except ValueError` keeps working for code that does not know this library.
"""

__all__ = [
    "CollapseError",
    "ConfigurationError",
    "DataError",
    "DeviceError",
    "DivergenceError",
    "DtypeError",
    "EbmlabError",
    "FileError",
    "GradientError",
    "NonFiniteError",
    "ShapeError",
]


class EbmlabError(Exception):
    """The base of all errors raised on purpose by this library."""


class ShapeError(EbmlabError, ValueError):
    """A tensor has a shape that the contract does not allow."""


class DtypeError(EbmlabError, ValueError):
    """Tensors of different precision meet, or an integer tensor is asked for a gradient."""


class DeviceError(EbmlabError, ValueError):
    """Tensors, parameters or generators live on different devices."""


class ConfigurationError(EbmlabError, ValueError):
    """An argument lies outside what the method allows."""


class GradientError(EbmlabError, RuntimeError):
    """A gradient was asked for along a path that does not exist."""


class NonFiniteError(EbmlabError, RuntimeError):
    """An energy, a gradient or a state is NaN or infinite where it must not be."""


class DivergenceError(EbmlabError, RuntimeError):
    """An energy falls without bound."""


class CollapseError(EbmlabError, RuntimeError):
    """Codes, or what they are assigned to, no longer tell data apart."""


class DataError(EbmlabError, RuntimeError):
    """A data set is missing, or is not what its hash promises."""


class FileError(EbmlabError, RuntimeError):
    """A saved file does not hold what it should."""
