"""What to click in the demo, and what is to be seen then: the page /guide/ is made of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from guide.demo_data import COUPON
from payments.gateway import DEMO_CARDS
from shop.models import Order

WORD = "CUSTOM SIGNALS"  # eleven kinds of flags
DECLINED_CARD = DEMO_CARDS[1].number
AUDIT_PAGES = {
    "overview": ("admin:app_list", {"app_label": "signal_audit"}),
    "connected": ("admin:signal_audit_auditeddispatch_catalog", {}),
    "auditor": ("admin:signal_audit_auditeddispatch_changelist", {}),
}


def manage() -> str:
    """How manage.py is called in a terminal that stands where `make demo` was called."""
    root, python = settings.BASE_DIR.parent, Path(sys.executable)
    below = python.relative_to(root) if python.is_relative_to(root) else "python"
    return f"{below} {settings.BASE_DIR.name}/manage.py"


MANAGE = manage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    click: str
    shows: str
    command: str = ""  # to be typed in a second terminal
    button: str = ""  # empty: nothing to prepare, it goes on from the step before
    key: str = ""  # names the preparation of the button, see prepare()
    username: str = ""  # who is logged in for it


@dataclass(frozen=True, slots=True)
class Chapter:
    title: str
    steps: list[Step]
    is_traced: bool = False  # whether it needs OpenTelemetry


CHAPTERS = [
    Chapter(
        "One order, read closely",
        [
            Step(
                key="order",
                username="grace",
                button="Go to the checkout as Grace",
                click="Press “Place order”, and open the panel on the page that thanks you.",
                shows="This page sent nothing, as it comes after a redirect; the panel names "
                "POST /checkout/ with its 16 dispatches, and one click opens them.",
            ),
            Step(
                click="Look at order_placed.",
                shows="award_points failed, as Grace has no loyalty account: send_robust "
                "swallowed it, and here is its traceback. Two receivers were not called: one "
                "listens to another sender, the other was a method of an object that is gone.",
            ),
            Step(
                click="Open sync_warehouse in it.",
                shows="It kept the order's transaction open for 150 ms. It sent two signals on: "
                "stock_low, whose only receiver listens to another sender, and "
                "warehouse_synced, where refresh_bestsellers ran one statement 28 times.",
            ),
            Step(
                click="Look at payment_captured.",
                shows="An orphan: no receiver is connected at all. Its card_token is redacted.",
            ),
            Step(
                click="Look at order_completed.",
                shows="send_thank_you_email is connected twice (the mailbox has two of them), "
                "and two async receivers overlap in the timeline.",
            ),
            Step(
                click="Change the view to “By receiver”.",
                shows="take_from_shelf ran eleven times, once for every line of the order.",
            ),
            Step(
                click="Watch from a second terminal, and place an order.",
                command=f"{MANAGE} signals watch",
                shows="Each dispatch when it has ended, with its receivers, and below a receiver "
                "what that one sent: the terminal hears the server itself, by a local socket.",
            ),
        ],
    ),
    Chapter(
        "When it goes wrong",
        [
            Step(
                key="declined",
                username="grace",
                button="Checkout with a declined card",
                click="Press “Place order”.",
                shows="Every dispatch of the order says “rolled back”; payment_failed came after "
                "the rollback, so the customer was told, and the dashboard has an entry.",
            ),
            Step(
                key="coupon",
                username="grace",
                button="Checkout with a used coupon",
                click="Press “Place order”.",
                shows="check_velocity raised CouponAbuse under send: count_redemption and "
                "confirm_coupon never ran, and what mark_used wrote was rolled back.",
            ),
        ],
    ),
    Chapter(
        "Async",
        [
            Step(
                key="track",
                username="grace",
                button="Track Grace's last order",
                click="Open the panel: the view is async and sends with asend.",
                shows="count_tracking is a plain function and took a thread; ask_courier and "
                "forecast_arrival waited at the same time.",
            ),
            Step(
                click="Press “Ask again” there, then open History.",
                shows="The request made by the script has dispatches of its own.",
            ),
        ],
    ),
    Chapter(
        "In the audit",
        [
            Step(
                key="audit",
                username="admin",
                button="Order as the admin",
                click="Press “Place order”. Then press “Audit” at the top of the shop, and there "
                "“Dispatches”.",
                shows="What the order sent, in the admin and in the database: when, in which "
                "request, by whom, and how it ended. It is there next year, too.",
            ),
            Step(
                click="Open the dispatch of order_placed.",
                shows="Its receivers on a time axis, and award_points with its exception: "
                "send_robust swallowed that. Below it the arguments, and links to what belongs "
                "to it: the request, the transaction, the trace.",
            ),
            Step(
                click="Search the list for your order, as in shop.Order:42.",
                shows="Every dispatch that carried the order, whoever sent it.",
            ),
            Step(
                key="audit-declined",
                username="admin",
                button="Decline a payment",
                click="Press “Place order”, then look into the list again.",
                shows="The database was rolled back and knows of no order. The audit knows: its "
                "dispatches are marked “rolled back”, and payment_failed came after them.",
            ),
            Step(
                key="mend",
                username="admin",
                button="Mend what failed",
                click="Choose the user admin and save. Then, in the audit, open the order_placed "
                "in which award_points failed, and run that receiver again.",
                shows="What a retry depends on, a page to confirm it, and the attempt with your "
                "reason. Only award_points ran: the loyalty account has the points now.",
            ),
            Step(
                key="overview",
                username="joan",
                button="See the overview as Joan",
                click="Read it, then open “Dispatches” and export some.",
                shows="Which receivers fail since when, and what takes how long. Joan audits: "
                "she sees what was sent and may export it, and the export is noted as well.",
            ),
            Step(
                key="connected",
                username="joan",
                button="See who is connected as Joan",
                click="Read “Signals and receivers”: choose a time, and follow a number.",
                shows="Every signal with its receivers in the order they run, what is unusual "
                "about them, and beside it how often they ran, failed, and how long they took. "
                "send_thank_you_email is marked: it is connected twice.",
            ),
            Step(
                key="auditor",
                username="hedy",
                button="See the list as Hedy",
                click="Open any dispatch.",
                shows="Hedy sees what happened and who caused it. Arguments, answers and the "
                "words of exceptions are not for her.",
            ),
            Step(
                click="Follow the log in a second terminal, and place an order.",
                command=f"{MANAGE} signal_audit tail",
                shows="Each dispatch in a line, as soon as it is written.",
            ),
        ],
    ),
    Chapter(
        "In OpenTelemetry",
        [
            Step(
                key="trace",
                username="grace",
                button="Order, and see its trace",
                click="Press “Place order”. In the panel open POST /checkout/, and follow the "
                "number of its trace.",
                shows="The shop's page for that trace: the request, its signals, their receivers, "
                "and under each receiver the statements that it ran. award_points failed, with "
                "its exception.",
            ),
            Step(
                click="Press “Traces” at the top of the shop.",
                shows="The last requests, each with what it sent. A backend of yours gets the "
                "same when OTEL_EXPORTER_OTLP_ENDPOINT names it.",
            ),
        ],
        is_traced=True,
    ),
    Chapter(
        "Before anything is sent",
        [
            Step(
                key="graph",
                button="See the graph",
                click="Choose sync_warehouse, then “Only what is around it”.",
                shows="Who sends which signal and who receives it, in order; which receiver sends "
                "on; that nobody receives payment_captured. The command writes it as a file.",
                command=f"{MANAGE} signals graph --output signals.html",
            ),
            Step(
                click="Ask for an explanation in a second terminal.",
                command=f"{MANAGE} signals explain order_placed",
                shows="Who would be called now, and in which order; who would not, and why: one "
                "listens to another sender, another is gone, as only a weak reference held it.",
            ),
            Step(
                click="Run the checks.",
                command=f"{MANAGE} check",
                shows="The same two mistakes as advice, before they cost anybody an evening: "
                "send_thank_you_email is connected twice, Newsletter.subscribe is gone.",
            ),
            Step(
                click="Take a receiver away, as the one in comments/receivers.py, and compare.",
                command=f"{MANAGE} signals snapshot --check {settings.BASE_DIR.name}/signals.txt",
                shows="What has changed since the snapshot was committed, in words, and an exit "
                "code that stops a build.",
            ),
        ],
    ),
    Chapter(
        "People",
        [
            Step(
                key="register",
                button="Sign up",
                click="Sign up, open the mailbox, follow the link and press “Yes, it is mine”.",
                shows="user_verified: one receiver welcomes the customer by e-mail, another, "
                "of another app, opens a loyalty account.",
            ),
            Step(
                key="comment",
                username="ada",
                button="Find a rude comment",
                click="Report the comment that is an advertisement.",
                shows="Redirected again: the panel names the POST, in which comment_flagged "
                "made notify_moderators write to the moderators.",
            ),
        ],
    ),
    Chapter(
        "Many dispatches",
        [
            Step(
                key="import",
                username="admin",
                button="Import a price list",
                click="Import 500 rows, then 5,000.",
                shows="One row of the panel holds all the dispatches of product_imported, with "
                "the few rows whose price check_price did not accept.",
            ),
            Step(
                click="Import 6,000 rows.",
                shows="The panel keeps 5,000 dispatches of a request, and says how many it has "
                "dropped.",
            ),
            Step(
                key="dashboard",
                username="admin",
                button="Staff dashboard",
                click="Read what payment_failed left here.",
                shows="Nothing: reading sends no signal. The recent requests that did are listed.",
            ),
        ],
    ),
]

STEPS = {step.key: step for chapter in CHAPTERS for step in chapter.steps if step.key}


def destination(request: HttpRequest, key: str) -> str:
    """The address of the page where a step begins."""
    checkout = reverse("shop:checkout")
    if key in ("order", "trace", "audit"):
        return checkout
    if key in ("declined", "audit-declined"):
        return f"{checkout}?{urlencode({'card': DECLINED_CARD})}"
    if key == "coupon":
        return f"{checkout}?{urlencode({'coupon': COUPON})}"
    if key == "track":
        return reverse("shipping:track", args=[Order.objects.filter(user=request.user)[0].pk])
    if key == "comment":
        return reverse("shop:product", args=["quebec"]) + "#comments"
    if key in AUDIT_PAGES:
        return audit_page(key)
    names = {
        "graph": "guide:graph",
        "register": "accounts:register",
        "import": "pricing:import",
        "dashboard": "staff:dashboard",
        "mend": "admin:loyalty_loyaltyaccount_add",
    }
    return reverse(names[key])


def audit_page(key: str) -> str:
    """A page of the audit; the admin's first page in a shop without it."""
    name, kwargs = AUDIT_PAGES[key]
    try:
        return reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        return reverse("admin:index")
