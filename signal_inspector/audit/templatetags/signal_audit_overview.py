"""The overview for the template of the app's index, on whatever admin site it is shown."""

from __future__ import annotations

from django import template
from django.template import RequestContext

from signal_inspector.audit.admin.overview import Overview, overview_or_trouble
from signal_inspector.audit.stats.overview import Links, links_of

register = template.Library()


@register.simple_tag(takes_context=True)
def audit_overview(context: RequestContext) -> dict[str, Overview | str | None]:
    """``{% audit_overview as found %}``: ``found.overview``, or None and ``found.trouble``."""
    found, told = overview_or_trouble(context.request, context["app_list"])
    return {"overview": found, "trouble": told}


@register.simple_tag(takes_context=True)
def audit_links(context: RequestContext) -> Links:
    """``{% audit_links as links %}``: the pages of the audit that this user may see."""
    return links_of(context["app_list"])
