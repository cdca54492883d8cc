"""What the API's documentation says of accounts."""

import re

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def operations(schema):
    for path, methods in schema["paths"].items():
        if path.startswith("/api/auth/"):
            for method, operation in methods.items():
                yield f"{method} {path}", operation


def test_every_path_of_the_contract_is_there(schema):
    documented = {name for name, _ in operations(schema)}
    for name in (
        "post register/", "post verify-email/", "get verify-email/{token}/",
        "post resend-verification/", "post login/", "post token/refresh/", "post refresh/",
        "post token/verify/", "post logout/", "post logout-all/", "get me/", "patch me/",
        "delete me/", "get me/export/", "get me/sessions/", "delete me/sessions/{family_id}/",
        "post password/change/", "post password/reset/", "post password/reset/confirm/",
        "post email/change/", "post email/change/confirm/",
    ):  # fmt: skip
        method, path = name.split()
        assert f"{method} /api/auth/{path}" in documented


def test_every_operation_says_what_it_does(schema):
    for name, operation in operations(schema):
        assert operation["tags"] == ["Accounts"], name
        assert operation["summary"], name
        assert len(operation["description"]) > 20, name


def test_every_body_and_json_answer_has_an_example(schema):
    for name, operation in operations(schema):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [
            answer.get("content", {})
            for status, answer in operation["responses"].items()
            if status != "default"
        ]
        for content in contents:
            for media, part in content.items():
                if media == "application/json":
                    assert part.get("examples"), name


def test_swagger_can_authorize_with_a_bearer_token(schema):
    schemes = schema["components"]["securitySchemes"]
    assert schemes["bearerAuth"] | {"description": ""} == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "",
    }
    assert schemes["cookieAuth"]["in"] == "cookie"
    assert {"bearerAuth": []} in schema["paths"]["/api/auth/me/"]["get"]["security"]
    assert not schema["paths"]["/api/auth/login/"]["post"].get("security", [{}])[0]


def test_the_examples_run_as_they_stand(api, schema):
    def example(name, key="Request"):
        method, path = name.split()
        operation = schema["paths"][f"/api/auth/{path}"][method]
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        return next(v["value"] for k, v in examples.items() if re.sub(r"\W", "", k) == key)

    assert api.post("/api/auth/register/", example("post register/")).status_code == 201
    pair = api.post("/api/auth/login/", example("post login/")).json()
    assert api.post("/api/auth/login/", example("post login/", "Cookies")).status_code == 200
    api.cookies.clear()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    assert api.patch("/api/auth/me/", example("patch me/")).status_code == 200
    assert api.post("/api/auth/email/change/", example("post email/change/")).status_code == 202
    for path in ("password/reset/", "resend-verification/"):
        assert api.post(f"/api/auth/{path}", example(f"post {path}")).status_code == 202
    assert (
        api.post("/api/auth/password/change/", example("post password/change/")).status_code == 204
    )
    refresh = example("post refresh/") | {"refresh": pair["refresh"]}
    assert api.post("/api/auth/refresh/", refresh).status_code == 200


def test_shown_answers_have_the_fields_of_real_ones(api, schema):
    def shown(name, status="200"):
        method, path = name.split()
        answer = schema["paths"][f"/api/auth/{path}"][method]["responses"][status]
        return next(iter(answer["content"]["application/json"]["examples"].values()))["value"]

    make_user(username="maria")
    real = api.post("/api/auth/login/", {"username": "maria", "password": PASSWORD}).json()
    assert set(shown("post login/")) == set(real)
    assert set(shown("post login/")["user"]) == set(real["user"])
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {real['access']}")
    assert set(shown("get me/")) == set(api.get("/api/auth/me/").json())
    device = api.get("/api/auth/me/sessions/").json()["results"][0]
    assert set(shown("get me/sessions/")["results"][0]) == set(device)
    verified = api.post("/api/auth/token/verify/", {"token": real["access"]}).json()
    assert set(shown("post token/verify/")) == set(verified)
