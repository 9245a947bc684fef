"""The official Python client against `weft mcp`, in both eras."""

import asyncio
import sys

from mcp import Client, StdioServerParameters

WEFT = sys.argv[1]


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


async def main():
    server = StdioServerParameters(command=WEFT, args=["mcp", "--diagnostics", "--expose-tools"])

    async def stdio(mode, version):
        async with Client(server, mode=mode) as client:
            check(client.session.protocol_version == version, client.session.protocol_version)
            await use(client)

    await asyncio.gather(stdio("auto", "2026-07-28"), stdio("legacy", "2025-11-25"))


asyncio.run(main())
