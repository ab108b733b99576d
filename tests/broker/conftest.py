"""The world of these tests."""

from tests.flow.world import kreis
from tests.world import clock, data_dir, migrated

__all__ = ["clock", "data_dir", "kreis", "migrated"]
