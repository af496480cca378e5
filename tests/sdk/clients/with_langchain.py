"""LangChain for Python."""

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from driver import WEATHER, serve, weather


def model_of(base_url, api_key, model, **options):
    return ChatOpenAI(base_url=base_url, api_key=api_key, model=model, **options)


def outcome_of(answer, **more):
    return {"text": answer.text, "input": answer.usage_metadata["input_tokens"],
            "output": answer.usage_metadata["output_tokens"], **more}


def chat(prompt, **where):
    answer = model_of(**where, include_response_headers=True).invoke(prompt)
    return outcome_of(answer, cost=answer.response_metadata["headers"]["x-purser-cost-usd"])


def collect(chunks):
    """All chunks of a stream added up, and how many had text."""
    chunks = list(chunks)
    return sum(chunks[1:], chunks[0]), sum(bool(chunk.text) for chunk in chunks)


def stream(prompt, **where):
    answer, pieces = collect(model_of(**where, stream_usage=True).stream(prompt))
    return outcome_of(answer, pieces=pieces)


def tool(prompt, **where):
    model = model_of(**where, stream_usage=True).bind_tools([WEATHER])
    history = [HumanMessage(prompt)]
    asked, _ = collect(model.stream(history))
    call = asked.tool_calls[0]
    history += [asked, ToolMessage(weather(**call["args"]), tool_call_id=call["id"])]
    return outcome_of(collect(model.stream(history))[0], called=call["args"]["words"])


def embed(prompt, **where):
    vectors = OpenAIEmbeddings(**where, check_embedding_ctx_length=False).embed_documents(
        [prompt, "two"])
    return {"vectors": len(vectors)}


serve(chat=chat, stream=stream, tool=tool, embed=embed)
