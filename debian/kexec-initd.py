#!/usr/bin/python3 -I
"""The command kexec-initd of the Debian package.

Isolated (-I): neither PYTHONPATH and its like nor the current directory nor root's own site directory has a say in
which code root runs.
"""

import sys

from kexec_initd.cli import main

if __name__ == "__main__":
    sys.exit(main())
