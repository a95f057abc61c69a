"""
What the use cases need from the outside world, and what they may rely on: one page for each port.

Each port is a `typing.Protocol`: an adapter implements it by having its methods, not by inheriting. The promises are
written there; the contract test of the same name under ``tests/contracts`` proves them for every adapter. All ports are
synchronous and, unless said otherwise, safe to call from several threads at once.

Errors are those of `domain.errors`; besides the ones named at a method, every method of a store or catalog may raise
`BackendUnavailable`, and every writing one `InsufficientStorage` or `ReadOnly`.
"""
