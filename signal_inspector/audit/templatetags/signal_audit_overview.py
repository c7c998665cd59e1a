"""The overview for the template of the app's index, on any admin site.

Django imports this module even in projects without the admin, so the pages are imported later,
when they are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template
from django.template import RequestContext

if TYPE_CHECKING:
    from signal_inspector.audit.admin.overview import Overview
    from signal_inspector.audit.stats.overview import Links

register = template.Library()


@register.simple_tag(takes_context=True)
def audit_overview(context: RequestContext) -> dict[str, Overview | str | None]:
    """``{% audit_overview as found %}``: ``found.overview``, or None and ``found.reason``."""
    from signal_inspector.audit.admin.overview import overview_or_reason  # noqa: PLC0415

    found, told = overview_or_reason(context.request, context["app_list"])
    return {"overview": found, "reason": told}


@register.simple_tag(takes_context=True)
def audit_links(context: RequestContext) -> Links:
    """``{% audit_links as links %}``: the pages of the audit that this user may see."""
    from signal_inspector.audit.stats.overview import links_of  # noqa: PLC0415

    return links_of(context["app_list"])
