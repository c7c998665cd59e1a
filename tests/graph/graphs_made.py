"""Graphs for tests: small ones, hostile ones, large ones."""

from __future__ import annotations

import random

from signal_inspector.core.record.values import SendMethod
from signal_inspector.graph.model import (
    Function,
    Graph,
    Known,
    Receiving,
    Sending,
    SendingOn,
    SignalNode,
    cycles_in,
)

#: What names may hold that come from classes made at run time, mocks, and generated files.
HOSTILE = (
    'quo"te',
    "back\\slash",
    "<lambda>",
    "outer.<locals>.inner",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&amp; & &#60;",
    "]] --> end %% subgraph",
    "`tick` ${x} {{title}} {{script}}",
    "new\nline\ttab\rreturn\x00nul\x1b[31mred",
    "]]> <!-- -->",
    "\u202eright to left \u2028 line",
    "emoji 🧨 汉字",
    "lone \ud800 surrogate",
    "javascript:alert(1)",
    "'single' onload='x'",
)


def signal(name: str, *, app: str = "", is_orphan: bool = False) -> SignalNode:
    return SignalNode(
        name=name, app=app, path=f"{name}.py", line=3, is_loaded=True, is_orphan=is_orphan
    )


def function(
    name: str, *, app: str = "", receives: bool = True, state: str = "connected"
) -> Function:
    return Function(
        name=name,
        app=app,
        path=f"{name}.py",
        line=7,
        is_async=False,
        is_receiver=receives,
        state=state if receives else "",
    )


def sending(name: str, signal: str, sender: str = "") -> Sending:
    return Sending(
        function=name,
        signal=signal,
        method=SendMethod.SEND,
        path=f"{name}.py",
        line=9,
        sender=sender,
    )


def receiving(
    signal: str,
    receiver: str,
    order: int | None = 1,
    *,
    sender: str | None = None,
    uid: str | None = None,
    state: str = "connected",
) -> Receiving:
    return Receiving(
        signal=signal,
        receiver=receiver,
        order=order,
        sender=sender,
        is_async=False,
        is_weak=True,
        dispatch_uid=uid,
        state=state,
    )


def sending_on(
    receiver: str,
    signal: str,
    *known: Known,
    through: tuple[str, ...] = (),
    count: int | None = None,
) -> SendingOn:
    sends = (
        ()
        if known == (Known.RECORDED,)
        else (sending(through[-1] if through else receiver, signal),)
    )
    return SendingOn(
        receiver=receiver,
        signal=signal,
        known=known or (Known.CODE,),
        through=through,
        sends=sends,
        count=count,
    )


def graph(
    receivings: list[Receiving],
    sendings_on: list[SendingOn] | None = None,
    sendings: list[Sending] | None = None,
    extra: list[SignalNode] | None = None,
) -> Graph:
    """A graph with all functions and signals that these mention."""
    sendings_on, sendings = sendings_on or [], sendings or []
    names = {it.signal for it in (*receivings, *sendings_on, *sendings)}
    signals = {name: signal(name) for name in names} | {it.name: it for it in extra or ()}
    states = {it.receiver: "recorded" for it in sendings_on}
    states |= {it.receiver: it.state for it in receivings}
    functions = [function(name, state=state) for name, state in states.items()]
    functions += [function(it, receives=False) for it in {each.function for each in sendings}]
    return Graph(
        signals=tuple(signals[name] for name in sorted(signals)),
        functions=tuple(sorted(functions, key=lambda each: each.name)),
        sendings=tuple(sendings),
        receivings=tuple(receivings),
        sendings_on=tuple(sendings_on),
        cycles=cycles_in(receivings, sendings_on),
    )


def hostile() -> Graph:
    """Each hostile text as a signal, a receiver, a sender, a path, a filter and a uid."""
    return graph(
        [receiving(f"s.{it}", f"r.{it}", sender=it, uid=it) for it in HOSTILE],
        [sending_on(f"r.{it}", f"s.{it}", Known.CALLS, through=(it,)) for it in HOSTILE],
        [sending(f"f.{it}", f"s.{it}", sender=it) for it in HOSTILE],
    )


def cascade() -> Graph:
    """a → b → c → a, a sender for a, one receiver that is dead, and an orphan."""
    return graph(
        [
            receiving("shop.a", "shop.on_a"),
            receiving("shop.a", "shop.on_a_too", 2),
            receiving("shop.a", "shop.dead", None, state="dead"),
            receiving("shop.b", "shop.on_b"),
            receiving("shop.c", "shop.on_c"),
        ],
        [
            sending_on("shop.on_a", "shop.b"),
            sending_on("shop.on_b", "shop.c", Known.CALLS, through=("shop.help",)),
            sending_on("shop.on_c", "shop.a", Known.RECORDED, count=1200),
        ],
        [sending("shop.start", "shop.a")],
        [signal("shop.orphan", is_orphan=True)],
    )


def large(signals: int = 300, receivers: int = 1000, seed: int = 7) -> Graph:
    """As many, joined by chance; every fifteenth receiver sends on."""
    chance = random.Random(seed)
    names = [f"app{at % 30}.signals.order_placed_{at}" for at in range(signals)]
    receivings, orders = [], dict.fromkeys(names, 0)
    for at in range(receivers):
        name = chance.choice(names)
        orders[name] += 1
        receivings.append(receiving(name, f"app{at % 30}.receivers.send_{at}", orders[name]))
    on = [
        sending_on(each.receiver, chance.choice(names))
        for each in receivings
        if chance.random() < 1 / 15
    ]
    sendings = [sending(f"app{at % 30}.services.do_{at}", name) for at, name in enumerate(names)]
    return graph(receivings, on, sendings)
