#!/usr/bin/python3
"""Download an image as the data pipeline does: one GET, then up to ten more from where the last one broke off.

usage: transfer.py URL FILE

The user and password are CIC_USER and CIC_PASSWORD of the environment; without CIC_USER nobody is named.  Like the
pipeline it looks at no status, asks for gzip, sends no If-Range and writes down whatever body it gets.  With PAUSE, a
file, it stops after its first megabyte until that file is gone.

Prints one JSON object: what was promised, what has come, the statuses.
"""
import json
import os
import sys
import time

import requests

RESUMES = 10
FAULTS = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)


def wait_while_paused():
    pause = os.environ.get("PAUSE", "")
    if pause:
        open(pause + ".reached", "w").close()
    while pause and os.path.exists(pause):
        time.sleep(0.05)


def read_on(answer, out):
    """Write what comes; a connection that breaks is no error yet."""
    first = True
    try:
        for piece in answer.iter_content(1 << 20):
            out.write(piece)
            if first:
                wait_while_paused()
            first = False
    except FAULTS:
        pass


def transfer(url, path):
    user = os.environ.get("CIC_USER")
    auth = (user, os.environ.get("CIC_PASSWORD", "")) if user else None
    wanted, statuses = None, []
    with open(path, "wb") as out:
        while len(statuses) <= RESUMES and (wanted is None or out.tell() < wanted):
            headers = {"Range": "bytes=%d-" % out.tell()} if statuses else {}
            with requests.get(url, headers=headers, auth=auth, stream=True, timeout=30) as answer:
                statuses.append(answer.status_code)
                if wanted is None:
                    wanted = int(answer.headers["Content-Length"])
                read_on(answer, out)
        return {"wanted": wanted, "got": out.tell(), "statuses": statuses}


print(json.dumps(transfer(sys.argv[1], sys.argv[2])))
