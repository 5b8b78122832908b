"""For installers that know no setup.cfg by itself: pip before 19 (Python 3.6) and pybuild. All else is in setup.cfg.

But for the files beside the package: a setuptools as old as those fails where setup.cfg has a section for them.
"""

from setuptools import setup

setup(
    data_files=[
        ("share/man/man5", ["docs/kexec-initd.5"]),
        ("share/man/man8", ["docs/kexec-initd.8"]),
        ("share/kexec-initd", ["debian/kexec-initd.default"]),
    ]
)
