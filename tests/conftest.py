"""One thread per test process: the suite runs in parallel by processes."""

import torch

torch.set_num_threads(1)
