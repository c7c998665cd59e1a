"""What the pages of the audit say of its rows, in words of ``signal_inspector.display``."""

from __future__ import annotations

from django.utils import timezone

from signal_inspector.audit.models import AuditedDispatch, TransactionOutcome
from signal_inspector.audit.models.choices import OUTCOMES, UNSEENS
from signal_inspector.display import outcomes
from signal_inspector.display.outcomes import Ended, OutcomeWords


def zone() -> str:
    """The name of the current time zone."""
    return timezone.get_current_timezone_name()


def dispatch_outcome(dispatch: AuditedDispatch) -> OutcomeWords:
    """How a dispatch ended, as it is told in every room."""
    return outcomes.dispatch_outcome(
        Ended(
            outcome=OUTCOMES[dispatch.outcome],
            method=dispatch.method_name,
            receivers=dispatch.receiver_count,
            failed=dispatch.failed_count,
            skipped=dispatch.skipped_count,
            unseen=None if dispatch.unseen is None else UNSEENS[dispatch.unseen],
        )
    )


def transaction_words(outcome: int) -> OutcomeWords:
    """How the transaction of a dispatch ended."""
    if outcome == TransactionOutcome.COMMITTED:
        return OutcomeWords("ok", "ok", "committed")
    if outcome == TransactionOutcome.ROLLED_BACK:
        return OutcomeWords("warn", "rollback", "rolled back")
    if outcome == TransactionOutcome.NONE:
        return OutcomeWords("none", "", "none")
    return OutcomeWords("none", "", "unknown")


def compared(now: float, before: float, when: str) -> str:
    """ "4 % more than the day before"."""
    if not before:
        return f"none {when}"
    change = now / before - 1
    if abs(change) < 0.01:
        return f"as {when}"
    if now >= 10 * before:
        return f"{now / before:,.0f} times {when}"
    return f"{abs(change) * 100:.0f} % {'more' if change > 0 else 'less'} than {when}"
