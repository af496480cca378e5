"""What drives a client written in Python: a job per line comes in, an outcome per line goes out.

serve(chat=..., stream=..., ...) gives each job to the function that it names, with base_url,
api_key, model and prompt. Outcomes are what a user of the client sees; an exception is one, too:
{"error": its class, "message": its text}.
"""

import json
import sys


def weather(words):
    """The tool that agents have; what it tells has the fake provider answer in three words."""
    return f"Sunny, said {words}. [fake prompt=60 output=3]"


WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather somewhere",
    "parameters": {"type": "object", "properties": {"words": {"type": "string"}},
                   "required": ["words"]}}}


def user(prompt):
    return [{"role": "user", "content": prompt}]


def serve(**deeds):
    outcomes, sys.stdout = sys.stdout, sys.stderr  # what clients print is no outcome
    for line in sys.stdin:
        job = json.loads(line)
        try:
            outcome = deeds[job.pop("do")](**job)
        except Exception as error:
            outcome = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(outcome), file=outcomes, flush=True)
