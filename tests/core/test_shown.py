import pytest
import torch
from test_laws_shipped_energies import ENERGIES
from test_laws_shipped_inferences import INFERENCES
from test_laws_shipped_objectives import OBJECTIVES
from torch import nn

from ebmlab._shown import Shown

TABLES = {"energies": ENERGIES, "inferences": INFERENCES, "objectives": OBJECTIVES}


class Everything(Shown):
    shows = ("number", "scalar", "table", "function", "part")

    def __init__(self):
        super().__init__()
        self.number, self.function, self.part = 0.5, torch.tanh, nn.Identity()
        self.scalar, self.table = torch.tensor(1 / 3), nn.Parameter(torch.ones(2, 3))


def test_fields_are_shown_by_kind_and_modules_once():
    first, *rest = repr(Everything()).splitlines()
    assert rest[0] == "  number=0.5, scalar=0.3333, table=(2, 3), function=tanh"
    assert first == "Everything("
    assert rest[1:] == ["  (part): Identity()", ")"]


@pytest.mark.parametrize("kind", TABLES)
def test_whatever_is_shipped_has_the_fields_that_it_names(kind):
    parts = [part for make in TABLES[kind].values() for part in make()]
    for module in (m for part in parts if isinstance(part, nn.Module) for m in part.modules()):
        own = repr(module)
        assert all(f"{n}=" in own or f"({n})" in own for n in getattr(module, "shows", ()))
