"""The numbers of Philox: known answers, Triton's own, and the moments of their normals."""

import math

import pytest
import torch
from kernels_support import DEVICE, looks_normal, seed_of, uncorrelated
from problems import generator

from ebmlab.errors import DeviceError, DtypeError, ShapeError
from ebmlab.kernels import philox
from ebmlab.kernels.philox import fresh_seed, normals, rand4x, randint4x, randn4x, require_stream

# The answers that are published with the generator: counter, key, words.
KNOWN = [
    ("00000000" * 4, "00000000" * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff" * 4, "ffffffff" * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        "243f6a8885a308d313198a2e03707344",
        "a4093822299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(digits: str) -> tuple:
    return tuple(torch.tensor(int(digits[i : i + 8], 16)) for i in range(0, len(digits), 8))


def answers(counter: str, key: str) -> str:
    return " ".join(f"{int(word):08x}" for word in philox.philox(words(counter), words(key)))


@pytest.mark.parametrize(("counter", "key", "due"), KNOWN)
def test_known_answers_are_given(counter, key, due, monkeypatch):
    assert answers(counter, key) == due
    monkeypatch.setattr(philox, "ROUNDS", 9)
    assert answers(counter, key) != due


def in_triton(kind: str, seed: torch.Tensor, counter: torch.Tensor) -> list[torch.Tensor]:
    pytest.importorskip("triton")
    import philox_in_triton

    dtype = torch.int32 if kind == "randint4x" else torch.float32
    out = torch.empty(4, len(counter), dtype=dtype, device=DEVICE)
    getattr(philox_in_triton, kind)[(1,)](counter, seed, out, len(counter), BLOCK=1024)
    return list(out)


COUNTERS = torch.cat(
    [
        torch.arange(500),
        torch.arange(2**31 - 100, 2**31 + 100),
        torch.arange(2**32 - 100, 2**32 + 100),
        torch.tensor([2**45 + 17, 2**63 - 1, -1, -(2**63)]),
    ]
).to(DEVICE)
SEEDS = [0, 1, 2**31, 2**32 + 5, 2**63 - 1, -1, -(2**63)]


@pytest.mark.parametrize("seed", SEEDS)
def test_words_are_triton_s_bit_for_bit(seed):
    ours = randint4x(seed_of(seed), COUNTERS)
    theirs = in_triton("randint4x", seed_of(seed), COUNTERS)
    others = randint4x(seed_of(seed ^ 1), COUNTERS)
    for mine, word, other in zip(ours, theirs, others, strict=True):
        due = word.long() & 0xFFFFFFFF
        assert torch.equal(mine, due)
        assert not (other == due).any()


def test_uniforms_are_triton_s_exactly():
    seed = seed_of(12345)
    for mine, due in zip(rand4x(seed, COUNTERS), in_triton("rand4x", seed, COUNTERS), strict=True):
        assert torch.equal(mine, due)
        assert ((mine >= 0) & (mine < 1)).all()


def test_normals_are_triton_s_to_rounding():
    seed = seed_of(-77)
    ours, theirs = randn4x(seed, COUNTERS), in_triton("randn4x", seed, COUNTERS)
    for mine, due in zip(ours, theirs, strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, due, rtol=1e-6, atol=1e-6)
    # Another order of the pairs would be seen.
    assert (ours[1] - theirs[2]).abs().max() > 1


def test_a_number_depends_on_its_place_alone():
    seed = torch.tensor(9)
    whole = normals(seed, torch.empty(103))
    assert torch.equal(normals(seed, torch.empty(5, 7)).flatten(), whole[:35])
    assert torch.equal(normals(seed, torch.empty(8), offset=3), whole[12:20])
    assert torch.equal(normals(seed, torch.empty(103, dtype=torch.float64)), whole.double())
    assert normals(seed, torch.empty(0, 3)).shape == (0, 3)


def test_normals_are_normal_and_neighbors_independent():
    seed = fresh_seed(generator(1))
    sample = normals(seed, torch.empty(400_000))
    assert looks_normal(sample)
    assert sample.abs().max() < math.sqrt(-2 * math.log(1e-7)) + 1e-5
    for wrong in (
        1.01 * sample,
        sample + 0.01,
        sample.sign() * sample.abs() ** 0.98,
        torch.rand(400_000, generator=generator(2)).mul(2).sub(1).mul(3**0.5),
        # Each pair of Box and Muller used twice.
        sample.view(-1, 4)[:, [0, 1, 0, 1]].flatten(),
    ):
        assert not looks_normal(wrong)


def test_streams_are_independent_and_a_reused_offset_is_seen():
    seed, like = fresh_seed(generator(3)), torch.empty(200_000)
    first = normals(seed, like)
    apart = normals(seed, like, offset=50_000)
    other = normals(fresh_seed(generator(4)), like)
    neighbor = normals(seed + 1, like)
    for stream in (apart, other, neighbor):
        assert uncorrelated(first, stream)
        assert uncorrelated(first**2 - 1, (stream**2 - 1) / 2)
    assert not uncorrelated(first, normals(seed, like))
    # Too small a stride between two steps: half of the numbers come again.
    assert not uncorrelated(first[100_000:], normals(seed, like, offset=25_000)[:100_000])


def test_seeds_come_from_the_generator_and_move_it():
    rng = generator(5)
    seeds = torch.stack([fresh_seed(rng) for _ in range(1000)])
    again = generator(5)
    assert torch.equal(seeds, torch.stack([fresh_seed(again) for _ in range(1000)]))
    assert len(seeds.unique()) == 1000
    # 63 bits, each set in about half of the seeds: 7 standard deviations.
    bits = (seeds[:, None] >> torch.arange(63)) & 1
    assert (bits.double().mean(0) - 0.5).abs().max() < 7 * 0.5 / 1000**0.5
    assert (seeds >= 0).all()


def test_a_seed_that_does_not_fit_is_refused():
    y = torch.zeros(3)
    require_stream(torch.tensor(1), y)
    with pytest.raises(ShapeError, match=r"seed has shape \(3,\)"):
        require_stream(torch.tensor([1, 2, 3]), y)
    with pytest.raises(DtypeError, match=r"seed is torch\.int32"):
        require_stream(torch.tensor(1, dtype=torch.int32), y)
    with pytest.raises(DeviceError, match="seed is on meta"):
        require_stream(torch.tensor(1, device="meta"), y)
