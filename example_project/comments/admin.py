from __future__ import annotations

from django.contrib import admin

from comments.models import Comment


@admin.register(Comment)
class CommentAdmin(admin.ModelAdmin):
    list_display = ["text", "product", "author", "flagged", "removed"]
    list_filter = ["flagged", "removed"]
    list_select_related = ["product", "author"]
