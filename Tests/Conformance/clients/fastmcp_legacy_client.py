"""fastmcp 2, a client of the legacy era, against `weft mcp`; arguments as for official.py."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from fastmcp.exceptions import ToolError

WEFT, *CLUSTER, URL, TOKEN = sys.argv[1:]


def check(condition, *about):
    if not condition:
        raise AssertionError(about)


async def use(client):
    names = {tool.name for tool in await client.list_tools()}
    check({"run_plan", "echo"} <= names, names)
    seen = []

    async def progressed(progress, total, message):
        seen.append(progress)

    plan = {"tasks": [{"id": "a", "tool_name": "sleep", "args": {"ms": 600}},
                      {"id": "b", "tool_name": "echo", "args": {"x": "$a"}}]}
    result = await client.call_tool("run_plan", {"plan": plan}, progress_handler=progressed)
    check(result.structured_content["outputs"] == {"b": {"x": None}}, result)
    check(seen, "no progress")
    try:
        await client.call_tool("run_plan", {"plan": {"tasks": []}})
        check(False, "no error")
    except ToolError as error:
        check("empty_plan" in str(error), error)
    run = (await client.call_tool("submit_plan", {"plan": plan})).structured_content["run"]
    result = await client.call_tool("get_run", {"run_id": run, "wait_seconds": 10})
    check(result.structured_content["status"] == "succeeded", result)


async def main():
    async def stdio():
        transport = StdioTransport(WEFT, ["mcp", "--expose-tools", *CLUSTER])
        async with Client(transport) as client:
            await use(client)

    async def http():
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with Client(StreamableHttpTransport(URL, headers=headers)) as client:
            await use(client)

    await asyncio.gather(stdio(), http())


asyncio.run(main())
