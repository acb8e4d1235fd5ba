"""MoCo, NNCLR and BYOL's rising decay, against plain formulas: values, gradients, state."""

import torch
from clusters_support import RECIPES, judge
from problems import randn
from torch.nn import functional


def built(name):
    method, data = RECIPES[name]
    return method(), *data()


def test_moco_tells_its_teachers_code_from_those_in_the_queue():
    method, x, y = built("moco")
    queue = method.objective.negatives.memory.codes
    for _ in range(2):
        q = functional.normalize(method.energy.online(x), dim=1)
        k = functional.normalize(method.energy.target(y), dim=1)
        past = functional.normalize(queue.clone(), dim=1)
        logits = torch.cat([(q * k).sum(1, keepdim=True), q @ past.T], dim=1) / 0.2
        judge(method, x, y, functional.cross_entropy(logits, torch.zeros(len(x), dtype=int)))
        method(x, y).commit()


def test_mocos_queue_keeps_the_latest_codes_of_the_teacher():
    method, x, y = built("moco")
    memory = method.objective.negatives.memory
    before, codes = memory.codes.clone(), method.energy.target(y)
    method(x, y).commit()
    torch.testing.assert_close(memory.codes, torch.cat([codes, before[6:]]))
    after = method.energy.target(x)
    method(y, x).commit()
    torch.testing.assert_close(memory.codes, torch.cat([after[1:], codes[5:], after[:1]]))


def test_nnclr_predicts_the_nearest_past_code_of_the_other_view():
    method, x, _ = built("nnclr")
    head = method.energy.head
    head.memory.push(randn(8, 3, seed=4))
    past = functional.normalize(head.memory.codes, dim=1)
    losses = []
    for i, j in ((0, 1), (1, 0)):
        z = functional.normalize(method.energy.online(x[i]), dim=1)
        p = functional.normalize(head.predictor(method.energy.online(x[j])), dim=1)
        neighbor = past[(z @ past.T).argmax(1)]
        losses.append(functional.cross_entropy(neighbor @ p.T / 0.1, torch.arange(len(z))))
    judge(method, x, x, sum(losses) / 2)


def test_nnclrs_memory_takes_one_view():
    method, x, _ = built("nnclr")
    codes = method.energy.online(x[1]).detach()
    method(x, x).commit()
    torch.testing.assert_close(method.energy.head.memory.codes[:6], codes)


def test_byols_teacher_slows_down_along_a_cosine():
    method, x, y = built("byol")
    teacher, student = method.energy.target, next(method.energy.online.parameters()).detach()
    weight = next(teacher.module.parameters())
    for step, decay in ((0, 0.9), (1, 1 - 0.1 * 0.5 * (1 + torch.tensor(torch.pi / 10).cos()))):
        before = weight.clone()
        assert int(teacher.clock) == step
        method(x, y).commit()
        torch.testing.assert_close(weight, decay * before + (1 - decay) * student)
