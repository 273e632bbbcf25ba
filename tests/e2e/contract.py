"""Holds every answer that the suite sees against openapi.yaml, and remembers which of its promises were seen."""
import json
import os
import pathlib
import re

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What a request can run into whatever the route; seen once anywhere is enough.
ANYWHERE = {"400", "404", "405", "408", "413", "414", "415", "417", "431", "500", "503"}


class Contract:
    def __init__(self, path=ROOT / "openapi.yaml"):
        self.document = yaml.safe_load(path.read_text())
        self.paths = {}
        for template, item in self.document["paths"].items():
            pattern = re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)) + "$")
            self.paths[template] = (pattern, item)
        self.seen = set()

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def operation(self, method, path):
        for template, (pattern, item) in self.paths.items():
            if pattern.match(path):
                return template, item.get(method.lower()) or (item.get("get") if method == "HEAD" else None)
        if path.startswith("/verify/"):  # "any path below": documented by /verify
            return self.operation(method, "/verify")
        return None, None

    def check(self, method, path, status, headers, body):
        """The route, its status, content type and shape are promised; else an AssertionError that names them."""
        template, operation = self.operation(method, path)
        if operation is None:
            assert status in (400, 401, 403, 404, 405, 408, 413, 414, 415, 431, 200, 204, 304), \
                f"{method} {path}: {status} is not in openapi.yaml"
            return
        where = f"{method} {template} {status}"
        responses = operation["responses"]
        assert str(status) in responses, f"{where} is not in openapi.yaml"
        response = self.resolve(responses[str(status)])
        self.seen.add((method.lower(), template, str(status)))
        for name, header in response.get("headers", {}).items():
            if self.resolve(header).get("required"):
                assert name.lower() in headers, f"{where}: no {name}"
        if not body or method == "HEAD":
            return
        content_type = headers.get("content-type", "").split(";")[0].strip()
        content = response.get("content", {})
        assert content_type in content, f"{where}: {content_type} is not in openapi.yaml"
        if content_type.endswith("json"):
            schema = content[content_type].get("schema", {})
            self.validator(schema).validate(json.loads(body))

    def validator(self, schema):
        whole = {**schema, "components": self.document.get("components", {})}
        return jsonschema.Draft202012Validator(whole)

    def promised(self):
        for template, (_, item) in self.paths.items():
            for method, operation in item.items():
                if method in ("get", "post", "put", "delete", "patch", "options", "head"):
                    for status in operation["responses"]:
                        yield method, template, status

    def unseen(self, seen):
        statuses = {status for _, _, status in seen}
        for method, template, status in self.promised():
            if template == "/verify" and method != "get":
                continue  # one operation for any method
            if (method, template, status) not in seen and not (status in ANYWHERE and status in statuses):
                yield f"{method.upper()} {template} {status}"


CONTRACT = Contract()


def remember(directory):
    """Of a worker, at its end: what it saw."""
    path = pathlib.Path(directory) / f"contract-seen-{os.getpid()}.json"
    path.write_text(json.dumps(sorted(CONTRACT.seen)))


def recall(directory):
    seen = set()
    for path in pathlib.Path(directory).glob("contract-seen-*.json"):
        seen |= {tuple(entry) for entry in json.loads(path.read_text())}
        path.unlink()
    return seen


def on_response(response):
    """For httpx's event hooks."""
    if response.request.url.scheme == "http":  # the metrics' own listener
        return
    response.read()
    CONTRACT.check(response.request.method, response.request.url.path, response.status_code, response.headers,
                   response.content)
