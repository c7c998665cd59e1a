"""Who an actor is, in words: ``auth.User:7``, read without running a query or the user's code."""

from __future__ import annotations

from typing import Any, Final, cast
from uuid import UUID

from django.db.models import Model
from django.db.models.options import Options
from django.utils.functional import LazyObject

from signal_inspector import trouble
from signal_inspector.audit.bookkeeping import ACTOR_LABEL_LENGTH, ACTOR_LENGTH
from signal_inspector.audit.cleaning import clean
from signal_inspector.audit.settings import get_settings
from signal_inspector.conf import get_config
from signal_inspector.gather import redactor
from signal_inspector.payload.secrets_in_text import MARK

_LOOKED_THROUGH: Final = 2_000  # characters of a text that are looked through for secrets


def actor_of(actor: object) -> tuple[str, str]:
    """Key and label of a user or another saved instance, or of a text; ("", "") for nobody.

    The key of a proxy is that of the model itself: both are one person.
    A user who is not logged in is nobody, and so is a lazy one whom nobody has asked for. The
    label is the user's name where ``AUDIT["ACTOR_LABELS"]`` lets it be kept, and no strict mode
    forbids it. That keeps no text either, and of keys numbers and UUIDs. Never raises.
    """
    try:
        # By its class: isinstance() would evaluate a lazy object.
        if issubclass(type(actor), LazyObject):
            actor = vars(actor).get("_wrapped")
        if issubclass(type(actor), str):
            text = str.__str__(cast("str", actor))[:_LOOKED_THROUGH]
            text = clean(redactor(get_config()).redact_text(text), ACTOR_LENGTH)
            return text, text[:ACTOR_LABEL_LENGTH]
        return _of_instance(cast("Model", actor)) if issubclass(type(actor), Model) else ("", "")
    except Exception as error:  # the key may be of any type, and its text is asked for
        trouble.report("naming an actor", error)
        return "", ""


def _of_instance(actor: Model) -> tuple[str, str]:
    cls: Any = type(actor)
    options: Options[Any] = cls._meta
    held: dict[str, Any] = vars(actor)
    parts = [held.get(field.attname) for field in options.pk_fields]
    if not parts or any(part is None for part in parts):
        return "", ""
    strict = get_config().strict
    texts = [MARK if strict and type(part) not in (int, UUID) else str(part) for part in parts]
    key = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
    label = held.get(getattr(cls, "USERNAME_FIELD", ""))
    keeps_labels = get_settings().actor_labels and not strict
    if not isinstance(label, str) or not keeps_labels:
        label = ""
    model = options.concrete_model or cls
    key = f"{model._meta.label}:{key}"
    return clean(key, ACTOR_LENGTH), clean(label, ACTOR_LABEL_LENGTH)
