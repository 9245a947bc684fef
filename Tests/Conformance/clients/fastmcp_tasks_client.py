"""fastmcp 4 against `weft mcp`: progress, and tasks with cancellation and approval; arguments as for
official.py."""

import asyncio
import sys

import fastmcp_tasks  # noqa: F401  (clients declare the extension)
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from fastmcp_tasks import call_tool_task

WEFT, *CLUSTER, URL, TOKEN = sys.argv[1:]


def check(condition, *about):
    if not condition:
        raise AssertionError(about)


def sleeping(milliseconds):
    return {"plan": {"tasks": [{"id": "a", "tool_name": "sleep", "args": {"ms": milliseconds}},
                               {"id": "b", "tool_name": "echo", "args": {"x": "$a"}}]}}


async def use(client):
    # Becomes a task, which the client follows by itself.
    result = await client.call_tool("run_plan", sleeping(100))
    check(result.structured_content["outputs"] == {"b": {"x": None}}, result)
    result = await client.call_tool("echo", {"x": 1})
    check('"x"' in result.content[0].text, result)

    task = await call_tool_task(client, "run_plan", sleeping(300))
    check((await task.status()).status == "working")
    result = await task.result()
    check(result.structured_content["run"] == task.task_id, result)
    check((await task.status()).status == "completed")

    task = await call_tool_task(client, "run_plan", sleeping(60_000))
    await task.cancel()
    check((await task.wait(timeout=10)).status == "cancelled")

    failing = {"plan": {"tasks": [{"id": "a", "tool_name": "fail", "args": {}}]}}
    task = await call_tool_task(client, "run_plan", failing, raise_on_error=False)
    check((await task.wait(timeout=10)).status == "completed")
    check((await task.result()).is_error)


async def main():
    async def stdio():
        transport = StdioTransport(WEFT, ["mcp", "--expose-tools", *CLUSTER])
        async with Client(transport) as client:
            await use(client)

    async def http():
        async with Client(StreamableHttpTransport(URL, auth=TOKEN)) as client:
            await use(client)

    async def approval():
        asked = []

        async def answer(message, response_type, params, context):
            asked.append(message)
            return {"approve": True}

        transport = StdioTransport(WEFT, ["mcp", *CLUSTER, "--approve", "sleep"])
        async with Client(transport, elicitation_handler=answer) as client:
            task = await call_tool_task(client, "run_plan", sleeping(1))
            waiting = await task.wait(state="input_required", timeout=10)
            check(list(waiting.input_requests) == ["approve:a"], waiting)
            result = await task.result()
            check(not result.is_error and len(asked) == 1, result, asked)

    await asyncio.gather(stdio(), http(), approval())


asyncio.run(main())
