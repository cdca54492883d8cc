"""Addresses below /api/chat/."""

from django.urls import path

from chat.views import answers, messages, sessions

urlpatterns = [
    path("sessions/", sessions.SessionsView.as_view()),
    path("sessions/<uuid:session_id>/", sessions.SessionDetailView.as_view()),
    path("sessions/<uuid:session_id>/messages/", answers.SessionMessagesView.as_view()),
    path("sessions/<uuid:session_id>/export/", sessions.SessionExportView.as_view()),
    path("messages/", answers.MessagesView.as_view()),
    path("messages/<uuid:message_id>/", messages.MessageDetailView.as_view()),
    path("messages/<uuid:message_id>/events/", answers.EventsView.as_view()),
    path("messages/<uuid:message_id>/stop/", answers.StopView.as_view()),
    path("messages/<uuid:message_id>/regenerate/", answers.RegenerateView.as_view()),
    path("messages/<uuid:message_id>/feedback/", messages.FeedbackDetailView.as_view()),
    path("history/", messages.HistoryDetailView.as_view()),
    path("search/", messages.MessageSearchView.as_view()),
]
