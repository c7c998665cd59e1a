"""Check how signals are made and sent, as far as the source shows.

``Signal(providing_args=…)``, which Django 4.0 removed, is found in the source: a module that uses
it cannot be imported, so no other check can find it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from django.apps import apps
from django.db.models.signals import ModelSignal
from django.dispatch import Signal

from signal_inspector.checks.facts import Connected, Facts, file_of
from signal_inspector.checks.findings import Finding, Kind, at
from signal_inspector.core.record.callers import is_third_party
from signal_inspector.display.text import listing, place
from signal_inspector.names import is_item
from signal_inspector.source_code.records import Creation, Send

_NAMED = 3  # receivers that a message names; the others are counted


def sync_on_asend(facts: Facts) -> Iterator[Finding]:
    """W021: sync receivers of a signal sent with ``asend``, which run in another thread."""
    for signal, every in facts.sends.items():
        sends = [send for send in every if send.method.is_async and _is_ours(send)]
        receivers = [each for each in facts.own if each.signal == signal]
        receivers = [each for each in receivers if not each.is_async and not each.is_dead]
        if not sends or not receivers:
            continue
        send = sends[0]
        yield Finding(
            kind=Kind.SYNC_ON_ASEND,
            subject=signal,
            message=(
                f"{send.method.value}{at(send.path, send.line)} calls sync receivers: "
                f"{_names(receivers)}. Django runs them in a thread, without the event loop and "
                "without thread-local data, and waits for all of them."
            ),
            hint="Write them as async def, or send the signal with send() from sync code.",
            names=(signal, *(each.name.name for each in receivers)),
            path=send.path,
            line=send.line,
        )


def never_sent(facts: Facts) -> Iterator[Finding]:
    """I024: signals of the project that no line of the project sends."""
    for signal, it in facts.own_signals.items():
        if signal in facts.sends or not facts.is_read(signal):
            continue
        if type(it) not in (Signal, ModelSignal):
            continue  # a subclass may have another method to send with
        if is_item(it) or facts.handed_on(signal):
            continue  # code that takes it from a container, or is passed it, may send it
        path, line = facts.made_at(signal)
        yield Finding(
            kind=Kind.NEVER_SENT,
            subject=signal,
            message=f"No code that sends the signal{at(path, line)} was found.",
            hint=(
                "Send it where the event happens. Before you remove it, look for code outside "
                "this project that sends it: only this project's source was read."
            ),
            names=(signal,),
            path=path,
            line=line,
        )


def nobody_connected(facts: Facts) -> Iterator[Finding]:
    """I025: signals of the project without receivers; those of packages are for others to use."""
    heard = {each.signal for each in facts.connected}
    heard |= {connect.signal for connect in facts.connects}
    for signal in facts.own_signals:
        if signal in heard or is_third_party(file_of(signal)):
            continue
        path, line = facts.made_at(signal)
        yield Finding(
            kind=Kind.NOBODY_CONNECTED,
            subject=signal,
            message=f"No receiver is connected to the signal{at(path, line)}.",
            hint="If other projects are meant to connect to it, ignore this. If not, remove it.",
            names=(signal,),
            path=path,
            line=line,
        )


def may_stop_others(facts: Facts) -> Iterator[Finding]:
    """I027: signals sent with ``send`` to receivers of several apps: one may stop the rest."""
    for signal, every in facts.sends.items():
        sends = [send for send in every if not send.method.is_robust]
        receivers = facts.live(signal) if signal in facts.own_signals else []
        if sends and len({_home(each) for each in receivers}) > 1:
            yield _fragile(signal, sends, receivers)


def _fragile(signal: str, sends: Sequence[Send], receivers: Sequence[Connected]) -> Finding:
    send = sends[0]
    robust, rest = "send_robust", "the remaining ones are not called"
    if send.method.is_async:  # what happens to the others depends on the version of Django
        robust, rest = "asend_robust", "the others may be cancelled or not called"
    return Finding(
        kind=Kind.MAY_STOP_OTHERS,
        subject=signal,
        message=(
            f"{send.method.value}{at(send.path, send.line)} calls unrelated receivers: "
            f"{_names(receivers)}. If one of them raises, {rest}, and the sender gets the "
            "exception."
        ),
        hint=f"Use {robust}, unless a receiver is meant to be able to stop the sender.",
        names=(signal, *(each.name.name for each in receivers)),
        path=send.path,
        line=send.line,
    )


def _is_ours(send: Send) -> bool:
    """Whether a send is not one of Django's own, such as the one in ``alogin()``."""
    return not send.function.startswith("django.")


def _home(each: Connected) -> str:
    """The app that a receiver belongs to; its package if it is in no app."""
    config = apps.get_containing_app_config(each.name.name)
    return each.name.name.partition(".")[0] if config is None else config.name


def _names(receivers: Sequence[Connected]) -> str:
    names = list(dict.fromkeys(each.name.name for each in receivers))
    return listing(names, _NAMED)


def providing_args(facts: Facts) -> Iterator[Finding]:
    """W023: signals made with ``providing_args`` in the project's source."""
    for found in removed(facts.creations):
        yield replace(found, message=f"{place(found.path, found.line)}: {found.message}")


def removed(creations: Iterable[Creation]) -> Iterator[Finding]:
    """W023 for each of these signals that is made with ``providing_args``."""
    for made in creations:
        if made.providing_args is None or made.is_guarded:
            continue
        arguments = ", ".join(made.providing_args)
        comment = f"  # Arguments: {arguments}." if arguments else ""
        when = "importing this module" if made.is_at_import else "this call"
        yield Finding(
            kind=Kind.PROVIDING_ARGS,
            subject=made.signal,
            message=(
                f"Django 4.0 removed the argument providing_args of Signal(): {when} raises "
                "TypeError. It only ever served as documentation."
            ),
            hint=f"Write: {made.instead}{comment}",
            names=(made.signal,),
            path=made.path,
            line=made.line,
        )
