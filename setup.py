"""For installers that know no setup.cfg by itself: pip before 19 (Python 3.6) and pybuild. All else is in setup.cfg."""

from setuptools import setup

setup()
