"""Whether trying again can help is known by the error: answers tell it by Retry-After, and the client believes that."""

from __future__ import annotations

import pytest

from tarkeep.adapters.http.chains import HttpChains
from tarkeep.domain.errors.access import EvidenceNotWritten
from tarkeep.domain.errors.archives import ClaimLost, ReceiveInProgress
from tarkeep.domain.errors.capacity import BackendUnavailable, CatalogBusy, CatalogDamaged, ReadOnly, TurnLost
from tarkeep.domain.errors.content import UploadInterrupted
from tarkeep.domain.errors.uploads import OffsetMismatch, TooManyUploads, UploadLocked
from tarkeep.domain.tarkeep_error import TarkeepError
from tarkeep.entrypoints.http.answers.problems import Problem, problem_of, problem_response
from tests.support.errors import every_error, sample
from tests.support.remotes import remote_at
from tests.support.stub_server import Answer, stub_server

PASSING = {
    BackendUnavailable,
    CatalogDamaged,
    CatalogBusy,
    ClaimLost,
    EvidenceNotWritten,
    ReadOnly,
    ReceiveInProgress,
    TooManyUploads,
    TurnLost,
    UploadInterrupted,
    UploadLocked,
}


def answered() -> list[type[TarkeepError]]:
    """The errors that a client can be answered with; of others it learns that the server failed."""
    return [kind for kind in every_error() if problem_of(sample(kind)).code != "internal-error"]


def test_those_with_retry_after_are_those_that_may_pass() -> None:
    """No list of statuses beside them."""
    problems = {kind: problem_of(sample(kind)) for kind in answered()}

    assert {kind for kind, problem in problems.items() if "Retry-After" in problem.headers} == PASSING
    assert {kind for kind in problems if kind.is_transient} == PASSING


@pytest.mark.parametrize("kind", answered(), ids=lambda kind: kind.__name__)
def test_the_client_tries_again_what_the_server_says_may_pass(kind: type[TarkeepError]) -> None:
    """
    And nothing else; but where an upload stands elsewhere, its next try is another one, which first asks where.
    """
    with (
        stub_server(_answer(problem_of(sample(kind)))) as stub,
        remote_at(stub.url) as remote,
        pytest.raises(TarkeepError) as met,
    ):
        HttpChains(remote.connection).points("laptop")

    assert met.value.is_transient is (kind.is_transient or kind is OffsetMismatch)


def _answer(problem: Problem) -> Answer:
    response = problem_response(problem, "some-id")
    headers = {name: value for name, value in problem.headers.items() if name == "Retry-After"}
    return Answer(response.status_code, bytes(response.body), {"Content-Type": "application/problem+json", **headers})
