"""Methods of words, of a text whose law is known, and a world of films."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from ebmlab import Method, data, fit, methods, plot, prediction
from ebmlab.data.worlds import MovingDigits
from ebmlab.energies import Categorical
from ebmlab.networks import MLP, Transformer
from ebmlab.plot.style import ENERGY, PALETTE, prepared
from ebmlab.training import Stepping, falling_cosine
from pictures.exhibit import shown
from pictures.planes import SIZE

FALLS = Stepping(schedule=falling_cosine)
LAW = "Eight words; each is followed by one of the next three of a ring. "


def law() -> Tensor:
    """The probability of the next word, (8, 8): mostly the next of a ring, or one further on."""
    shares = torch.tensor([0.0, 0.6, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0])
    return torch.stack([shares.roll(k) for k in range(8)])


def sentences(n: int, rng: torch.Generator) -> Tensor:
    """n sentences of eight words by that law."""
    words = [torch.randint(8, (n,), generator=rng)]
    for _ in range(7):
        words.append(law()[words[-1]].multinomial(1, generator=rng)[:, 0])
    return torch.stack(words, 1)


def following(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """All words but the last as x, and all but the first as y."""
    text = sentences(n, rng)
    return text[:, :-1], text[:, 1:]


def gaps(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sentences with one word hidden, as the number 8, and whole."""
    y, site = sentences(n, rng), torch.randint(8, (n, 1), generator=rng)
    return y.scatter(1, site, 8), y


def neighbors(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """A word, and the one after it."""
    text = sentences(n, rng)
    return text[:, 3], text[:, 4]


def _table(ax: Axes, values: Tensor, title: str, names: tuple[str, str]) -> None:
    with plot.style():
        image = prepared(ax, title=title).imshow(values, ENERGY.reversed(), vmin=0, vmax=1)
        ax.set(xlabel=names[0], ylabel=names[1])
        ax.figure.colorbar(image, ax=ax)


def _two(true: Tensor, found: Tensor, names: tuple[str, str]) -> Figure:
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, right = figure.subplots(1, 2)
    _table(left, true, "true probability", names)
    _table(right, found, f"learned: off by {float((found - true).abs().max()):.2f} at most", names)
    return figure


def _probabilities(method: Method, x: Tensor) -> Tensor:
    energy = method.eval().energy
    assert isinstance(energy, Categorical)
    return energy.probabilities(x).detach()


def _of_next(method: Method) -> Figure:
    """The law, and what is predicted after each last word."""
    x, _ = following(2000, torch.Generator().manual_seed(1))
    p, last = _probabilities(method, x)[:, -1], x[:, -1]
    found = torch.stack([p[last == k].mean(0) for k in range(8)])
    return _two(law(), found, ("next word", "last word"))


@shown(
    _of_next,
    LAW + "Left, the true probabilities of the next word, a row for each last one; "
    "right, the mean prediction of a causal transformer.",
)
def next_word() -> Method:
    network = Transformer(8, 7, dim=16, depth=1, heads=2, causal=True)
    method = methods.next_word(network, 8)
    fit(method, following, steps=300, lr=1e-2, stepping=FALLS)
    return method


def _of_gaps(method: Method) -> Figure:
    """The hidden word between the neighbors 0 and k: p(y | 0, k) ∝ p(y | 0) p(k | y)."""
    y = sentences(4000, torch.Generator().manual_seed(1))
    x = y.clone()
    x[:, 4] = 8
    p = _probabilities(method, x)[:, 4]
    apart = (y[:, 5] - y[:, 3]) % 8
    joint = law()[0, :, None] * law()
    true = (joint / joint.sum(0).clamp(min=1e-9)).T[2:7]
    turned = torch.stack([row.roll(-int(k)) for row, k in zip(p, y[:, 3], strict=True)])
    found = torch.stack([turned[apart == k].mean(0) for k in range(2, 7)])
    return _two(true, found, ("hidden word − left one", "right one − left one − 2"))


@shown(
    _of_gaps,
    "A hidden word is told from both neighbors. Rows: how far the right neighbor is from "
    "the left one, 2 and more; columns: how far the hidden word is. Left the true "
    "probabilities, right those of a transformer that sees both sides.",
)
def masked_words() -> Method:
    method = methods.masked_words(Transformer(8, 8, dim=32, depth=1, heads=2), 8)
    fit(method, gaps, steps=1000, lr=3e-3, stepping=FALLS)
    return method


def _of_vectors(method: Method) -> Figure:
    """Vectors of the words, and p(y | x) by the energy."""
    words = torch.arange(8)
    with torch.no_grad():
        u = method.encode(words)
        found = (-method.energy(words[:, None], words[None])).softmax(1)
        centered = u - u.mean(0)
        flat = centered @ torch.linalg.svd(centered).Vh[:2].T
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, middle, right = figure.subplots(1, 3)
        prepared(left, title="vectors of words").scatter(*flat.T, s=12, color=PALETTE[0])
        for k, place in enumerate(flat.tolist()):
            left.annotate(str(k), place, xytext=(4, 4), textcoords="offset points")
        left.set_box_aspect(1)
    _table(middle, law(), "true p(y | x)", ("y", "x"))
    _table(right, found, "learned", ("y", "x"))
    return figure


@shown(
    _of_vectors,
    "Eight words; each is followed by one of the next three of a ring. Word vectors by "
    "word2vec, in their first two directions: the ring comes out. Right, p(y | x) by the "
    "energy beside the true one.",
)
def skip_gram() -> Method:
    method = methods.skip_gram(torch.ones(8), dim=8)
    fit(method, neighbors, steps=600, batch_size=256, lr=2e-2, stepping=FALLS)
    return method


MOVES = ("left", "right", "up", "down", "stay")


def world() -> MovingDigits:
    """A digit on a canvas of 12 × 12 pixels whose edges meet, moved by one pixel a moment."""
    return MovingDigits(data.digits()[0][:500], 12)


def _of_moves(method: Method) -> Figure:
    """A film, and how often each z goes with each move, which nobody told."""
    films = world().clips(200, 6, torch.Generator().manual_seed(1))
    z = prediction.inverse(method.eval(), films.frames).argmax(-1)
    counts = torch.zeros(5, 5).index_put((z, films.actions), torch.ones(z.shape), accumulate=True)
    with plot.style():
        figure = Figure(figsize=SIZE, layout="compressed")
        left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
        names = ["", *(MOVES[a] for a in films.actions[0])]
        sheet = films.frames[:3].flatten(0, 1)
        plot.images(sheet, 6, left, title="films; the first one's moves above", headings=names)
    _table(right, counts / counts.sum(0), "share of z, of each move", ("move", "z"))
    right.set_xticks(range(5), MOVES, rotation=40)
    return figure


@shown(
    _of_moves,
    "Films of digits that somebody moves, and a z of five values for what was done. "
    "Each move has one z of its own (a column with one dark field), although moves were never "
    "told.",
)
def world_model() -> Method:
    films = world().clips(10_000, 5, torch.Generator().manual_seed(0))
    f = nn.Sequential(nn.Flatten(), MLP(144, 32, (128, 128)))
    method = methods.world_model(f, dim=32, codes=5)
    fit(method, films.pairs(), steps=800, batch_size=128, lr=3e-3, stepping=FALLS)
    return method
