"""Judges a virtual router by librouteros: python3 librouteros_check.py HOST PORT PASSWORD.

Ends with 0 and leaves one secret, `kept`, or fails at the first thing that is not as it should be.
"""

import sys

import librouteros
from librouteros.exceptions import TrapError
from librouteros.login import plain, token
from librouteros.query import And, Key, Or

host, port, password = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def connect(password, login_method):
    return librouteros.connect(host, "admin", password, port=port, encoding="utf-8", login_method=login_method)


def refused(command, text):
    """Runs a command that the router has to refuse with exactly this text."""
    try:
        answer = command()
    except TrapError as trap:
        assert trap.message == text, f"refused with {trap.message!r} instead of {text!r}"
        return trap
    raise AssertionError(f"answered with {answer!r} instead of {text!r}")


def rows(path, **wanted):
    """Prints a menu and gives the rows whose properties are as wanted."""
    return [row for row in path if all(row.get(name) == value for name, value in wanted.items())]


# Both forms of the login, and a wrong password.
refused(lambda: connect(password + "x", plain), "invalid user name or password (6)")
connect(password, token).close()
api = connect(password, plain)

# Print: one set of values, an empty menu, a menu with rows.
(resource,) = api.path("system", "resource")
assert resource["version"].startswith("7.22.3"), resource
secrets = api.path("ppp", "secret")
assert list(secrets) == [], "a new router has no secrets"
assert len(list(api.path("interface"))) > 1

# Add, with words whose lengths take one, two and three bytes, and text beyond ASCII.
texts = {"short": "Café", "long": "b" * 300, "longest": "c" * 17000}
ids = {name: secrets.add(name=name, password="x", service="pppoe", comment=text) for name, text in texts.items()}
assert all(id.startswith("*") for id in ids.values()), ids
for name, text in texts.items():
    (row,) = rows(secrets, name=name)
    assert (row[".id"], row["comment"], row["service"], row["disabled"]) == (ids[name], text, "pppoe", False), row

# Set.
secrets.update(**{".id": ids["short"], "disabled": True, "comment": "changed"})
(row,) = rows(secrets, name="short")
assert (row["disabled"], row["comment"]) == (True, "changed"), row

# Query: equal, unequal, both, either, one of many; only the properties asked for.
id, name, disabled, service = Key(".id"), Key("name"), Key("disabled"), Key("service")


def found(*where):
    return sorted(row["name"] for row in secrets.select(name).where(*where))


assert list(secrets.select(id, name).where(name == "long")) == [{".id": ids["long"], "name": "long"}]
assert found(disabled == True) == ["short"]  # noqa: E712 - makes a query
assert found(name != "long") == ["longest", "short"]
assert found(And(service == "pppoe", disabled == False)) == ["long", "longest"]  # noqa: E712
assert found(Or(name == "short", name == "long")) == ["long", "short"]
assert found(name.In("short", "longest", "nobody")) == ["longest", "short"]
assert found(name == "nobody") == []

# What is refused, by the texts of RouterOS.
refused(
    lambda: secrets.add(name="long", password="x", service="pppoe"),
    "failure: secret with the same name already exists",
)
refused(lambda: secrets.add(name="other", colour="red"), "unknown parameter colour")
trap = refused(lambda: secrets.update(**{".id": "*FFFF", "comment": "x"}), "no such item")
assert trap.category == 0, trap.category
refused(lambda: secrets.remove("*FFFF"), "no such item")
refused(lambda: secrets.add(name="other", profile="nowhere"), "input does not match any value of profile")
refused(lambda: list(api.path("nowhere")), "no such command prefix")
refused(lambda: list(secrets("jump")), "no such command")
assert sorted(row["name"] for row in secrets) == ["long", "longest", "short"], "a refusal changes nothing"

# Remove: one, and several at once.
secrets.add(name="kept", password="x", service="pppoe")
secrets.remove(ids["short"])
secrets.remove(ids["long"], ids["longest"])
assert [row["name"] for row in secrets] == ["kept"]
api.close()
