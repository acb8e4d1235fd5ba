"""Every public name is documented, at one place."""

import inspect
import re

import ebmlab
from ebmlab import methods
from pages.docstrings import whole
from pages.public import modules, names


def test_every_public_name_says_what_it_is():
    told = [name for name in names() if name.kind != "autodata"]
    silent = [name.full for name in told if not (name.value.__doc__ or "").strip()]
    assert len(told) > 550
    assert not silent


def test_all_that_users_can_import_from_the_top_is_documented():
    inside = {"__version__", "kernels"}
    full = {name.full for name in names()}
    for name in set(dir(ebmlab)) - inside:
        value = getattr(ebmlab, name)
        if inspect.ismodule(value):
            assert value.__name__ in modules()
        else:
            assert f"ebmlab.{name}" in full


def test_pages_of_methods_tell_the_arguments_that_all_share():
    for name in methods.__all__:
        recipe = getattr(methods, name)
        told = "\n".join(whole(recipe, inspect.getdoc(recipe).splitlines()))
        for shared in {"encoder", "dim", "x_ndim"} & set(inspect.signature(recipe).parameters):
            assert re.search(rf"^    ([\w, ]+, )?{shared}(, [\w, ]+)?:", told, re.MULTILINE), name


def test_each_name_has_one_home():
    full = [name.full for name in names()]
    assert len(full) == len(set(full))
