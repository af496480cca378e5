"""The anthropic package for Python through purser: prints what came of each thing as a line of JSON.

    with_python.py URL KEY SPENT_KEY
"""

import json
import sys

import anthropic

URL, KEY, SPENT = sys.argv[1:]
ASK = {"model": "claude-sonnet-4-5", "max_tokens": 100,
       "messages": [{"role": "user", "content": "Say hello"}]}


def fake(wishes):
    return {"extra_headers": {"x-fake": wishes}}


def tell(**outcome):
    print(json.dumps(outcome))


client = anthropic.Anthropic(api_key=KEY, base_url=URL)

answer = client.messages.with_raw_response.create(**ASK, **fake("prompt=9,output=12"))
message = answer.parse()
tell(what="message", words=len(message.content[0].text.split()), stop=message.stop_reason,
     output=message.usage.output_tokens, cost=answer.headers["x-purser-cost-usd"])

with client.messages.stream(**ASK, **fake("prompt=9,cached=5,output=12")) as stream:
    pieces = list(stream.text_stream)
    message = stream.get_final_message()
tell(what="stream", pieces=len(pieces), whole="".join(pieces) == message.content[0].text,
     usage=[message.usage.input_tokens, message.usage.cache_read_input_tokens,
            message.usage.output_tokens])

tools = [{"name": "weather", "input_schema": {"type": "object", "properties": {
    "words": {"type": "string"}}}}]
with client.messages.stream(**ASK, tools=tools, **fake("output=20,tool=weather")) as stream:
    block = stream.get_final_message().content[-1]
tell(what="tool", name=block.name, argument=isinstance(block.input["words"], str))

count = client.messages.count_tokens(model=ASK["model"], messages=ASK["messages"],
                                     **fake("prompt=33"))
tell(what="count", tokens=count.input_tokens)

models = list(client.models.list(limit=5))
sonnet = client.models.retrieve("claude-sonnet-4-5")
tell(what="models", ids=[model.id for model in models], types=sorted({model.type for model in models}),
     one=[sonnet.id, sonnet.display_name, sonnet.created_at.year])

for key, change in ((SPENT, {}), ("nobody", {}), (KEY, {"model": "claude-77"})):
    try:
        anthropic.Anthropic(api_key=key, base_url=URL).messages.create(**{**ASK, **change})
    except anthropic.APIStatusError as error:
        tell(what="refused", kind=type(error).__name__, code=error.body["error"]["code"],
             message=error.message, id=error.request_id)
