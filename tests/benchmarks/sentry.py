"""sentry-sdk's instrumentation of signals, as it is when a request is traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.dispatch import Signal

from tests.benchmarks.contest import SENTRY, SIGNALS, bare_send
from tests.benchmarks.measure import FIRST, SENDS, Contestant, turn


def version() -> str | None:
    """The version of sentry-sdk; None where it is not installed."""
    try:
        from sentry_sdk.consts import VERSION
    except ImportError:
        return None
    return VERSION


class Sentry:
    """Holds the patch that the SDK puts on Signal, and puts it there for its own turns alone."""

    def __init__(self) -> None:
        import sentry_sdk
        from sentry_sdk.integrations.django import DjangoIntegration
        from sentry_sdk.transport import Transport

        class Nowhere(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                """Send nothing: the requests that are measured have no time for it either."""

        self._bare = Signal.__dict__["_live_receivers"]
        self._sdk = sentry_sdk
        sentry_sdk.init(
            dsn="https://key@sentry.invalid/1",
            transport=Nowhere,
            traces_sample_rate=1.0,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[DjangoIntegration(signals_spans=True)],
            _experiments={"max_spans": (FIRST + SENDS) * max(SIGNALS) + 1},
        )
        self._patched = Signal.__dict__["_live_receivers"]
        assert self._patched is not self._bare
        self._put(self._bare)

    def contestant(self, receivers: int) -> Contestant:
        """Bare Django's send, on receivers that the SDK has wrapped."""

        @contextmanager
        def transaction() -> Iterator[None]:
            with self._sdk.start_transaction(op="http.server", name="request") as transaction:
                yield
                made = [
                    span for span in transaction._span_recorder.spans if span is not transaction
                ]
                assert len(made) == (FIRST + SENDS) * receivers

        return Contestant(
            SENTRY,
            turn(bare_send(), SIGNALS[receivers], transaction),
            prepare=self._patching,
            apart=True,
        )

    @contextmanager
    def _patching(self) -> Iterator[None]:
        self._put(self._patched)
        try:
            yield
        finally:
            self._put(self._bare)

    def _put(self, live_receivers: Any) -> None:
        Signal._live_receivers = live_receivers  # type: ignore[method-assign]
