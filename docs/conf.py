"""Sphinx: how the documentation is built (`python -m sphinx -W docs site`)."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

# Kernels of pages start with `startup.py`, in a profile that is theirs alone.
os.environ["IPYTHONDIR"] = tempfile.mkdtemp()
STARTUP = Path(os.environ["IPYTHONDIR"], "profile_default", "startup")
STARTUP.mkdir(parents=True)
shutil.copy(HERE / "startup.py", STARTUP)

import ebmlab  # noqa: E402

project = "ebmlab"
author = "The ebmlab authors"
copyright = "the ebmlab authors, MIT licence"
version = release = ebmlab.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "pages.extension",
]
exclude_patterns = ["jupyter_execute", "README.md"]
default_role = "literal"
nitpicky = False

# Formulas are written in their own letters: no page asks the network for anything.
myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3
myst_substitutions = {"version": release}

# Python blocks of these pages run as they are built; an error stops the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_excludepatterns = ["tutorials/*"]  # `pages.tutorials` has run them
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Terms", "params_style")]

html_theme = "furo"
html_title = "ebmlab"
html_static_path = ["_static"]
html_css_files = ["ebmlab.css"]
html_extra_path = ["../ebmlab/cli/explorer.html"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#3b4cc0", "color-brand-content": "#3b4cc0"},
    "dark_css_variables": {"color-brand-primary": "#9fb4ff", "color-brand-content": "#9fb4ff"},
    "navigation_with_keys": True,
}
