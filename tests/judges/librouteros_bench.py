"""Does by librouteros what the bench of the RouterOS client does, and prints figures as JSON.

python3 librouteros_bench.py codec ROUNDS       rows encoded and decoded, per second of processor time
python3 librouteros_bench.py print HOST PORT    seconds to print all secrets, and how many there were
python3 librouteros_bench.py add HOST PORT N    seconds to add N secrets
python3 librouteros_bench.py change HOST PORT X seconds to find a secret by name, change it and read it back
"""

import json
import sys
import time

import librouteros
from librouteros.api import Api
from librouteros.query import Key
from librouteros.protocol import ApiProtocol, encode_sentence

# The same row as in the bench of our own codec.
ROW = [
    "!re",
    "=.id=*1A2B",
    "=name=customer-4711",
    "=password=dial-1234",
    "=service=pppoe",
    "=profile=home-10M",
    "=limit-bytes-in=0",
    "=limit-bytes-out=0",
    "=last-logged-out=2026-01-15 09:00:00",
    "=disabled=false",
    "=comment=mw:0123456789ab",
]


class Memory:
    """A transport that reads what is already there."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def read(self, length):
        self.at += length
        return self.data[self.at - length : self.at]


def codec(rounds):
    before = time.thread_time()
    sentences = [encode_sentence(*ROW, encoding="utf-8") for _ in range(rounds)]
    encoding = time.thread_time() - before
    api = Api(ApiProtocol(Memory(b"".join(sentences)), "utf-8"))
    before = time.thread_time()
    for _ in range(rounds):
        reply, row = api.readSentence()
        assert reply == "!re" and row["name"] == "customer-4711"
    decoding = time.thread_time() - before
    return {"encoded": rounds / encoding, "decoded": rounds / decoding}


def connect(host, port):
    return librouteros.connect(host, "admin", "", port=int(port), encoding="utf-8", timeout=60)


def print_all(host, port):
    secrets = connect(host, port).path("ppp", "secret")
    before = time.perf_counter()
    rows = list(secrets)
    return {"seconds": time.perf_counter() - before, "rows": len(rows)}


def add(host, port, count):
    secrets = connect(host, port).path("ppp", "secret")
    before = time.perf_counter()
    for number in range(int(count)):
        secrets.add(name=f"python-{number}", password="dial-1234", service="pppoe", comment="mw:0123456789ab")
    return {"seconds": time.perf_counter() - before}


def change(host, port, name):
    secrets = connect(host, port).path("ppp", "secret")
    one = secrets.select(".id", "profile").where(Key("name") == name)
    before = time.perf_counter()
    row = list(one)[0]
    secrets.update(**{".id": row[".id"], "profile": row["profile"]})
    assert list(one)[0]["profile"] == row["profile"]
    return {"seconds": time.perf_counter() - before}


task, arguments = sys.argv[1], sys.argv[2:]
tasks = {"codec": lambda rounds: codec(int(rounds)), "print": print_all, "add": add, "change": change}
print(json.dumps(tasks[task](*arguments)))
