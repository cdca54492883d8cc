"""Addresses of this app."""

from django.urls import path

from background_tasks import views

urlpatterns = [
    path("", views.TasksView.as_view(), name="tasks"),
    path("<slug:name>/run/", views.RunTaskView.as_view(), name="task-run-now"),
    path("<slug:name>/runs/", views.TaskRunsView.as_view(), name="task-runs"),
    path("<slug:name>/runs/<uuid:run_id>/", views.TaskRunDetailView.as_view(), name="task-run"),
]
