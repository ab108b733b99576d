"""Tests of adapters/, in the same tree."""

import pytest

pytest.register_assert_rewrite("tests.adapters.contract")
