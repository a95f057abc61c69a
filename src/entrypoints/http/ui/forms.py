"""
Forms that change something: the one way in which pages do.

A form is sent by POST to an address below that of its page, by a page of the same session (`check_form_token`). There
are two kinds:

- What can be undone, or costs nothing but time, is done in the name of the session. The route declares the scope that
  the route of the API needs, and the guard has judged it; the handler gives no *proof*.
- What removes, releases, approves or revokes asks for a token in the form, so that nobody does it at a browser that was
  left open. The route declares what its page needs; *proof* is what the token must have. That token is judged once,
  like one in a header, and kept nowhere. What is done is done in its name, in the audit log too.

Afterwards the browser is sent to the page, which says what was done (`Done`). If it was not done, the page is shown
again with the reason and with what was typed, but for the token (`Attempt`), to whoever may see that page. Without
tokens a server changes nothing by its pages: they show the commands. A handler is short::

    async def hold(request: Request) -> Response:
        def work(asked: SentForm) -> str: ...  # call the use case; where to go: Done.HELD.at(page)

        return await carry_out(request, show_archive, work)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ....domain.access.tokens import Principal
from ....domain.errors.access import ScopeMissing
from ....domain.errors.archives import ProfileNotFound
from ....domain.tarkeep_error import TarkeepError
from ..answers.problems import Problem, problem_of
from ..context import Context
from ..edge.access import Access
from ..edge.guard import PRINCIPAL, judge_principal, principal_of, refuse_foreign_origin
from .above import page_above
from .coming_in import FORM_TOKEN, check_form_token, read_form
from .done import Attempt, note_attempt

PROOF = "token"
"""The field of a form with the token that proves who sends it."""


@frozen
class SentForm:
    """What a form asks for: its *fields*, none of them a token, and the *principal* in whose name it is done."""

    fields: Mapping[str, str]
    principal: Principal


async def carry_out(
    request: Request,
    page: Callable[[Request], Awaitable[Response]],
    work: Callable[[SentForm], str],
    *,
    proof: Access | None = None,
) -> Response:
    """
    Carry out what the form in *request* asks for by *work*, in a thread, and go to the address that it returns.

    Whatever *work* raises for a person to read, a `TarkeepError` or a `Problem`, is shown by *page*, the handler of the
    page with the form, for the same path parameters; so is that the form came from a page of an earlier session. With a
    *proof* the form must have a token that has its scopes and sees its profile.

    Raises:
        Problem: the server is open, or no page of this server sent the form; or the session may not see the page that
            would say what else was wrong.
    """
    session = principal_of(request)
    if session.token is None:
        detail = "this server has no tokens, so its pages change nothing; the command on the page does the same"
        raise Problem(403, "insufficient-scope", detail)
    refuse_foreign_origin(request)
    form = await read_form(request)
    fields = {name: value for name, value in form.items() if name not in (FORM_TOKEN, PROOF)}
    context = Context.of(request)
    try:
        check_form_token(request, form)
        if proof is not None:
            request.scope[PRINCIPAL] = await _proven(request, form.get(PROOF, "").strip(), proof)
        asked = SentForm(fields, principal_of(request))
        return RedirectResponse(await context.run_waiting(lambda: work(asked)), 303)
    except TarkeepError as error:
        problem = problem_of(error)
    except Problem as error:
        problem = error
    request.scope[PRINCIPAL] = session
    if not page_above(request).is_open_to(session):
        raise problem
    note_attempt(request, Attempt(request.url.path, fields, problem.detail))
    answer = await page(request)
    answer.status_code = problem.status
    answer.headers.update(problem.headers)
    return answer


async def _proven(request: Request, text: str, proof: Access) -> Principal:
    """The principal of the token *text*, if it has what *proof* asks for."""
    context, address = Context.of(request), request.client.host if request.client else ""
    if not text:
        raise Problem(403, "insufficient-scope", "this needs a token in the form, and there was none")
    decision = await context.run(lambda: context.tarkeep.authenticate(text, address))
    if decision.principal is None:
        context.failures.count(address)
        detail = f"the token in the form was not accepted: {decision.verdict.value}"
        raise Problem(403, "insufficient-scope", detail)
    try:
        judge_principal(proof, decision.principal, request.path_params)
    except ScopeMissing as error:
        raise Problem(403, "insufficient-scope", f"the token in the form is not enough: {error}") from None
    except ProfileNotFound as error:
        detail = f"the token in the form is not for the profile {error.profile}"
        raise Problem(403, "insufficient-scope", detail) from None
    return decision.principal
