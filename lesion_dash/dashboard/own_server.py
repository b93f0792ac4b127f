"""Whether the page is shown by a server of ours, and whether another one may show it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from ..core.defaults import LOOPBACK
from ..core.errors import InputError
from .environment import OWN_SERVER

OWN_NAMES = ("localhost", LOOPBACK, "::1")
"""What a browser at this computer calls it."""


def host_name(host: str) -> str:
    """The name in a Host header or an origin, without port, in lower case.

    Examples
    --------
    >>> host_name("Lab.Example.org.:443")
    'lab.example.org'
    >>> host_name("[::1]:8866")
    '::1'
    """
    name = re.sub(r":\d*$", "", host.strip()) if host.count(":") == 1 or "]" in host else host
    return name.strip("[]").removesuffix(".").lower()


def is_voila(variables: Mapping[str, str] = os.environ) -> bool:
    """Whether this is the kernel of a page of Voila, ours or another.

    Examples
    --------
    >>> is_voila({"LESION_DASH_SERVER": "1"}), is_voila({"VOILA_PREHEAT": "False"})
    (True, True)
    >>> is_voila({"JPY_SESSION_NAME": "app.ipynb"})
    False
    """
    # A kernel that was started before its page was asked for knows nothing of the request.
    of_voila = variables.get("SERVER_SOFTWARE", "").startswith("voila/")
    return OWN_SERVER in variables or of_voila or "VOILA_PREHEAT" in variables


def is_plain_voila(variables: Mapping[str, str] = os.environ) -> bool:
    """Whether this is the kernel of a Voila that `lesion-dash serve` or `demo` did not start.

    In JupyterLab it is not: there the person at the computer can run any code anyway, and Jupyter
    itself asks for a token and looks at the Host.

    Examples
    --------
    >>> is_plain_voila({"SERVER_SOFTWARE": "voila/0.5.13", "SERVER_NAME": "localhost"})
    True
    >>> is_plain_voila({"VOILA_PREHEAT": "True", "LESION_DASH_SERVER": "1"})
    False
    """
    return is_voila(variables) and OWN_SERVER not in variables


def check_host(variables: Mapping[str, str] = os.environ) -> None:
    """Refuse the page of a Voila started by hand to any name but this computer's.

    Such a Voila answers to every Host, so a page of another site could have its own name point
    here (DNS rebinding) and read what is shown.

    Raises
    ------
    InputError
        Where the page was asked for by another name, or nobody knows by which.

    Examples
    --------
    >>> check_host({"SERVER_SOFTWARE": "voila/0.5.13", "SERVER_NAME": "127.0.0.1"})
    >>> check_host({"SERVER_SOFTWARE": "voila/0.5.13", "SERVER_NAME": "evil.example"})
    Traceback (most recent call last):
    lesion_dash.core.errors.InputError: this page: was asked for by a name that is not this
    computer's; open it at localhost or 127.0.0.1, or start it with:
    lesion-dash serve --hostname NAME
    """
    if not is_plain_voila(variables):
        return
    name = variables.get("SERVER_NAME")
    if name is None:
        problem = "has a kernel that was started before anybody asked for it"
        remedy = "start Voila without --preheat_kernel, or use: lesion-dash serve"
    elif host_name(name) not in OWN_NAMES:
        problem = "was asked for by a name that is not this computer's"
        remedy = (
            "open it at localhost or 127.0.0.1, or start it with: lesion-dash serve --hostname NAME"
        )
    else:
        return
    raise InputError("this page", problem, remedy)
