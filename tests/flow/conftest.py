"""The world of these tests."""

from tests.flow.world import kreis
from tests.world import data_dir, deployment, migrated

__all__ = ["data_dir", "deployment", "kreis", "migrated"]
