"""What every test starts from."""

import os
from collections.abc import Iterator

import pytest
import torch

torch.set_num_threads(1)  # the suite is parallel by processes

# Triton reads this once, when it is imported: without a GPU its interpreter runs the kernels.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(autouse=True)
def same_networks() -> Iterator[None]:
    """Networks draw their weights from the global generator; it is put back as it was."""
    generator = torch.default_generator
    state = generator.get_state()
    generator.manual_seed(0)  # `torch.manual_seed` formats a traceback for every absent device
    yield
    generator.set_state(state)
