"""Signals that the audit sends. They are not inspected: their dispatches are not recorded."""

from __future__ import annotations

from django.dispatch import Signal

#: Sent when dispatches are found to be missing in the log, and again when the gap is over.
#:
#: ``sender`` is ``signal_inspector.audit.delivery.gaps.Loss``, and ``loss`` is an instance of it,
#: with ``reason``, ``missing`` (so far), ``is_upper_bound``, ``from_at``, ``to_at``, ``detail``
#: and ``is_over``.
#: It is sent by ``send_robust`` when the log is written, in the thread that writes it. A receiver
#: should be quick: the log waits for it.
audit_lost = Signal()
