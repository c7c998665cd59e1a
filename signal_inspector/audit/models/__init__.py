"""The tables of the audit log, and the numbers that stand for words in them."""

from __future__ import annotations

from signal_inspector.audit.models.choices import (
    ENDINGS,
    METHODS,
    UNSEEN,
    Ending,
    GapReason,
    Method,
    NameKind,
    OperationKind,
    Origin,
    RetryOutcome,
    TransactionOutcome,
    Unseen,
)
from signal_inspector.audit.models.dispatches import (
    OBJECT_KEY_LENGTH,
    ORIGIN_NAME_LENGTH,
    OWN_METHOD_LENGTH,
    REQUEST_ID_LENGTH,
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    Name,
    PartialIndex,
)
from signal_inspector.audit.models.log import (
    ACTOR_LABEL_LENGTH,
    ACTOR_LENGTH,
    Gap,
    Operation,
    Retry,
    Tally,
    Writer,
)

__all__ = [
    "ACTOR_LABEL_LENGTH",
    "ACTOR_LENGTH",
    "ENDINGS",
    "METHODS",
    "OBJECT_KEY_LENGTH",
    "ORIGIN_NAME_LENGTH",
    "OWN_METHOD_LENGTH",
    "REQUEST_ID_LENGTH",
    "UNSEEN",
    "AuditedCall",
    "AuditedDispatch",
    "AuditedObject",
    "Ending",
    "Gap",
    "GapReason",
    "Method",
    "Name",
    "NameKind",
    "Operation",
    "OperationKind",
    "Origin",
    "PartialIndex",
    "Retry",
    "RetryOutcome",
    "Tally",
    "TransactionOutcome",
    "Unseen",
    "Writer",
]
