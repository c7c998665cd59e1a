"""The search box: what a text is taken for."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.auth.models import User

from tests.audit.admin.conftest import Visit
from tests.audit.admin.logged import call, dispatched, order_42
from tests.audit.admin.test_changelist import shown

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.audit.admin.urls")]


@pytest.mark.parametrize(
    ("text", "words", "number"),
    [
        ("shop.Order:42", "an object among the arguments", 1),
        ("  auth.user:7 ", "an object among the arguments", 1),
        ("shop.signals.order_placed", "a signal", 1),
        ("order_placed", "a signal", 1),
        ("loyalty.receivers.award_points", "a receiver", 1),
        ("award_points", "a receiver", 1),
        ("loyalty.models.LoyaltyAccount.DoesNotExist", "an exception", 1),
        ("LoyaltyAccount.DoesNotExist", "an exception", 1),
        ("nightly import", "an actor", 1),
        ("req-8f3c1b2e", "the id of a request", 3),
        ("7c1d4e0b9a5f4c7e8f2a61b30d9c5e42", "the id of a trace", 3),
        ("7C1D4E0B9A5F4C7E8F2A61B30D9C5E42", "the id of a trace", 3),
        (str(UUID(int=77)), "the id of a transaction", 3),
        ("shop/views.py:41 Checkout.post", "a line of code", 1),
        ("shop/services.py:131 place_order", "a line of code", 4),
    ],
)
def test_meanings(visit: Visit, text: str, words: str, number: int) -> None:
    """Each kind of text is found, and the page says what it was taken for."""
    order_42()
    line = "shop/views.py:41 Checkout.post"
    dispatched("a.signals.other", actor="nightly import", request_id=None, line=line)
    page = visit(q=text)
    assert f"is read as {words}" in page
    assert len(shown(page)) == number


def test_id(visit: Visit) -> None:
    """The id of a dispatch shows that one alone, with and without hyphens."""
    dispatched()
    dispatch = dispatched()
    for text in (str(dispatch.id), dispatch.id.hex):
        page = visit(q=text)
        assert "is read as the id of a dispatch" in page
        assert shown(page) == [str(dispatch.id)]


def test_object_and_actor(visit: Visit) -> None:
    """What is both an object and an actor is taken for the object, with a link to the other."""
    order_42()
    page = visit(q="auth.User:7")
    assert "is read as an object" in page
    assert "may also be" in page
    assert 'href="?actor=auth.User%3A7"' in page


def test_login(visit: Visit) -> None:
    """The name that a user logs in by finds what that user caused."""
    user = User.objects.create_user("anna.k")
    dispatch = dispatched(actor=f"auth.User:{user.pk}", actor_label="anna.k")
    dispatched(actor="auth.User:0")
    page = visit(q="anna.k")
    assert f"auth.User:{user.pk}" in page
    assert shown(page) == [str(dispatch.id)]


def test_label(visit: Visit) -> None:
    """A user who is gone is found by the label that the log kept, from a link."""
    dispatched(actor="auth.User:99", actor_label="gone")
    page = visit(q="gone")
    assert "has no match for" in page
    assert 'href="?label=gone"' in page
    assert len(shown(visit(label="gone"))) == 1


def test_several(visit: Visit) -> None:
    """Where several names end so, the page asks which one is meant."""
    dispatched("a.signals.saved", call("a.receivers.saved"))
    page = visit(q="saved")
    assert "Several names end in" in page
    assert 'href="?signal=a.signals.saved"' in page
    assert 'href="?receiver=a.receivers.saved"' in page


@pytest.mark.parametrize(
    "text", ["nothing", "%", "_____", "' OR 1=1 --", "x" * 2_000, "\0", "a.b.c.D:1", ":", "🙂"]
)
def test_unknown(visit: Visit, text: str) -> None:
    """What the log does not know shows hints, and no dispatch."""
    order_42()
    page = visit(q=text)
    if text.strip("\0"):
        assert "has no match for" in page
        assert shown(page) == []


def test_search_keeps_filters(visit: Visit) -> None:
    """A search looks within the filters that are set."""
    order_42()
    assert len(shown(visit(q="req-8f3c1b2e", outcome="failed"))) == 1
