"""Addresses of this app."""

from django.urls import path

from users.views import emails, pages, passwords, profile, registration, sessions, tokens

urlpatterns = [
    path("register/", registration.RegisterView.as_view(), name="register"),
    path("verify-email/", registration.VerifyEmailView.as_view(), name="verify-email"),
    path("verify-email/<str:token>/", pages.VerifyEmailPage.as_view(), name="verify-email-page"),
    path(
        "resend-verification/",
        registration.ResendVerificationView.as_view(),
        name="resend-verification",
    ),
    path("login/", tokens.LoginView.as_view(), name="login"),
    path("token/refresh/", tokens.RefreshView.as_view(), name="token-refresh"),
    path("refresh/", tokens.RefreshView.as_view(), name="refresh"),
    path("token/verify/", tokens.VerifyTokenView.as_view(), name="token-verify"),
    path("logout/", sessions.LogoutView.as_view(), name="logout"),
    path("logout-all/", sessions.LogoutAllView.as_view(), name="logout-all"),
    path("me/", profile.MeView.as_view(), name="me"),
    path("me/export/", profile.ExportView.as_view(), name="me-export"),
    path("me/sessions/", sessions.DevicesView.as_view(), name="devices"),
    path("me/sessions/<uuid:family_id>/", sessions.DeviceView.as_view(), name="device"),
    path("password/change/", passwords.PasswordChangeView.as_view(), name="password-change"),
    path("password/reset/", passwords.PasswordResetView.as_view(), name="password-reset"),
    path(
        "password/reset/confirm/",
        passwords.PasswordResetConfirmView.as_view(),
        name="password-reset-confirm",
    ),
    path(
        "password/reset/<uuid:uid>/<str:token>/",
        pages.PasswordResetPage.as_view(),
        name="password-reset-page",
    ),
    path("email/change/", emails.EmailChangeView.as_view(), name="email-change"),
    path(
        "email/change/confirm/",
        emails.EmailChangeConfirmView.as_view(),
        name="email-change-confirm",
    ),
    path(
        "email/change/confirm/<str:token>/",
        pages.EmailChangePage.as_view(),
        name="email-change-page",
    ),
]
