#!/usr/bin/python3
"""Ask the service one thing, as a script that uses python-requests does.

usage: ask.py METHOD URL [JSON]

The user and password are CIC_USER and CIC_PASSWORD of the environment.  Prints one line: the status, how many
redirects there were, and the body.
"""
import os
import sys

import requests

method, url = sys.argv[1:3]
body = sys.argv[3].encode() if len(sys.argv) > 3 else None
answer = requests.request(method, url, data=body, auth=(os.environ["CIC_USER"], os.environ["CIC_PASSWORD"]),
                          headers={"Content-Type": "application/json"} if body else {}, timeout=30)
print(answer.status_code, len(answer.history), answer.text.strip())
