"""What several journeys need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.npm import installed


@pytest.fixture(scope="session")
def tus_js(pytestconfig: pytest.Config) -> Path:
    """A folder with the scripts of ``tus_js`` and the npm packages they use."""
    assert pytestconfig.cache is not None
    return installed(Path(__file__).parent / "tus_js", pytestconfig.cache.mkdir("tus_js"))
