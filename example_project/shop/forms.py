from __future__ import annotations

from django import forms
from django.core.validators import RegexValidator

from coupons.models import Coupon


class CheckoutForm(forms.Form):
    name = forms.CharField(max_length=100)
    address = forms.CharField(max_length=200)
    card_number = forms.CharField(
        max_length=19,
        validators=[RegexValidator(r"^[0-9 ]{12,19}$", "A card number has digits only.")],
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "list": "demo-cards"}
        ),
        help_text="Use one of the demo cards below. Never type a real one.",
    )
    coupon = forms.CharField(max_length=20, required=False, label="Coupon code")

    def clean_coupon(self) -> Coupon | None:
        code = self.cleaned_data["coupon"].strip().upper()
        if not code:
            return None
        coupon = Coupon.objects.filter(code=code).first()
        if coupon is None:
            raise forms.ValidationError("There is no such coupon.")
        return coupon


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=0, max_value=99, initial=1)


class SpellForm(forms.Form):
    word = forms.CharField(max_length=30)
