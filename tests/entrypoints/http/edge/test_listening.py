"""Where a server may listen."""

from __future__ import annotations

import pytest

from tarkeep.entrypoints.http.edge.listening import why_not_listen


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("has_tls", [True, False])
@pytest.mark.parametrize("behind_proxy", [True, False])
def test_beyond_loopback_tokens_and_tls_are_needed(is_open: bool, has_tls: bool, behind_proxy: bool) -> None:
    """Both of them, or tokens and the word that a proxy does TLS; a refusal names both ways out."""
    rest = {"is_open": is_open, "has_tls": has_tls, "behind_proxy": behind_proxy}

    assert why_not_listen(is_loopback=True, **rest) is None
    reason = why_not_listen(is_loopback=False, **rest)
    assert (reason is None) is (not is_open and (has_tls or behind_proxy))
    if reason is not None:
        for way in ("--tls-certificate", "--behind-proxy", "--host 127.0.0.1"):
            assert way in reason
