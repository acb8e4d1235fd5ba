"""Recipes with clusters, against plain formulas of their papers: values and gradients."""

import pytest
import torch
from clusters_support import RECIPES, cross_entropy, judge, official_sinkhorn, over_pairs, small
from problems import randn
from torch.nn import functional

from ebmlab import methods


def built(name):
    method, data = RECIPES[name]
    return method(), *data()


def swav_loss(method, x, y, past=None, temperature=0.1):
    f, weight = method.energy.online, method.energy.head.energy.prototypes.weight
    logits = [functional.normalize(f(view), dim=1) @ weight.T for view in x]
    targets = []
    for i, own in enumerate(logits[: len(y)]):
        everything = own if past is None else torch.cat([past[i] @ weight.T, own])
        targets.append(official_sinkhorn(everything)[-len(own) :])
    return over_pairs(
        lambda i, j: cross_entropy(logits[i], targets[j], temperature), len(x), len(y)
    )


def test_swav_predicts_balanced_clusters_of_the_large_crops():
    method, x, y = built("swav")
    judge(method, x, y, swav_loss(method, x, y))


def test_another_temperature_is_another_loss():
    method, x, y = built("swav")
    with pytest.raises(AssertionError):
        judge(method, x, y, swav_loss(method, x, y, temperature=0.11))


def with_past(method, x, y):
    """Codes of each view of y that a commit pushed, before the prototypes moved on."""
    method(x, y).commit()
    with torch.no_grad():
        codes = [functional.normalize(method.energy.online(view), dim=1) for view in y]
        method.energy.head.energy.prototypes.weight.add_(0.1 * randn(4, 3, seed=9))
        method.energy.head.energy.prototypes.step()
    # Six codes of a view went through a ring of five; their order does not matter.
    return [past[1:] for past in codes]


def test_swavs_full_queues_join_their_views_batches_and_are_scored_anew():
    method, x, y = built("swav, queue")
    judge(method, x, y, swav_loss(method, x, y))
    past = with_past(method, x, y)
    judge(method, x, y, swav_loss(method, x, y, past))
    torch.testing.assert_close(method.energy(x, y).mean(), method(x, y).value)


def test_the_other_views_queue_is_another_loss():
    method, x, y = built("swav, queue")
    past = with_past(method, x, y)
    for wrong in (past[::-1], [past[0]] * 2, [torch.cat(past)] * 2):
        with pytest.raises(AssertionError):
            judge(method, x, y, swav_loss(method, x, y, wrong))


def test_swavs_queue_is_used_from_its_time_on_only():
    x, y = RECIPES["swav, queue"][1]()
    method = small(
        methods.swav, prototypes=4, projection=3, hidden=6, memory=5, memory_from=2, frozen_steps=0
    )
    with_past(method, x, y)
    judge(method, x, y, swav_loss(method, x, y))
    past = with_past(method, x, y)
    judge(method, x, y, swav_loss(method, x, y, past))


def test_deepcluster_predicts_the_nearest_centers_of_several_clusterings():
    method, x, y = built("deepcluster")
    f, losses = method.energy.online, []
    for head in method.energy.head.energy.terms:
        weight = head.energy.prototypes.weight
        logits = [functional.normalize(f(view), dim=1) @ weight.T for view in x]
        losses.append(
            over_pairs(
                lambda i, j, s=logits: functional.cross_entropy(s[i] / 0.1, s[j].argmax(1)), 2, 2
            )
        )
        assert not weight.requires_grad
    judge(method, x, y, sum(losses) / 2)


def test_deepercluster_predicts_the_super_class_and_the_part_in_it():
    method, x, label = built("deepercluster")
    f, head = method.energy.online, method.energy.head
    h, (coarse, fine) = f(x), (head.infer.coarse, head.infer.fine)
    losses = []
    for code, r in zip(h, label.tolist(), strict=True):
        a = int((coarse @ code).argmax())
        c = int((fine[2 * r + a] @ code).argmax())
        first = head.energy.coarse(code).log_softmax(0)[2 * r + a]
        second = head.energy.fine(code).reshape(4, 2)[2 * r + a].log_softmax(0)[c]
        losses.append(-first - second)
    judge(method, x, label, torch.stack(losses).mean())


def test_dino_predicts_its_teachers_centered_and_sharpened_outputs():
    method, x, y = built("dino")
    center = method.energy.head.infer.center
    center.copy_(0.1 * randn(7, seed=3))
    student, teacher = method.energy.online, method.energy.target
    outputs = [student(view) for view in x]
    targets = [((teacher(view) - center) / 0.04).softmax(1) for view in y]
    judge(
        method,
        x,
        y,
        over_pairs(lambda i, j: cross_entropy(outputs[i], targets[j], 0.1), len(x), len(y)),
    )


def test_dinos_last_layer_is_a_weight_normed_one():
    method, x, _ = built("dino")
    *before, last = method.energy.online
    h = functional.normalize(before[1](before[0](x[0])), dim=1)
    normed = torch.nn.utils.parametrizations.weight_norm(
        torch.nn.Linear(3, 7, bias=False).double()
    )
    with torch.no_grad():
        normed.parametrizations.weight.original0.fill_(1.0)
        normed.parametrizations.weight.original1.copy_(last.weight)
    torch.testing.assert_close(last(before[1](before[0](x[0]))), normed(h))


def test_paws_agrees_on_classes_among_the_neighbors_in_its_support():
    method, x, y = built("paws")
    f, (support, labels) = method.energy.encoder, y[2:]
    share = functional.one_hot(labels, 3).double() * 0.9 + 0.1 / 3
    past = functional.normalize(f(support), dim=1)
    p = [(functional.normalize(f(v), dim=1) @ past.T / 0.1).softmax(1) @ share for v in x]
    sharp = [q**4 / (q**4).sum(1, keepdim=True) for q in p]
    agreement = over_pairs(lambda i, j: -(sharp[j].detach() * p[i].log()).sum(1).mean(), 2, 2)
    mean = torch.cat(sharp).mean(0)
    judge(method, x, y, agreement + (mean * mean.log()).sum())


def test_paws_is_finite_where_probabilities_are_zero_to_rounding():
    x, y = RECIPES["paws"][1]()
    method = small(methods.paws, classes=3, projection=3, hidden=6, temperature=1e-4).float()
    x = tuple(view.float() for view in x)
    loss = method(x, (*x, y[2].float(), y[3]))
    loss.value.backward()
    assert loss.value.isfinite()
    assert all(p.grad.isfinite().all() for p in method.parameters())
