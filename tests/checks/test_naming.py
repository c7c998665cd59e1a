"""Names that do not say what happened."""

from __future__ import annotations

import pytest

from signal_inspector.checks.naming import ORDERS, names, suggestion, what_is_wrong
from tests.checks.worlds import World

#: Of Django, Wagtail, django-allauth, Oscar, Saleor, pretix, Celery, Flask, taggit, and shops.
GOOD = [
    "order_placed",
    "order_completed",
    "user_registered",
    "user_verified",
    "comment_flagged",
    "payment_failed",
    "payment_captured",
    "coupon_redeemed",
    "stock_reserved",
    "stock_low",
    "warehouse_synced",
    "parcel_tracked",
    "product_imported",
    "item_purchased",
    "pre_init",
    "post_init",
    "pre_save",
    "post_save",
    "pre_delete",
    "post_delete",
    "m2m_changed",
    "pre_migrate",
    "post_migrate",
    "class_prepared",
    "request_started",
    "request_finished",
    "got_request_exception",
    "setting_changed",
    "template_rendered",
    "connection_created",
    "user_logged_in",
    "user_logged_out",
    "user_login_failed",
    "page_published",
    "page_unpublished",
    "page_slug_changed",
    "pre_page_move",
    "post_page_move",
    "pre_validate_delete",
    "workflow_submitted",
    "task_approved",
    "copy_for_translation_done",
    "password_set",
    "password_reset",
    "email_confirmation_sent",
    "user_signed_up",
    "pre_social_login",
    "social_account_added",
    "authentication_failed",
    "basket_addition",
    "voucher_addition",
    "start_checkout_begun",
    "review_added",
    "order_status_changed",
    "order_line_status_changed",
    "product_viewed",
    "product_search",
    "user_search",
    "before_task_publish",
    "after_task_publish",
    "task_prerun",
    "task_postrun",
    "task_success",
    "task_failure",
    "task_retry",
    "worker_ready",
    "worker_shutdown",
    "heartbeat_sent",
    "import_done",
    "export_failed",
    "appcontext_pushed",
    "got_first_request",
    "message_flashed",
    "invoice_paid",
    "mail_sent",
    "email_bounced",
    "file_uploaded",
    "upload_finished",
    "report_ready",
    "build_started",
    "build_broken",
    "quota_exceeded",
    "price_dropped",
    "update_available",
    "send_failure",
    "open_ticket_closed",
    "register_global_settings_done",
    "login",
    "logout",
    "OrderPlaced",
    "orderPlaced",
    "order_placed_signal",
    "signal_lost",
    "event_cancelled",
    "test_finished",
    "new_order",
    "order_created2",
    "connection_made",
    "webhook_received",
    "timer_tick",
    "cache_miss",
    "stock_level",
    "order",
    "user",
    "heartbeat",
    "notify",
    "refund",
    "reset",
    "charge_failed",
    "process_failure",
    "update_timeout",
]

BAD = {
    "signal1": None,
    "my_signal": None,
    "signal": None,
    "test_signal": None,
    "custom_signal": None,
    "new_event": None,
    "Event2": None,
    "x": None,
    "place_order": "order_placed",
    "create_user": "user_created",
    "send_email": "email_sent",
    "update_stock_level": "stock_level_updated",
    "notify_admins": "admins_notified",
    "delete_signal": None,
    "do_something": None,
    "process": None,
    "createUser": None,
    "add_new_page": "new_page_added",
    "pay_invoice_signal": "invoice_paid",
    "do_payment": "payment_done",
    "process_payment": "payment_processed",
    "reset_password": "password_reset",
    "set_password": "password_set",
    "run_job": "job_run",
    "start_checkout": "checkout_started",
    "finalize_order": "order_finalized",
    "charge_card": "card_charged",
    "lock_account": "account_locked",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    """Events, prefixes of time, states, nouns, and what cannot be judged."""
    assert what_is_wrong(name) is None


@pytest.mark.parametrize("name", BAD)
def test_bad_names(name: str) -> None:
    """Names that say nothing, and names that give an order, with a better one where it is sure."""
    assert what_is_wrong(name)
    assert suggestion(name) == BAD[name]


@pytest.mark.parametrize("verb", ORDERS)
def test_a_suggestion_is_a_good_name(verb: str) -> None:
    """Whatever is suggested would pass itself."""
    instead = suggestion(f"{verb}_order")
    assert instead is not None
    assert what_is_wrong(instead) is None


def test_is_told_with_file_and_line(world: World) -> None:
    """I026 of public signals; of private ones nothing is said."""
    world.load(
        "from django.dispatch import Signal\nplace_order = Signal()\n_place_order = Signal()\n"
        "order_placed = Signal()\n"
    )
    [found] = world.find(names)
    assert found.subject == "bazaar.signals.place_order"
    assert 'bazaar/signals.py:2) is an order ("place")' in found.message
    assert found.hint == "Rename it to order_placed."
