"""Signals that the audit sends. They are outside the inspection: nothing of them is recorded."""

from __future__ import annotations

from django.dispatch import Signal

#: Sent when dispatches are found to be missing in the log, and again when no more are.
#:
#: ``sender`` is ``signal_inspector.audit.delivery.gaps.Loss``, ``loss`` one of these: its
#: ``reason``, ``missing`` (so far), ``is_upper_bound``, ``from_at``, ``to_at``, ``detail`` and
#: ``is_over``.
#: It is sent by ``send_robust``, from whichever thread writes the log, never from the code that
#: sent what is missing. A receiver should be quick: the log waits for it.
audit_lost = Signal()
