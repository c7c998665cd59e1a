"""Under uvicorn: concurrent async requests, and what has to be set up for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tracing.processes import (
    SHIPPED,
    Span,
    ask,
    environment,
    roots,
    serving,
    spans_in,
)

pytestmark = pytest.mark.programs

TOKENS = [str(number) for number in range(40)]


def spans_of(
    tmp_path: Path, *options: str, application: str = "application", **env: str
) -> list[Span]:
    """Serve all the tokens at once; the spans that arrived."""
    arguments = ["-m", "uvicorn", "--fd", "{fd}", *options]
    arguments.append(f"tests.tracing.project.asgi:{application}")
    with serving(arguments, environment(tmp_path, **env)) as url:
        ask(f"{url}/ship/{token}" for token in TOKENS)
    return spans_in(tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_dispatch_arrives_once_below_its_own_request(workers: str, tmp_path: Path) -> None:
    """Requests that share one event loop keep their sync and async receivers to themselves."""
    spans = spans_of(tmp_path, "--workers", workers, HAS_ASGI_EXTRA="yes")

    requests = roots(spans)
    assert sorted(request.attributes["url.path"] for request in requests) == sorted(
        f"/ship/{token}" for token in TOKENS
    )
    for request in requests:
        assert request.outline() == ("GET ship/<token>", (SHIPPED,))
        assert request.tokens() == {request.attributes["url.path"].removeprefix("/ship/")}


def test_without_the_asgi_extra_each_dispatch_is_a_trace_of_its_own(tmp_path: Path) -> None:
    """Contrib's Django instrumentation has no request span on ASGI without its asgi extra."""
    spans = spans_of(tmp_path)

    assert [root.outline() for root in roots(spans)] == [SHIPPED] * len(TOKENS)


def test_without_a_flush_at_shutdown_spans_are_lost(tmp_path: Path) -> None:
    """uvicorn ends itself by the signal it was sent, so no flush at exit ever runs."""
    spans = spans_of(tmp_path, application="django_application", HAS_ASGI_EXTRA="yes")

    assert spans == []
