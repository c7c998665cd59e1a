"""How long the pages of the admin take on a large log, and how quickly it is pruned.

``python -m tests.benchmarks.audit_pages DATABASE`` on what ``tests.benchmarks.audit_data`` has
made there. Each page is asked for six times, as a superuser through Django's test client: the
first time, with what the database has to read from disk, and the median of the others. With
``--plans`` the plan of each query that takes longer than 50 ms is printed. ``--prune`` deletes the
oldest ten days at the end; that cannot be taken back.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

MUST_MS: Final = 150.0
_TIMES: Final = 5
_SLOW: Final = 0.05
_WIDTH: Final = (
    300  # characters shown of a query, and of a line of its plan: lists of ids are long
)
_PRUNED_TO: Final = 355  # days


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.audit_pages", description=__doc__)
    parser.add_argument("database", help="a file for SQLite, or postgresql://…")
    parser.add_argument("--plans", action="store_true", help="print plans of slow queries")
    parser.add_argument("--prune", action="store_true", help="delete the oldest ten days")
    parser.add_argument("--check", action="store_true", help="fail where a page takes too long")
    arguments = parser.parse_args()
    from tests.benchmarks.audit_project import set_up

    set_up(arguments.database, with_admin=True)
    missed = measure_pages(with_plans=arguments.plans)
    if arguments.prune:
        prune()
    return 1 if missed and arguments.check else 0


def pages() -> Iterator[tuple[str, str]]:
    """What is asked for, in words, and its URL."""
    from django.urls import reverse

    from signal_inspector.audit.models import AuditedDispatch, AuditedObject

    changelist = reverse("admin:signal_audit_auditeddispatch_changelist")
    newest = AuditedDispatch.objects.order_by("-id")[0]
    middle = AuditedDispatch.objects.filter(id__lt=_id_before(180)).order_by("-id")[0]
    traced = AuditedDispatch.objects.filter(trace_id__isnull=False).order_by("-id")[0]
    acting = AuditedDispatch.objects.filter(actor__isnull=False).order_by("-id")[0]
    failed = AuditedDispatch.objects.filter(is_failed=1).order_by("-id")[0]
    order = AuditedObject.objects.filter(dispatch_id__lte=middle.id, model__text="shop.Order")
    key = f"shop.Order:{order.order_by('-dispatch_id')[0].object_pk}"
    day = middle.started_at.date().isoformat()
    often, seldom = "shop.signals.order_placed", "legal.signals.erased"
    receiver, rare_receiver = "loyalty.receivers.on_post_save", "fraud.receivers.on_erased"
    selections = {
        "everything": "",
        "a page in the middle of the year": f"before={middle.id}",
        "the page after it": f"after={middle.id}",
        "the oldest page": f"before={_id_before(364.99)}",
        "a common signal": f"signal={often}",
        "a common signal, in the middle": f"signal={often}&before={middle.id}",
        "a rare signal": f"signal={seldom}",
        "a signal that is not there": "signal=gone.signals.x",
        "a common receiver": f"receiver={receiver}",
        "a common receiver, in the middle": f"receiver={receiver}&before={middle.id}",
        "a common receiver, failed": f"receiver={receiver}&outcome=failed",
        "a rare receiver": f"receiver={rare_receiver}",
        "a rare receiver, failed": f"receiver={rare_receiver}&outcome=failed",
        "a common exception": "exception=builtins.ValueError",
        "a rare exception": "exception=builtins.KeyError",
        "a receiver and an exception": f"receiver={receiver}&exception=builtins.KeyError",
        "a rare signal, a common exception": f"signal={seldom}&exception=builtins.ValueError",
        "failed": "outcome=failed",
        "raised": "outcome=raised",
        "swallowed": "outcome=swallowed",
        "skipped (none is)": "outcome=skipped",
        "nobody received it (none is)": "outcome=orphan",
        "rolled back": "transaction=rolled-back",
        "rolled back, a rare signal": f"transaction=rolled-back&signal={seldom}",
        "rolled back, of an actor": f"transaction=rolled-back&actor={acting.actor}",
        "an actor": f"actor={acting.actor}",
        "an actor, failed": f"actor={acting.actor}&outcome=failed",
        "an actor, a common signal": f"actor={acting.actor}&signal={often}",
        "an actor, a rare signal": f"actor={acting.actor}&signal={seldom}",
        "the label of an actor": f"label={acting.actor_label}",
        "a label that is not there": "label=nobody",
        "an object": f"object={key}",
        "a customer of 400 dispatches": "object=crm.Customer:42",
        "a customer, failed": "object=crm.Customer:42&outcome=failed",
        "a request": f"request={middle.request_id}",
        "a trace": f"trace={traced.trace_id}",
        "a method": "method=send_robust",
        "an origin that is not there": "origin=shell",
        "commands": "origin=command",
        "commands, failed, a common signal": f"origin=command&outcome=failed&signal={often}",
        "a day": f"day={day}",
        "a day, a rare signal": f"day={day}&signal={seldom}",
        "a day, failed": f"day={day}&outcome=failed",
        "a day, a receiver, failed": f"day={day}&receiver={receiver}&outcome=failed",
        "search: an object": f"q={key}",
        "search: a signal": f"q={often}",
        "search: a receiver's last name": "q=on_post_save",
        "search: an actor": f"q={acting.actor}",
        "search: a label": f"q={acting.actor_label}",
        "search: a request": f"q={middle.request_id}",
        "search: a trace": f"q={traced.trace_id}",
        "search: nothing in the log": "q=nothing-here",
    }
    for words, query in selections.items():
        yield f"list: {words}", f"{changelist}?{query}"
    details = {"the newest": newest, "one in the middle": middle, "one that failed": failed}
    for words, dispatch in details.items():
        url = reverse("admin:signal_audit_auditeddispatch_change", args=[dispatch.id])
        yield f"detail: {words}", url
    yield from _overview()


def _overview() -> Iterator[tuple[str, str]]:
    from django.urls import reverse

    from signal_inspector.audit.stats.overview import KINDS

    url = reverse("admin:app_list", args=["signal_audit"])
    for kind in KINDS:
        yield f"overview: {kind}", f"{url}?when={kind}"


def _id_before(days: float) -> Any:
    from signal_inspector.audit.lookups import first_id_at

    return first_id_at(datetime.now(UTC) - timedelta(days=days))


def measure_pages(*, with_plans: bool) -> int:
    """Print a line per page; how many take longer than they must not."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    user, _ = User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    print(f"{'page':<48} {'first ms':>9} {'then ms':>8} {'queries':>8} {'kB':>6}")
    missed, slow = 0, []
    for words, url in list(pages()):
        taken = []
        for number in range(_TIMES + 1):
            began = time.perf_counter()
            with CaptureQueriesContext(connection) as queries:
                response = client.get(url, headers={"host": "localhost"})
            taken.append((time.perf_counter() - began) * 1_000)
            assert response.status_code == 200, f"{url}: {response.status_code}"
            if number in (0, _TIMES):
                slow += [
                    (words, float(query["time"]), query["sql"])
                    for query in queries.captured_queries
                    if float(query["time"]) > _SLOW
                ]
        then = median(taken[1:])
        missed += then > MUST_MS
        print(
            f"{words:<48} {taken[0]:>9.1f} {then:>8.1f} {len(queries):>8} "
            f"{len(response.content) / 1_000:>6.0f}{'  MISSED' if then > MUST_MS else ''}",
            flush=True,
        )
    if with_plans:
        show_plans(slow)
    return missed


def show_plans(slow: list[tuple[str, float, str]]) -> None:
    """Print the slow queries with their plans, each but once."""
    from django.db import connection

    explain = (
        "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN (ANALYZE, BUFFERS)"
    )
    for words, seconds, sql in {sql: each for each in slow for sql in [each[2]]}.values():
        print(f"\n{words}: {seconds * 1_000:.0f} ms\n{sql[:_WIDTH]}")
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"{explain} {sql}")
                for row in cursor.fetchall():
                    print("    ", row[-1][:_WIDTH])
        except Exception as error:  # the text of a query is not always a query
            print("    no plan:", error)


def prune() -> None:
    """Delete the oldest ten days as the command does it, and say at what rate."""
    from django.core.management import call_command

    from signal_inspector.audit.models import AuditedDispatch

    old = AuditedDispatch.objects.filter(id__lt=_id_before(_PRUNED_TO))
    count = old.count()
    began = time.perf_counter()
    call_command("signal_audit", "prune", "--older-than", f"{_PRUNED_TO}d")
    took = time.perf_counter() - began
    gone = count - old.count()
    print(f"pruned {gone:,} of {count:,} in {took:.1f} s: {gone / took:,.0f} a second")


if __name__ == "__main__":
    sys.exit(main())
