"""What every test needs before it is imported."""

import pytest

pytest.register_assert_rewrite("tests.contracts", "tests.faults", "tests.support")
