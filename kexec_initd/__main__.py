"""`python3 -m kexec_initd` is the command `kexec-initd`."""

import sys

from kexec_initd.cli import main

if __name__ == "__main__":
    sys.exit(main())
