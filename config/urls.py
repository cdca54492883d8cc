"""Every address of the product, by app."""

from django.contrib import admin
from django.urls import include, path

from background_tasks.dashboard.views import dashboard
from chat.views.messages import EventSchemasView
from rag.pages.views import start

admin.site.site_header = admin.site.site_title = "Docent"

urlpatterns = [
    path("", start, name="start"),
    path("api/auth/", include("users.urls")),
    path("api/chat/", include("chat.urls")),
    path("api/schema/events/", EventSchemasView.as_view()),
    path("api/rag/", include("rag.urls")),
    path("api/tasks/", include("background_tasks.urls")),
    path("admin/dashboard/", admin.site.admin_view(dashboard), name="admin-dashboard"),
    path("admin/", admin.site.urls),
    path("", include("common.urls")),
]

handler400 = "common.problems.bad_request"
handler403 = "common.problems.permission_denied"
handler404 = "common.problems.not_found"
handler500 = "common.problems.server_error"
