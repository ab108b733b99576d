"""The world of these tests."""

from tests.broker.subjects.world import acting, app, events, gateway

__all__ = ["acting", "app", "events", "gateway"]
