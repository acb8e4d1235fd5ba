import pytest

from ebmlab import errors
from ebmlab.errors import EbmlabError


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"EbmlabError"}))
def test_every_error_is_ours_and_a_built_in_one(name):
    kind = getattr(errors, name)
    assert issubclass(kind, EbmlabError)
    assert issubclass(kind, ValueError) != issubclass(kind, RuntimeError)
