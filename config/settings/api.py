"""What the API takes and gives: limits, origins, throttles, its schema."""

from config.settings.environment import env

APPEND_SLASH = False
REQUEST_MAX_JSON_BYTES = env.int("REQUEST_MAX_JSON_BYTES", 1_000_000)
REQUEST_MAX_JSON_DEPTH = 20
DOCUMENT_MAX_BYTES = env.int("DOCUMENT_MAX_BYTES", 10_000_000)
DATA_UPLOAD_MAX_MEMORY_SIZE = REQUEST_MAX_JSON_BYTES
IDEMPOTENCY_HOURS = env.int("IDEMPOTENCY_HOURS", 24)
CORS_ALLOWED_ORIGINS: list[str] = env.list("CORS_ALLOWED_ORIGINS", [])
CORS_ALLOW_CREDENTIALS = True
CSRF_TRUSTED_ORIGINS = CORS_ALLOWED_ORIGINS
CORS_EXPOSE_HEADERS = [
    "X-Request-ID",
    "Idempotency-Replayed",
    "Retry-After",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "x-csrftoken",
    "x-request-id",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["users.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["common.json.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.json.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "common.negotiation.ContentNegotiation",
    "DEFAULT_PAGINATION_CLASS": "common.pagination.PageNumberPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "common.problems.handle_exception",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "PAGE_SIZE": 20,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "COERCE_DECIMAL_TO_STRING": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Docent",
    "DESCRIPTION": "Answers from your own documents, with the place each sentence comes from.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    # Two fields called "status" are two lists of words.
    "ENUM_NAME_OVERRIDES": {
        "MessageStatusEnum": "chat.models.Status",
        "DocumentStatusEnum": "rag.models.Document.STATUSES",
    },
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_SETTINGS": {"persistAuthorization": True, "deepLinking": True},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "common.schema.add_problem_responses",
    ],
}
# Requests a minute (or as the name says) for each tier: an ordinary user, a member of staff.
THROTTLES = {
    "chat": {"user": env.str("THROTTLE_CHAT", "30/m"), "staff": "120/m"},
    "search": {"user": env.str("THROTTLE_SEARCH", "60/m"), "staff": "240/m"},
    "index": {"user": env.str("THROTTLE_INDEX", "20/m"), "staff": "120/m"},
    "try": {"address": env.str("THROTTLE_TRY", "20/m")},
    "login": {"address": env.str("THROTTLE_LOGIN", "5/m"), "account": "5/m"},
    "password": {"user": "5/m"},
    "register": {"address": env.str("THROTTLE_REGISTER", "10/h")},
    "mail": {"address": env.str("THROTTLE_MAIL", "5/h"), "recipient": "5/h"},
    "confirm": {"address": "30/m"},
    "export": {"user": "10/h", "staff": "10/h"},
}
# What a scope does while Redis is down: "refuse" answers 503; the others count in each process
# (docs/adr/0012).
THROTTLES_WITHOUT_REDIS = {"try": "refuse"}
