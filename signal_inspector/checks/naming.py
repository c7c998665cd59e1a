"""Check whether the names of signals say what happened.

A name is reported only for a definite reason: it says nothing, or it gives an order. All other
names pass, as English has more ways to say that something happened than any list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Finding, Kind, at

#: Words that say nothing about what happened, however many there are.
FILLERS: Final = frozenset(
    """
    a an any app base baz bar callback custom default demo django dummy event events example foo
    generic global handler hook just main message misc my new notification notifier object obj
    other our sample sig signal signals simple some something stuff tbd temp test that the thing
    tmp todo trigger x y z
    """.split()  # noqa: SIM905 - to be read, not to be run through
)

#: Verbs that give an order only with an object: alone, each says what happened, or is a noun.
ORDERS_OF_SOMETHING: Final = frozenset(
    {"charge", "lock", "notify", "refund", "reset", "run", "set", "start", "stop"}
)

#: Nouns for something done: after a verb they are its object, as in ``process_payment``.
DEEDS: Final = frozenset(
    """
    access activity cancellation change changes click confirmation connect connection creation
    deletion delivery disconnect hit invite join launch login logoff logon logout modification
    payment publication purchase receipt registration removal renewal rotation shutdown signin
    signoff signon signout signup startup submission switch transition unlock view visit
    """.split()  # noqa: SIM905 - to be read, not to be run through
)

#: Words that may end a name and add nothing to it.
SUFFIXES: Final = frozenset({"signal", "signals", "event", "events"})

#: Verbs that begin an order, with the word to use once it has happened. Words that are nouns just
#: as often (order, request, report, comment, review, mail) are not here.
ORDERS: Final = {
    "accept": "accepted",
    "activate": "activated",
    "add": "added",
    "allow": "allowed",
    "apply": "applied",
    "approve": "approved",
    "assign": "assigned",
    "attach": "attached",
    "become": "became",
    "begin": "begun",
    "calculate": "calculated",
    "cancel": "cancelled",
    "charge": "charged",
    "clean": "cleaned",
    "clear": "cleared",
    "close": "closed",
    "collect": "collected",
    "complete": "completed",
    "compute": "computed",
    "confirm": "confirmed",
    "convert": "converted",
    "create": "created",
    "deactivate": "deactivated",
    "delete": "deleted",
    "deliver": "delivered",
    "deny": "denied",
    "destroy": "destroyed",
    "disable": "disabled",
    "do": "done",
    "emit": "emitted",
    "enable": "enabled",
    "execute": "executed",
    "expire": "expired",
    "fetch": "fetched",
    "finalize": "finalized",
    "finish": "finished",
    "generate": "generated",
    "get": "fetched",
    "give": "given",
    "handle": "handled",
    "import": "imported",
    "index": "indexed",
    "init": "initialized",
    "initialize": "initialized",
    "insert": "inserted",
    "invalidate": "invalidated",
    "invite": "invited",
    "load": "loaded",
    "lock": "locked",
    "make": "made",
    "merge": "merged",
    "migrate": "migrated",
    "modify": "modified",
    "move": "moved",
    "notify": "notified",
    "open": "opened",
    "parse": "parsed",
    "pay": "paid",
    "perform": "performed",
    "place": "placed",
    "populate": "populated",
    "prepare": "prepared",
    "process": "processed",
    "publish": "published",
    "push": "pushed",
    "rebuild": "rebuilt",
    "receive": "received",
    "recalculate": "recalculated",
    "refresh": "refreshed",
    "refund": "refunded",
    "register": "registered",
    "reject": "rejected",
    "remove": "removed",
    "rename": "renamed",
    "render": "rendered",
    "reset": "reset",
    "restore": "restored",
    "retrieve": "retrieved",
    "run": "run",
    "save": "saved",
    "send": "sent",
    "set": "set",
    "start": "started",
    "stop": "stopped",
    "store": "stored",
    "submit": "submitted",
    "sync": "synced",
    "synchronize": "synchronized",
    "tell": "told",
    "track": "tracked",
    "unpublish": "unpublished",
    "unregister": "unregistered",
    "update": "updated",
    "upload": "uploaded",
    "validate": "validated",
    "verify": "verified",
    "write": "written",
}

#: Participles that do not end in -ed, words for times and states, and nouns for what happens.
HAPPENED: Final = frozenset(
    """
    am arisen are be beaten became become been began begun bent bet bid bitten blown borne bought
    bound broken brought built burnt cast caught chosen come cut dealt died done drawn driven dug
    eaten fallen fed felt fit forbidden forgotten forgiven fought found frozen given gone got
    gotten grown had has heard held hidden hit hung hurt in is kept known laid led left lent let
    lit lost made meant met mistaken misread outgrown overridden overrun overwritten paid proven
    put quit read rebuilt redone redrawn resent reset rewritten ridden risen rung run said seen
    sent set sewn shaken shed shown shrunk shut slept sold sought spent split spread spun stolen
    struck stuck sung sunk swept sworn swung taken taught thought thrown told torn undone unsent
    upheld upset was went were withdrawn withheld won worn wound written

    after afterwards around at before between by did during ended finally first last later next
    on once post pre prior since soon start started starting end ending stop stopping until upon
    when while will within

    abort about access activity alarm alert arrival attempt breach cancellation change changes
    click collision completion confirmation conflict connect creation crash death deletion
    delivery departure dispatch disconnect drop error errors exception exceptions exit expiration
    expiry fail failure failures fault finish hit impression incident insertion invite join
    launch login logoff logon logout loss mismatch modification outage overflow payment progress
    publication purchase receipt refusal registration rejection removal renewal rotation shutdown
    signin signoff signon signout signup startup submission success switch tick timeout
    transition unlock view violation visit warning

    absent active available away bad busy cold complete critical dead deep different dirty down
    due early empty exhausted false free fresh full gone good healthy high hot idle inactive
    incomplete incorrect insufficient invalid late live low missing negative obsolete off offline
    ok old online open out outdated overdue over pending positive present public ready safe short
    slow stale stable successful true unavailable unhealthy unknown unsafe unstable up valid zero
    """.split()  # noqa: SIM905 - to be read, not to be run through
)

#: Words that end in -ed but are not participles.
NO_PARTICIPLES: Final = frozenset(
    """
    bed bleed breed creed deed embed exceed feed greed heed indeed media need proceed red reed
    seed shred sled speed steed succeed weed
    """.split()  # noqa: SIM905 - to be read, not to be run through
)

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def names(facts: Facts) -> Iterator[Finding]:
    """I026: signals of the project whose name does not say what happened."""
    for signal in facts.own_signals:
        name = signal.rpartition(".")[2]
        wrong = None if name.startswith("_") else what_is_wrong(name)
        if wrong is None:
            continue
        path, line = facts.made_at(signal)
        instead = suggestion(name)
        yield Finding(
            kind=Kind.NAME,
            subject=signal,
            message=(
                f"The name{at(path, line)} {wrong}. Receivers do not know the sender: the name "
                "of the signal must tell them what happened."
            ),
            hint=f"Rename it to {instead}."
            if instead
            else "Name it after the event, such as order_placed.",
            names=(signal,),
            path=path,
            line=line,
        )


def what_is_wrong(name: str) -> str | None:
    """What is wrong with a name, as text; None if nothing is."""
    parts = _parts(name)
    telling = [part for part in parts if part not in FILLERS and not part.isdigit()]
    if not telling:
        return "does not say what happened"
    verb, *rest = telling
    if any(_happens(each) and each not in DEEDS for each in rest):
        return None
    is_state = _happens(verb) and verb not in ORDERS_OF_SOMETHING  # open_ticket
    says_what = rest or verb not in ORDERS_OF_SOMETHING
    if verb in ORDERS and says_what and not is_state:
        return f'is an order ("{verb}") and does not say what happened'
    return None


def suggestion(name: str) -> str | None:
    """``order_placed`` for ``place_order``; None if no suggestion is sure to be good English."""
    verb, *what = name.split("_")
    while what and what[-1] in SUFFIXES:
        what.pop()
    if verb not in ORDERS or FILLERS.issuperset(what) or not name.islower():
        return None
    return "_".join([*what, ORDERS[verb]])


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(name)]


def _happens(word: str) -> bool:
    """Whether a word is about a time, a state or something that happened."""
    if word in HAPPENED:
        return True
    return len(word) > 3 and word.endswith("ed") and word not in NO_PARTICIPLES
