"""What is to be deleted, worked out from ``RULES`` or from what a person asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from signal_inspector.audit.lookups import dispatches, first_id_at, names_of
from signal_inspector.audit.models import NameKind
from signal_inspector.audit.policies import Policy, policies
from signal_inspector.names import name_matches

_ALL: Final = "*"  # what the policy is shown as that stands behind the rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long dispatches are kept; None: for ever."""

    others: timedelta | None
    failures: timedelta | None


@dataclass(frozen=True, slots=True)
class Stratum:
    """Dispatches that go for one reason."""

    before: UUID
    failed: bool | None = None  # None: whether something failed in them or not

    @property
    def test(self) -> Q:
        found = Q(id__lt=self.before)
        if self.failed is None:
            return found
        return found & Q(is_failed__isnull=not self.failed)


@dataclass(slots=True, kw_only=True)
class Share:
    """The signals that one rule speaks of, and what is to go of them."""

    glob: str
    signals: list[tuple[int, str]] = field(default_factory=list)
    ages: Ages
    max_rows: int | None = None

    def strata(self, now: datetime) -> list[Stratum]:
        """What goes as of now; asks the log where there is a cap."""
        cap = self._beyond_cap()
        bounds = [
            max((each for each in (_before(age, now), cap) if each is not None), default=None)
            for age in (self.ages.others, self.ages.failures)
        ]
        others, failures = bounds
        if others == failures:
            return [] if others is None else [Stratum(others)]
        return [
            Stratum(bound, failed)
            for bound, failed in ((others, False), (failures, True))
            if bound is not None
        ]

    def count(self, strata: Sequence[Stratum]) -> int:
        """How many dispatches that are now."""
        if not strata or not self.signals:
            return 0
        which = Q()
        for stratum in strata:
            which |= stratum.test
        return dispatches().filter(which, signal_id__in=self.numbers).count()

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.signals]

    def _beyond_cap(self) -> UUID | None:
        """The oldest id that may stay; None where all may."""
        if self.max_rows is None or not self.signals:
            return None
        newest = dispatches().filter(signal_id__in=self.numbers).order_by("-id")
        beyond = newest.values_list("id", flat=True)[self.max_rows : self.max_rows + 1]
        return next((UUID(int=id_.int + 1) for id_ in beyond), None)


def by_rules(globs: Sequence[str] = ()) -> list[Share]:
    """A share for each rule, of the signals that it is the first to match.

    ``globs`` leaves other signals out. A signal that is not audited any more is still kept for as
    long as its rule says.
    """
    shares = {id(policy): _share(policy) for policy in policies()}
    for number, name in _signals(globs):
        first = next(
            policy for policy in policies() if not policy.glob or name_matches(name, policy.glob)
        )
        shares[id(first)].signals.append((number, name))
    return list(shares.values())


def by_age(ages: Ages, globs: Sequence[str] = ()) -> list[Share]:
    """A share for each glob, or one for all signals."""
    shares = [Share(glob=glob, ages=ages) for glob in globs or (_ALL,)]
    for number, name in _signals(()):
        first = next((each for each in shares if name_matches(name, each.glob)), None)
        if first is not None:
            first.signals.append((number, name))
    return shares


def _share(policy: Policy) -> Share:
    return Share(
        glob=policy.glob or _ALL,
        ages=Ages(others=_days(policy.keep_days), failures=_days(policy.keep_failures_days)),
        max_rows=policy.max_rows,
    )


def _signals(globs: Sequence[str]) -> Iterator[tuple[int, str]]:
    for number, name in names_of(NameKind.SIGNAL):
        if not globs or any(name_matches(name, glob) for glob in globs):
            yield number, name


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _before(age: timedelta | None, now: datetime) -> UUID | None:
    if age is None:
        return None
    try:
        return first_id_at(now - age)
    except OverflowError:  # before the year 1
        return UUID(int=0)
