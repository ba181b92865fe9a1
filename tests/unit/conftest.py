"""Hypothesis looks for wrong answers here, not for slow ones: a busy machine may take its time."""

from hypothesis import HealthCheck, settings

settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")
