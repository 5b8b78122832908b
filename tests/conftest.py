"""How hypothesis tries: without a deadline, since a busy machine is no finding; `brief` where a test runs a second time.

./scripts/test takes `steady` for one Python and `brief` for the others.
"""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.register_profile("brief", settings.get_profile("steady"), max_examples=15)
settings.load_profile("steady")
