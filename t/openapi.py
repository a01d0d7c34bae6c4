#!/usr/bin/python3
"""Hold the description of the API against itself and against answers that tests have got.

usage: openapi.py DESCRIPTION [ANSWERS...]

ANSWERS are files of what t/lib.sh's `api` has recorded, one JSON object a line: method, path (below the prefix), status,
type, body.  An address that is not described must have been answered 404, a method that is not described 405; or the web
server has refused it (400, 401, 403).

Prints how many answers there were and, each on a line with how often, what does not fit.  Exit status: 0 all fits, 1 not
so, 2 wrong usage.
"""
import collections
import json
import re
import sys
import urllib.parse

import jsonschema

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
OPTIONAL = {"description", "parameters", "requestBody", "security", "summary", "tags", "callbacks", "deprecated",
            "externalDocs", "servers"}


class Description:
    """An OpenAPI 3.1 document whose references all lead into itself."""

    def __init__(self, document):
        self.document = document
        self.validators = {}
        # what has a fixed address first, then the longer ones
        self.paths = sorted(document["paths"], key=lambda path: ("{" in path, -len(path)))
        self.patterns = [(path, re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(path)) + r"\Z")) for path in self.paths]

    def follow(self, thing):
        """What a reference leads to; KeyError when it leads nowhere."""
        while isinstance(thing, dict) and "$ref" in thing:
            target = self.document
            for part in thing["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            thing = target
        return thing

    def find(self, path):
        """The described address that a path is an instance of, or None.  Web servers resolve dots: what has some is elsewhere."""
        if ".." in urllib.parse.unquote(path).split("/"):
            return None
        return next((name for name, pattern in self.patterns if pattern.match(path)), None)

    def validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            whole = {"allOf": [schema], "components": self.document["components"]}
            self.validators[key] = jsonschema.Draft202012Validator(whole)
        return self.validators[key]


# ---- the document itself

def each(thing, where=""):
    """Every object in a document, with its place."""
    if isinstance(thing, dict):
        yield where, thing
        for key, value in thing.items():
            yield from each(value, "%s/%s" % (where, key))
    elif isinstance(thing, list):
        for number, value in enumerate(thing):
            yield from each(value, "%s/%d" % (where, number))


def faults_of_references(description):
    for where, thing in each(description.document):
        if isinstance(thing.get("$ref"), str):
            try:
                description.follow(thing)
            except KeyError:
                yield "%s: %s leads nowhere" % (where, thing["$ref"])


def faults_of_schemas(description):
    for where, thing in each(description.document):
        schemas = [thing["schema"]] if isinstance(thing.get("schema"), dict) else []
        if where == "/components/schemas":
            schemas = thing.values()
        for schema in schemas:
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                yield "%s: %s" % (where, error.message)


def faults_of_responses(responses, description):
    if not responses:
        yield "has no responses"
    for status, response in responses.items():
        if not re.fullmatch(r"[1-5][0-9][0-9]", status):
            yield "%s is no status" % status
        if "description" not in description.follow(response):
            yield "%s has no description" % status


def faults_of_operation(path, item, operation, description):
    unknown = set(operation) - OPTIONAL - {"operationId", "responses"}
    if unknown:
        yield "has unknown members: %s" % ", ".join(sorted(unknown))
    yield from faults_of_responses(operation.get("responses", {}), description)
    parameters = [description.follow(p) for p in item.get("parameters", []) + operation.get("parameters", [])]
    for parameter in parameters:
        if not {"name", "in", "schema"} <= set(parameter) or parameter["in"] not in ("path", "query", "header", "cookie"):
            yield "has a parameter without name, in or schema"
    in_path = {p["name"] for p in parameters if p["in"] == "path" and p.get("required") is True}
    if in_path != set(re.findall(r"{([a-z_]+)}", path)):
        yield "its path has other parameters than it says"


def faults_of_document(description):
    document = description.document
    if not re.fullmatch(r"3\.1\.\d+", document.get("openapi", "")):
        yield "openapi: not 3.1"
    if not {"title", "version"} <= set(document.get("info", {})):
        yield "info: title or version is missing"
    ids = collections.Counter()
    for path, item in document["paths"].items():
        if not path.startswith("/"):
            yield "%s: does not begin with a slash" % path
        for method, operation in item.items():
            if method in METHODS:
                ids[operation.get("operationId")] += 1
                for fault in faults_of_operation(path, item, operation, description):
                    yield "%s %s %s" % (method, path, fault)
            elif method != "parameters":
                yield "%s: %s is no method" % (path, method)
    for name, count in ids.items():
        if name is None or count > 1:
            yield "operationId %s is there %d times" % (name, count)


# ---- answers

def fault_of_body(answer, media, description):
    if "schema" not in media:
        return None
    try:
        body = json.loads(answer["body"]) if "json" in answer["type"] else answer["body"]
    except ValueError as error:
        return "is no JSON: %s" % error
    error = jsonschema.exceptions.best_match(description.validator(media["schema"]).iter_errors(body))
    if error is None:
        return None
    return "%s: %s" % ("/".join(str(part) for part in error.absolute_path) or "the body", error.message)


def fault_of_undescribed(answer, status, path, description):
    # 401 comes before anything else; 400 and 403 are the web server's
    if answer["status"] in (status, 400, 401, 403):
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        return fault_of_body(answer, problem, description) if "json" in answer["type"] else None
    return "%s is not described and was answered %d" % ("the method" if path else "the address", answer["status"])


def fault_of_answer(answer, path, description):
    if path is None:
        return fault_of_undescribed(answer, 404, path, description)
    method = answer["method"].lower()
    operation = description.document["paths"][path].get("get" if method == "head" else method)
    if operation is None:
        return fault_of_undescribed(answer, 405, path, description)
    response = description.follow(operation["responses"].get(str(answer["status"])))
    if response is None:
        return "status %d is not described" % answer["status"]
    content = response.get("content", {})
    kind = answer["type"].split(";")[0].strip()
    if not content:
        return "has a body" if answer["body"] else None
    if kind not in content:
        return "content type %s of status %d is not described" % (kind or "none", answer["status"])
    return None if method == "head" else fault_of_body(answer, content[kind], description)


def faults_of_answers(files, description):
    """(how many answers there were, what does not fit -> how often)"""
    count, faults = 0, collections.Counter()
    for name in files:
        with open(name, encoding="utf-8") as lines:
            for line in lines:
                answer = json.loads(line)
                count += 1
                path = description.find(answer["path"].split("?")[0])
                fault = fault_of_answer(answer, path, description)
                if fault:
                    faults["%s %s %d: %s" % (answer["method"], path or answer["path"], answer["status"], fault)] += 1
    return count, faults


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        description = Description(json.load(file))
    faults = list(faults_of_document(description))
    faults += faults_of_references(description)
    faults += faults_of_schemas(description)
    count, of_answers = faults_of_answers(arguments[1:], description)
    print("%d answers" % count)
    faults += ["%s (%d times)" % item for item in sorted(of_answers.items())]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
