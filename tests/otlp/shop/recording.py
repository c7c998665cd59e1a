from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from signal_inspector import capture

HEADER = "Dispatches"


def tell_records(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: the records of a request's dispatches stand in a header of its answer."""

    def answer(request: HttpRequest) -> HttpResponse:
        with capture() as dispatches:
            response = get_response(request)
        response[HEADER] = json.dumps(
            [{"id": str(each.id), "signal": each.signal} for each in dispatches]
        )
        return response

    return answer
