"""The published RegNetYs, by their names."""

from collections.abc import Mapping
from typing import NamedTuple

from ebmlab.errors import ConfigurationError
from ebmlab.networks._backbones.regnet import RegNetY, stages_of

__all__ = ["REGNETYS", "Generator", "regnety"]


class Generator(NamedTuple):
    """The five numbers that generate a `RegNetY`: its depth, w0, wa, wm and group."""

    depth: int
    initial: int
    slope: float
    growth: float
    group: int

    @property
    def dim(self) -> int:
        """Length of the network's code."""
        return stages_of(*self)[-1][1]


REGNETYS: Mapping[str, Generator] = {
    "400mf": Generator(16, 48, 27.89, 2.09, 8),
    "800mf": Generator(14, 56, 38.84, 2.4, 16),
    "1.6gf": Generator(27, 48, 20.71, 2.65, 24),
    "3.2gf": Generator(21, 80, 42.63, 2.66, 24),
    "8gf": Generator(17, 192, 76.82, 2.19, 56),
    "16gf": Generator(18, 200, 106.23, 2.48, 112),
    "32gf": Generator(20, 232, 115.89, 2.53, 232),
    "64gf": Generator(20, 352, 147.48, 2.4, 328),
    "128gf": Generator(27, 456, 160.83, 2.52, 264),
    "256gf": Generator(27, 640, 230.83, 2.53, 373),
    "10b": Generator(27, 1744, 620.83, 2.52, 1010),
}


def regnety(name: str, channels: int = 3) -> RegNetY:
    """The RegNetY that is published under a name: (n, channels, h, w) -> (n, dim).

    Parameters without a classifier, at 3 channels:

    | name | millions | dim | | name | millions | dim |
    |---|---|---|---|---|---|---|
    | 400mf | 3.9 | 440 | | 32gf | 141.3 | 3712 |
    | 800mf | 5.5 | 768 | | 64gf | 276.5 | 4920 |
    | 1.6gf | 10.3 | 888 | | 128gf | 637.4 | 7392 |
    | 3.2gf | 17.9 | 1512 | | 256gf | 1272.2 | 10444 |
    | 8gf | 37.2 | 2016 | | 10b | 9323.9 | 28280 |
    | 16gf | 80.6 | 3024 | | | | |

    SEER's are 256gf and 10b.

    Raises:
        ConfigurationError: there is none of this name.

    Example:
        >>> regnety("400mf").dim
        440

    Source: Radosavovic et al. 2020, arXiv:2003.13678; Goyal et al. 2021, arXiv:2103.01988; Goyal
    et al. 2022, arXiv:2202.08360.
    """
    if name not in REGNETYS:
        raise ConfigurationError(f"there is no RegNetY {name!r}; there are {', '.join(REGNETYS)}")
    return RegNetY(*REGNETYS[name], channels)
