from __future__ import annotations

from django import forms
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pricing.services import PriceImport, sample_price_list

SIZES = {50: "50 rows", 500: "500 rows", 5000: "5,000 rows", 6000: "6,000 rows"}


class ImportForm(forms.Form):
    rows = forms.TypedChoiceField(choices=list(SIZES.items()), coerce=int, initial=500)


@staff_member_required(login_url="accounts:login")
def price_import(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST or None)
    context = {"form": form}
    if request.method == "POST" and form.is_valid():
        rows = form.cleaned_data["rows"]
        context |= {"rows": rows, "objections": PriceImport().run(sample_price_list(rows))}
    return render(request, "pricing/import.html", context)
