import pytest
import torch
from problems import F64, f64, generator, randn
from torch import nn

import ebmlab
from ebmlab import FreeEnergy, FunctionEnergy, Method, methods
from ebmlab.energies import (
    BinaryCrossEntropy,
    CrossEntropy,
    Gaussian,
    JointEmbedding,
    Reconstruction,
    SquaredDistance,
)
from ebmlab.errors import ConfigurationError, ShapeError
from ebmlab.inference import Amortized, Circle, Descent, Enumerate, OneHot, Simplex, Vector
from ebmlab.networks import MLP, Choice, Conditional
from ebmlab.objectives import Regularized
from ebmlab.prediction import predict

CODES = torch.eye(3, dtype=F64)


def choice() -> nn.Module:
    return Choice(MLP(2, 3 * 2), codes=3).double()


def test_predictions_are_decoded_from_every_code_and_their_energies_are_free_energies():
    g, x = choice(), randn(5, 2)
    method = methods.latent_prediction(g, CODES, temperature=0.7)
    found = ebmlab.predict(method, x, 3)
    each = g.network(x).reshape(5, 3, 2).movedim(1, 0)
    torch.testing.assert_close(found.y, each.detach())
    distances = (found.y[:, None] - each.detach()[None]).square().sum(-1)
    soft = -0.7 * ((-distances / 0.7).exp().mean(1)).log()
    torch.testing.assert_close(found.energies, soft)
    assert found.z is not None
    assert torch.equal(found.z, CODES[:, None].expand(3, 5, 3))
    assert not found.y.requires_grad


def test_at_temperature_zero_a_prediction_has_energy_zero():
    method = methods.latent_prediction(choice(), CODES)
    assert float(predict(method, randn(5, 2), 3).energies.abs().max()) == 0


def test_codes_come_in_the_order_of_their_prior_weights_and_impossible_ones_never():
    infer = Enumerate(CODES, f64([0.2, 0.0, 0.8]))
    free = FreeEnergy(Reconstruction(choice()), infer, 1.0)
    assert torch.equal(predict(free, randn(4, 2), 2).z[:, 0], CODES[[2, 0]])
    with pytest.raises(ConfigurationError, match="2 atoms of weight above 0"):
        predict(free, randn(4, 2), 3)


def test_fewer_predictions_are_the_first_of_more_and_rows_do_not_depend_on_the_batch():
    free = FreeEnergy(Reconstruction(Conditional(MLP(3, 2)).double()), Descent(randn(2, 1)))
    x = randn(5, 2)
    few, many, alone = (
        predict(free, rows, k, rng=generator(), prior=Vector(1))
        for k, rows in ((2, x), (4, x), (4, x[:1]))
    )
    assert torch.equal(few.z, many.z[:2])
    torch.testing.assert_close(few.y, many.y[:2])
    torch.testing.assert_close(alone.y, many.y[:, :1])
    torch.testing.assert_close(alone.energies, many.energies[:, :1])


def test_the_best_of_k_falls_with_k_on_data_of_several_answers():
    y = 2.0 * torch.randint(2, (200, 2), generator=generator()).to(F64) - 1
    predictions = torch.stack([f64([a, b]) for a in (-1, 1) for b in (-1, 1)])
    method = methods.latent_prediction(nn.Identity(), predictions, takes_x=False)
    found = predict(method, None, 4)
    errors = (found.y[:, None] - y).square().sum(-1)
    best = [float(errors[:k].amin(0).mean()) for k in (1, 2, 3, 4)]
    assert best == sorted(best, reverse=True)
    assert best[0] > 3
    assert best[-1] == 0


@pytest.mark.parametrize("prior", [Circle(), Vector(1), Simplex(1)])
def test_other_inferences_draw_z_from_a_prior(prior):
    energy = Reconstruction(Conditional(MLP(3, 2)).double())
    free = FreeEnergy(energy, Amortized(MLP(4, 1).double()))
    free.infer.encoder = Conditional(free.infer.encoder)
    found = predict(free, randn(4, 2), 3, rng=generator(), prior=prior)
    z = found.z[:, 0]
    assert torch.equal(z, prior.draw(3, generator(), F64))
    torch.testing.assert_close(found.y, energy.decode(randn(4, 2), z[:, None]).detach())


def test_points_of_a_finite_space_come_without_replacement():
    free = FreeEnergy(Reconstruction(choice()), Enumerate(CODES))
    z = predict(free, randn(1, 2), 3, rng=generator(), prior=OneHot(3)).z[:, 0]
    assert torch.equal(z.sum(0), torch.ones(3, dtype=F64))
    with pytest.raises(ConfigurationError, match="has 3 points"):
        predict(free, randn(1, 2), 4, rng=generator(), prior=OneHot(3))


def test_a_density_is_a_prior_too():
    prior = Gaussian(f64([5.0]), f64([[0.01]]))
    free = FreeEnergy(
        Reconstruction(nn.Identity(), takes_x=False), Descent(torch.zeros(1, 1, dtype=F64))
    )
    assert torch.equal(
        predict(free, None, 4, rng=generator(), prior=prior).y, prior.sample(4, generator())
    )


def test_x_is_encoded_where_the_decoder_wants_its_code():
    f, g, x = MLP(2, 4).double(), Conditional(MLP(7, 2)).double(), randn(5, 2)
    energy = JointEmbedding(f, nn.Identity(), Reconstruction(g))
    found = predict(FreeEnergy(energy, Enumerate(CODES)), x, 3)
    for k in range(3):
        torch.testing.assert_close(found.y[k], g(f(x), CODES[k].expand(5, 3)).detach())


def test_predictions_fill_the_batch_though_only_the_inference_looks_at_x():
    class ByX(Enumerate):
        takes_x = True

    free = FreeEnergy(Reconstruction(nn.Identity(), takes_x=False), ByX(CODES))
    found = predict(free, randn(5, 2), 2)
    assert torch.equal(found.y, CODES[:2, None].expand(2, 5, 3))
    assert found.energies.shape == (2, 5)


def test_decoders_are_found_below_weights_temperatures_and_sums():
    energy = Reconstruction(choice())
    still = FunctionEnergy(lambda y: y.square().sum(-1), ("y",))
    x, due = randn(5, 2), None
    for wrapped in (energy, 2 * energy, energy / 3.0, energy + still):
        found = predict(FreeEnergy(wrapped, Enumerate(CODES)), x, 3).y
        due = found if due is None else due
        assert torch.equal(found, due)


def test_logits_are_given_as_probabilities():
    g, x = choice(), randn(5, 2)
    logits = torch.stack([g(x, z.expand(5, 3)) for z in CODES]).detach()
    for distance, due in (
        (BinaryCrossEntropy(), logits.sigmoid()),
        (CrossEntropy(0.5), (logits / 0.5).softmax(-1)),
    ):
        free = FreeEnergy(Reconstruction(g, distance), Enumerate(CODES))
        torch.testing.assert_close(predict(free, x, 3).y, due)


def test_candidates_are_ranked_by_their_energy():
    x, candidates = randn(4, 2), randn(7, 2, seed=1)
    energy = JointEmbedding(MLP(2, 2).double(), nn.Identity(), SquaredDistance())
    found = predict(Method(energy, Regularized()), x, 3, candidates=candidates)
    for row in range(4):
        all_of_them = energy(x[row], candidates).detach()
        order = all_of_them.argsort()[:3]
        torch.testing.assert_close(found.energies[:, row], all_of_them[order])
        assert torch.equal(found.y[:, row], candidates[order])
    assert found.z is None


def test_what_cannot_be_predicted_is_refused():
    x, energy = randn(4, 2), SquaredDistance()
    with pytest.raises(ConfigurationError, match="pass candidates"):
        predict(energy, x, 3)
    embedded = JointEmbedding(MLP(2, 2), MLP(2, 2), Reconstruction(choice()))
    with pytest.raises(ConfigurationError, match="decodes no y"):
        predict(FreeEnergy(embedded, Enumerate(CODES)), x, 3)
    free = FreeEnergy(Reconstruction(choice()), Descent(randn(2, 3)))
    with pytest.raises(ConfigurationError, match="pass prior"):
        predict(free, x, 3)
    with pytest.raises(ConfigurationError, match="pass rng"):
        predict(free, x, 3, prior=Vector(3))
    with pytest.raises(ConfigurationError, match="at least 1"):
        predict(free, x, 0)
    with pytest.raises(ConfigurationError, match="2 candidates"):
        predict(energy, x, 3, candidates=randn(2, 2))
    with pytest.raises(ShapeError, match="1 event dimensions"):
        predict(energy, x, 1, candidates=randn(3, 2, 2))
