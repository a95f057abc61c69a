"""The addresses a server may listen on: beyond this machine only with tokens, and these never in the clear."""

from __future__ import annotations


def why_not_listen(*, is_loopback: bool, is_open: bool, has_tls: bool, behind_proxy: bool) -> str | None:
    """Why a server must not listen on an address, with what to do about it; None if it may."""
    if is_loopback:
        return None
    if is_open:
        return (
            "listening beyond this machine requires a token, and none exists: either make one "
            "(tarkeep token create) and give --tls-certificate and --tls-key, or --behind-proxy if a proxy does "
            "TLS; or listen on a loopback address (--host 127.0.0.1)"
        )
    if not has_tls and not behind_proxy:
        return (
            "tokens would cross the network in the clear: either give --tls-certificate and --tls-key (tarkeep tls "
            "self-signed makes them), or --behind-proxy if a proxy does TLS; or listen on a loopback address "
            "(--host 127.0.0.1)"
        )
    return None
