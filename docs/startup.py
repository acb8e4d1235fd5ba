"""What every page's kernel starts with: errors are shown as they are told, without a traceback.

The traceback would hold paths of the machine that built the pages, and hide the message.
"""

import textwrap
from typing import Any

from IPython.core.getipython import get_ipython

WIDTH = 86


def told(shell: Any, kind: type, error: Exception, trace: Any, tb_offset: Any = None) -> list[str]:
    """The name of an error and its message, in lines that fit a page."""
    message = f"{kind.__name__}: {error}".splitlines()
    lines = [part for line in message for part in textwrap.wrap(line, WIDTH) or [""]]
    shell._showtraceback(kind, error, lines)
    return lines


shell = get_ipython()
assert shell is not None
shell.set_custom_exc((Exception,), told)
