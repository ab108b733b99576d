"""The world of these tests."""

from tests.flow.world import kreis
from tests.world import clock, data_dir, deployment, migrated

__all__ = ["clock", "data_dir", "deployment", "kreis", "migrated"]
