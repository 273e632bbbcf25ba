import httpx
import pytest

from service import PASSWORD, in_parallel, unique_name

pytestmark = pytest.mark.concurrent
RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def register(client, **members):
    return client.post("/register", json={"password": PASSWORD, **members})


def fields(answer):
    return {(e["field"], e["code"]) for e in answer.json()["errors"]}


def test_a_new_user_is_created_and_told_where_the_profile_is(client):
    name = unique_name()
    answer = register(client, username=name, email=f"{name}@Example.ORG")
    assert answer.status_code == 201
    assert answer.headers["location"] == "/profile"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"message", "user"} and body["message"] == "user registered"
    user = body["user"]
    assert set(user) == {"id", "username", "email", "roles", "created_at", "updated_at"}
    assert user["username"] == name and user["email"] == f"{name}@example.org" and user["roles"] == []
    assert user["id"][14] == "7"


def test_an_email_alone_or_a_username_alone_is_enough(client):
    name = unique_name()
    assert register(client, username=name).json()["user"]["email"] is None
    assert register(client, email=f"{name}@example.org", username=None).json()["user"]["username"] is None


def test_a_taken_name_is_a_conflict_in_any_case_and_names_the_field(client):
    name = unique_name()
    assert register(client, username=name, email=f"{name}@a.org").status_code == 201
    answer = register(client, username=name.upper())
    assert answer.status_code == 409 and answer.json()["code"] == "user_exists"
    assert answer.json()["errors"][0]["field"] == "username"
    answer = register(client, username=unique_name(), email=f"{name}@A.ORG")
    assert answer.status_code == 409 and answer.json()["errors"][0]["field"] == "email"


@pytest.mark.parametrize("members, field", [
    ({}, None),
    ({"username": ""}, "username"),
    ({"username": "a b"}, "username"),
    ({"username": "x" * 65}, "username"),
    ({"username": "ünï"}, "username"),
    ({"username": 7}, "username"),
    ({"username": ["a"]}, "username"),
    ({"email": "no-at-sign"}, "email"),
    ({"email": "two@@signs"}, "email"),
    ({"email": "a b@c.org"}, "email"),
    ({"email": "x" * 250 + "@a.org"}, "email"),
    ({"username": "ok", "password": "short12"}, "password"),
    ({"username": "ok", "password": "x" * 1025}, "password"),
    ({"username": "ok", "password": "nul\0inside"}, "password"),
    ({"username": "ok", "password": None}, "password"),
    ({"username": "ok", "password": {"$gt": ""}}, "password"),
    ({"username": {"$gt": ""}}, "username"),
    ({"username": "ok", "role": "admin"}, "role"),
    ({"username": "ok", "roles": ["admin"]}, "roles"),
])
def test_unacceptable_input_is_422_and_names_the_member(client, members, field):
    answer = register(client, **members)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert body["code"] == "invalid_input" and body["status"] == 422
    if field:
        assert field in {e["field"] for e in body["errors"]}


@pytest.mark.parametrize("password", ["x" * 8, "密" * 64, "🔑" * 64, " spaces  at ends ", "a" * 72 + "b", "p" * 1024])
def test_any_password_that_fits_works_as_given_and_nothing_else_does(client, password):
    name = unique_name()
    assert register(client, username=name, password=password).status_code == 201
    login = lambda given: client.post("/login", json={"username": name, "password": given}).status_code
    assert login(password) == 200
    assert login(password[:-1]) == 401
    assert login(password + " ") == (401 if len((password + " ").encode()) <= 1024 else 422)


def test_passwords_equal_in_the_first_72_bytes_are_different_passwords(client):
    name = unique_name()
    assert register(client, username=name, password="a" * 72 + "1").status_code == 201
    assert client.post("/login", json={"username": name, "password": "a" * 72 + "2"}).status_code == 401
    assert client.post("/login", json={"username": name, "password": "a" * 72}).status_code == 401


def test_of_many_registering_one_name_at_once_exactly_one_gets_it(service):
    name = unique_name()
    clients = [service.client() for _ in range(16)]
    answers = in_parallel(16, lambda i: register(clients[i], username=name).status_code)
    assert sorted(answers) == [201] + [409] * 15
    for one in clients:
        one.close()


def test_nothing_is_kept_of_a_refused_registration(client):
    name = unique_name()
    assert register(client, username=name, password="short").status_code == 422
    assert isinstance(register(client, username=name), httpx.Response)
    assert client.post("/login", json={"username": name, "password": PASSWORD}).status_code == 200
