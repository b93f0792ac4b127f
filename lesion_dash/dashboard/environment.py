"""The variables a kernel gets: what it needs to run, and nothing else of the server's."""

from __future__ import annotations

from collections.abc import Mapping

ROOT_VARIABLE = "LESION_DASH_DATA_ROOT"
RESULTS_VARIABLE = "LESION_DASH_RESULTS"
ATLAS_VARIABLE = "LESION_DASH_ATLAS"
"""The atlas that a page begins with, by its name in the list."""
MEMORY_VARIABLE = "LESION_DASH_KERNEL_MEMORY"
"""Bytes that a kernel may take."""
OWN_SERVER = "LESION_DASH_SERVER"
"""Set by `lesion-dash serve` and `demo`, by which a kernel knows that one of them started it."""
READABLE_VARIABLE = "LESION_DASH_READABLE"
"""Folders, as in PATH, that kernels read beside the data root: software in unusual places."""

_KEPT = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP",
    # Windows
    "APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "NUMBER_OF_PROCESSORS", "OS",
    "PATHEXT", "PROGRAMDATA", "SYSTEMDRIVE", "SYSTEMROOT", "USERNAME", "USERPROFILE", "WINDIR",
    # Python and its environments
    "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHASHSEED",
    "PYTHONPATH", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "VIRTUAL_ENV",
    "IPYTHONDIR", "JUPYTER_PATH", "JUPYTER_PREFER_ENV_PATH", "MPLBACKEND", "MPLCONFIGDIR",
    # Threads
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    # Programs and data of the field
    "ANTSPATH", "FSLDIR", "FSLOUTPUTTYPE", "NILEARN_DATA", "NILEARN_SHARED_DATA",
    "TEMPLATEFLOW_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    # What Voila's own code in a kernel looks for; not the visitor's address or headers
    "VOILA_PREHEAT", "VOILA_BASE_URL", "VOILA_SERVER_URL", "VOILA_APP_PORT",
})  # fmt: skip
_KEPT_BEGINNINGS = ("LC_", "XDG_", "LESION_DASH_", "DASK_DISTRIBUTED__")


def kernel_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The part of the server's variables that a kernel is started with.

    Keys of a cloud, passwords of a database or a proxy, and what a visitor's request said stay
    behind: a kernel never needs them, and whatever it shows it could show of them.

    Parameters
    ----------
    variables : mapping of str to str

    Examples
    --------
    >>> kernel_environment({"LANG": "en_GB.UTF-8", "AWS_SECRET_ACCESS_KEY": "k", "LC_ALL": "C"})
    {'LANG': 'en_GB.UTF-8', 'LC_ALL': 'C'}
    """
    return {
        name: value
        for name, value in variables.items()
        if name.upper() in _KEPT or name.upper().startswith(_KEPT_BEGINNINGS)
    }
