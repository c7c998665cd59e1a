from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from comments.models import Comment
from comments.signals import comment_flagged
from shop.models import Product


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ["text"]


@login_required
@require_POST
def add(request: HttpRequest, slug: str) -> HttpResponse:
    product = get_object_or_404(Product, slug=slug)
    form = CommentForm(request.POST, instance=Comment(product=product, author=request.user))
    if form.is_valid():
        form.save()
    return redirect(product)


@login_required
@require_POST
def flag(request: HttpRequest, pk: int) -> HttpResponse:
    comment = get_object_or_404(Comment.objects.select_related("product", "author"), pk=pk)
    comment.flagged = True
    comment.save(update_fields=["flagged"])
    comment_flagged.send_robust(sender=Comment, comment=comment, user=request.user)
    messages.success(request, "Thank you. A moderator will look at it.")
    return redirect(comment.product)


@staff_member_required(login_url="accounts:login")
def moderation(request: HttpRequest) -> HttpResponse:
    waiting = Comment.objects.waiting().select_related("product", "author")
    return render(request, "comments/moderation.html", {"comments": waiting})


@staff_member_required(login_url="accounts:login")
@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep a reported comment, or remove it."""
    comment = get_object_or_404(Comment, pk=pk)
    comment.flagged = False
    comment.removed = "remove" in request.POST
    comment.save(update_fields=["flagged", "removed"])
    return redirect("comments:moderation")
