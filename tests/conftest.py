"""What every test starts from."""

from collections.abc import Iterator

import pytest
import torch

torch.set_num_threads(1)  # the suite is parallel by processes


@pytest.fixture(autouse=True)
def same_networks() -> Iterator[None]:
    """Networks draw their weights from the global generator; it is put back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
