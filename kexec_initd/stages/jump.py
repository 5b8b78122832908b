"""`python3 -I -S .../stages/jump.py` takes the last step: neither `site`, with all that it reads, nor `runpy` is imported for it.

Without `site` the directory of the package is not on the path; it comes behind the standard library, of which nothing that
is installed there can take the place.
"""

import sys

sys.path.append(__file__.rpartition("/kexec_initd/")[0])

from kexec_initd.stages.last_step import start  # only found through the line above

if __name__ == "__main__":
    sys.exit(start())
