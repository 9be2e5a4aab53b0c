"""Python imports a module of this name at start: notebook kernels and command lines that a test starts,
with this folder on their PYTHONPATH, are cut off like the test itself.
"""

import no_network  # noqa: F401
