"""Every public name is documented, at one place."""

import inspect

from pages.public import modules, names


def test_every_public_name_says_what_it_is():
    told = [name for name in names() if name.kind != "autodata"]
    silent = [name.full for name in told if not (name.value.__doc__ or "").strip()]
    assert len(told) > 550
    assert not silent


def test_what_is_documented_is_what_modules_export():
    homes = {(name.name, id(name.value)) for name in names()}
    for path in modules():
        module = __import__(path, fromlist=["_"])
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            assert inspect.ismodule(value) or (name, id(value)) in homes


def test_each_name_has_one_home():
    full = [name.full for name in names()]
    assert len(full) == len(set(full))
