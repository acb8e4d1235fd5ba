import torch
from problems import generator, randn

from ebmlab._rows import fingerprints, keys


def test_a_row_has_one_fingerprint_wherever_it_stands_and_in_any_precision():
    rows = randn(50, 3, 4).float()
    found = fingerprints(rows)
    order = torch.randperm(50, generator=generator())
    assert torch.equal(fingerprints(rows[order][:7]), found[order][:7])
    assert torch.equal(fingerprints(rows.double()), found)
    assert torch.equal(fingerprints(rows[:, None].transpose(2, 3).transpose(3, 2)), found)
    whole = torch.arange(-3, 3)
    assert torch.equal(fingerprints(whole), fingerprints(whole.to(torch.bfloat16)))
    assert torch.equal(fingerprints(torch.zeros(2, 3)), fingerprints(-torch.zeros(2, 3)))


def test_rows_that_differ_in_anything_have_different_fingerprints():
    grid = torch.cartesian_prod(*[torch.arange(-6.0, 7.0)] * 4)
    tiny = grid.double() + 1e-15 * (grid == 1)
    hot = torch.eye(300)
    for rows in (grid, tiny, torch.cat([grid, 0.1 * grid[grid.abs().sum(1) > 0]]), hot):
        assert len(fingerprints(rows).unique()) == len(rows)
    # Sums of entries, or of their squares, do not tell them apart.
    assert len(grid.sum(1).unique()) < len(grid)


def test_keys_tell_the_rows_of_one_tensor_apart_and_equal_rows_are_equal():
    grid = torch.cartesian_prod(*[torch.arange(-6.0, 7.0)] * 4)
    tiny = grid.double() + 1e-15 * (grid == 1)
    bits = (torch.rand(3000, 40, generator=generator()) < 0.5).float()
    for rows in (grid, tiny, bits, torch.eye(300), torch.eye(300).double(), grid.bfloat16()):
        found = keys(rows)
        assert len(found.unique()) == len(rows)
        assert torch.equal(keys(torch.cat([rows[:5], rows]))[:5], found[:5])
