"""How hypothesis tries: without a deadline, since a busy machine is no finding; `brief` where a test runs a second time.

How slowly or how largely it generates is no finding about our code either: old versions fail by chance for it.

./scripts/test takes `steady` for one Python and `brief` for the others.
"""

from hypothesis import HealthCheck, settings

GENERATION = [HealthCheck.data_too_large, HealthCheck.too_slow]
settings.register_profile("steady", deadline=None, suppress_health_check=GENERATION)
settings.register_profile("brief", settings.get_profile("steady"), max_examples=15)
settings.load_profile("steady")
