"""The world of these tests."""

from tests.flow.world import kreis
from tests.world import data_dir, migrated

__all__ = ["data_dir", "kreis", "migrated"]
