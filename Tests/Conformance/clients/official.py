"""The official Python client against `weft mcp`: both eras, standard input and output and HTTP.

Arguments: the program, its arguments for the cluster, then URL and token of one that serves HTTP."""

import asyncio
import sys

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

WEFT, *CLUSTER, URL, TOKEN = sys.argv[1:]


def check(condition, *about):
    if not condition:
        raise AssertionError(about)


async def use(client):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    check({"run_plan", "submit_plan", "get_run", "cancel_run", "search_tools", "get_tool", "echo",
           "sleep"} <= set(tools), tools)
    check(tools["run_plan"].output_schema["type"] == "object")

    async def call(name, arguments, error=False, **options):
        result = await client.call_tool(name, arguments, **options)
        check(result.is_error == error, name, result)
        return result.structured_content

    found = await call("search_tools", {"query": "text of bytes"})
    check(found["tools"][0]["name"] == "payload", found)
    check("ms" in (await call("get_tool", {"name": "sleep"}))["parameters"]["properties"])

    plan = {"tasks": [{"id": "a", "tool_name": "echo", "args": {"value": {"n": 5}}},
                      {"id": "b", "tool_name": "echo", "args": {"value": "n is ${a.value.n}"}}]}
    check((await call("run_plan", {"plan": plan}))["outputs"] == {"b": {"value": "n is 5"}})
    outputs = (await call("run_plan", {"plan": plan, "outputs": ["a"]}))["outputs"]
    check(outputs == {"a": {"value": {"n": 5}}}, outputs)

    plan["tasks"][1]["tool_name"] = "ecko"
    problems = (await call("run_plan", {"plan": plan}, error=True))["problems"]
    check(problems[0]["code"] == "unknown_tool" and problems[0]["node"] == "b", problems)
    plan = {"tasks": [{"id": "a", "tool_name": "fail", "args": {}}]}
    failures = (await call("run_plan", {"plan": plan}, error=True))["failures"]
    check(failures[0]["node"] == "a" and failures[0]["tool"] == "fail", failures)

    # To tell of a run that failed is no failure.
    run = (await call("run_plan", {"plan": plan}, error=True))["run"]
    check((await call("get_run", {"run_id": run}))["failures"] == failures)

    seen = []

    async def progressed(progress, total, message):
        seen.append((progress, total, message))

    plan = {"tasks": [{"id": f"t{index}", "tool_name": "sleep", "args": {"ms": 250 * index}}
                      for index in range(4)]}
    await call("run_plan", {"plan": plan}, progress_callback=progressed)
    values = [each[0] for each in seen]
    check(values and values == sorted(set(values)) and seen[-1][1] == 4, seen)

    result = await client.call_tool("echo", {"value": "costs $5, not $call"})
    check("costs $5, not $call" in result.content[0].text, result)


async def cancel(client):
    """A call that is not waited for any longer ends its run."""
    try:
        await client.call_tool("run_plan", {"plan": {"tasks": [
            {"id": "a", "tool_name": "sleep", "args": {"ms": 60_000}}]}}, read_timeout_seconds=0.5)
        check(False, "no timeout")
    except Exception as error:
        check("timed out" in str(error).lower() or "timeout" in repr(error).lower(), error)


async def main():
    arguments = ["mcp", "--expose-tools", *CLUSTER]
    server = StdioServerParameters(command=WEFT, args=arguments)

    async def stdio(mode, version):
        async with Client(server, mode=mode) as client:
            check(client.session.protocol_version == version, client.session.protocol_version)
            await use(client)
            await cancel(client)

    async def http(mode, version):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx2.AsyncClient(headers=headers, timeout=30) as web:
            async with Client(streamable_http_client(URL, http_client=web), mode=mode) as client:
                check(client.session.protocol_version == version, client.session.protocol_version)
                await use(client)
                await cancel(client)

    async def approval():
        """A run waits until the user of the client has approved its nodes."""
        asked = []

        async def answer(context, params):
            asked.append(params.message)
            return ElicitResult(action="accept", content={"approve": len(asked) != 2})

        careful = StdioServerParameters(command=WEFT, args=[*arguments, "--approve", "noop"])
        async with Client(careful, elicitation_callback=answer) as client:
            plan = {"tasks": [{"id": "a", "tool_name": "noop", "args": {}},
                              {"id": "b", "tool_name": "echo", "args": {"x": "$a"}}]}
            result = await client.call_tool("run_plan", {"plan": plan})
            check(not result.is_error and "b" in result.structured_content["outputs"], result)
            result = await client.call_tool("run_plan", {"plan": plan})
            check(result.structured_content["failures"][0]["code"] == "denied", result)
            result = await client.call_tool("noop", {})
            check(not result.is_error, result)
            check(len(asked) == 3 and "call noop with {}" in asked[0], asked)

    await asyncio.gather(
        stdio("auto", "2026-07-28"), stdio("legacy", "2025-11-25"),
        http("auto", "2026-07-28"), http("legacy", "2025-11-25"), approval())


asyncio.run(main())
