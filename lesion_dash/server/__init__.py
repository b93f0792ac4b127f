"""The web server of the dashboard: Voila's set-up, access, kernels."""

import sys

# Jupyter checks its events with jsonschema, which imports this, where it is there, to know an IRI;
# no schema of Jupyter has one. The import takes four seconds, at each start of the server:
# https://github.com/python-jsonschema/jsonschema/issues/1428. None makes it an ImportError.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
