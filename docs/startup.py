"""What every page's kernel starts with: errors are shown as they are told, without a traceback.

The traceback would hold paths of the machine that built the pages, and hide the message.
"""

from typing import Any

from IPython.core.getipython import get_ipython


def told(shell: Any, kind: type, error: Exception, trace: Any, tb_offset: Any = None) -> list[str]:
    """The name of an error and its message."""
    lines = f"{kind.__name__}: {error}".splitlines()
    shell._showtraceback(kind, error, lines)
    return lines


shell = get_ipython()
assert shell is not None
shell.set_custom_exc((Exception,), told)
