"""Triton's words and normals are those of `threefry`, to the last bit."""

import numpy as np
import pytest
import torch
from kernels_support import DEVICE, seed_of

from ebmlab.kernels.arrays import NUMPY
from ebmlab.kernels.threefry import normals, threefry

pytest.importorskip("triton")

import threefry_in_triton

ENDS = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x243F6A88, 0x85A308D3, 0x13198A2E]


@pytest.mark.parametrize("key", [(0, 0), (2**32 - 1, 2**32 - 1), (0x03707344, 0x13198A2E)])
def test_words_are_those_of_plain_torch(key):
    counter = torch.tensor([ENDS, [0, *ENDS[:0:-1]]], device=DEVICE)
    out = torch.empty_like(counter)
    threefry_in_triton.words[(1,)](torch.tensor(key, device=DEVICE), counter, out, len(ENDS))
    words = np.array([*key])[:, None], counter.cpu().numpy()
    due = threefry(NUMPY, *(tuple(part.astype(np.uint32)) for part in words))
    assert np.array_equal(out.cpu().numpy(), np.stack(due).view(np.uint32))
    if key == (0, 0):
        assert [hex(word) for word in out[:, 0].tolist()] == ["0x9d1c5ec6", "0x8bd50731"]


@pytest.mark.parametrize("seed", [0, 2**40 + 3, 2**63 - 1])
def test_normals_are_those_of_plain_torch(seed):
    out = torch.empty(256, 16, device=DEVICE)
    threefry_in_triton.pairs[(1,)](seed_of(seed), out, 256, 8, enable_fp_fusion=False)
    due = normals(torch.tensor(seed), torch.empty(256, 16))
    assert torch.equal(out.cpu(), due)
    assert not torch.equal(out.cpu(), normals(torch.tensor(seed ^ 1), torch.empty(256, 16)))
