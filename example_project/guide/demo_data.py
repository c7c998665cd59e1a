"""Fills an empty shop, always in the same way; what is there already stays."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import Permission, User
from django.utils import timezone

from accounts.models import Profile
from comments.models import Comment
from coupons.models import Coupon, Redemption
from guide.catalog import COMMENTS, FLAGS
from inventory.models import StockItem
from loyalty.models import LoyaltyAccount
from shop.models import Order, OrderLine, Product

COUPON = "WELCOME10"
PAST_ORDERS = 41  # so that the first order in the demo is number 42
ADDRESS = "1 Harbour Street, Portsmouth"
#: May read the audit; what exactly was sent is another permission.
READ = ["view_auditeddispatch", "view_gap", "view_retry", "view_operation"]


def fill(past_orders: int = PAST_ORDERS) -> bool:
    """Products, stock, people, past orders, comments and a coupon; whether it was empty."""
    was_empty = not Order.objects.exists()
    add_products()
    add_people()
    if was_empty:
        add_orders(past_orders)
    add_comments()
    return was_empty


def add_products() -> None:
    for flag in FLAGS:
        product, _ = Product.objects.get_or_create(
            slug=flag.slug,
            defaults={
                "sku": flag.sku,
                "name": flag.name,
                "letter": flag.letter,
                "meaning": flag.meaning,
                "price": flag.price,
            },
        )
        # There is never enough of U, so that every order of it sends stock_low.
        minimum = 1000 if flag.letter == "U" else 20
        StockItem.objects.update_or_create(
            product=product, defaults={"quantity": 400, "minimum": minimum}
        )


def add_people() -> None:
    if not User.objects.filter(username="admin").exists():
        User.objects.create_superuser("admin", "admin@bunting.example", "admin")
    ada = customer("ada", "Ada", "Lovelace")
    LoyaltyAccount.objects.get_or_create(user=ada, defaults={"points": 120})
    # Grace is a customer since before the loyalty scheme, and has no account in it.
    customer("grace", "Grace", "Hopper")
    auditor("hedy", "Hedy", "Lamarr", READ)
    auditor("joan", "Joan", "Clarke", [*READ, "view_payloads", "export_dispatches"])


def customer(username: str, first_name: str, last_name: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(
            username,
            f"{username}@mail.example",
            username,
            first_name=first_name,
            last_name=last_name,
        )
    Profile.objects.get_or_create(user=user, defaults={"verified_at": timezone.now()})
    return user


def auditor(username: str, first_name: str, last_name: str, permissions: list[str]) -> None:
    """Staff who see of the admin what these permissions show them: parts of the audit."""
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(
            username,
            f"{username}@bunting.example",
            username,
            first_name=first_name,
            last_name=last_name,
            is_staff=True,
        )
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="signal_audit", codename__in=permissions)
    )


def add_orders(count: int) -> None:
    chance = random.Random(42)
    products = list(Product.objects.all())
    customers = list(User.objects.filter(username__in=["ada", "grace"]).order_by("username"))
    for number in range(count):
        user = chance.choice(customers)
        order = Order.objects.create(
            user=user,
            name=user.get_full_name(),
            address=ADDRESS,
            channel="web",
            created_at=datetime(2026, 1, 5, 9, tzinfo=UTC) + timedelta(hours=17 * number),
        )
        OrderLine.objects.bulk_create(
            OrderLine(
                order=order,
                product=product,
                quantity=chance.randint(1, 3),
                price=product.price,
            )
            for product in chance.sample(products, chance.randint(1, 4))
        )
    # Grace has used the coupon; Ada may still.
    coupon, _ = Coupon.objects.get_or_create(code=COUPON, defaults={"percent": 10})
    used = Order.objects.filter(user__username="grace").earliest("pk")
    Redemption.objects.create(coupon=coupon, order=used)


def add_comments() -> None:
    for slug, username, text in COMMENTS:
        Comment.objects.get_or_create(
            product=Product.objects.get(slug=slug),
            author=User.objects.get(username=username),
            text=text,
        )
