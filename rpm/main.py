"""What the command of the .rpm runs: the program and the modules that it needs, all from the package's own directory.

They come first on the path, so that neither another jinja2 of the host nor a version of it that fits another Python
is taken. Isolated (-I), Python has neither the directory of this file nor the current one on its path.
"""

import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "bundled")]

from kexec_initd.cli import main  # noqa: E402  # only found through the lines above

if __name__ == "__main__":
    sys.exit(main())
