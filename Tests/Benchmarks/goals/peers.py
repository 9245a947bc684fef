"""Other agent frameworks on the suite of goals: the same tools, goals and model server.

Called by suite.py as `peers.py WAY URL MODEL LIMIT` with the goals as JSON on standard input; prints
one line of JSON for each: answer, outputs, seconds, seconds to the first call, error.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import yaml

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = yaml.safe_load((HERE / "tools.yaml").read_text(encoding="utf-8"))


class Calls:
    """The calls that an agent makes for one goal."""

    def __init__(self):
        self.begun = time.monotonic()
        self.first = None
        self.outputs = []

    def run(self, tool, arguments):
        if self.first is None:
            self.first = time.monotonic() - self.begun
        command = [sys.executable, str(HERE / "world.py"), tool, *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        output = result.stdout if result.returncode == 0 else "Error: " + result.stderr.strip()
        self.outputs.append(output)
        return output


CALLS = Calls()


def functions():
    """The tools as functions with text parameters, which is what all frameworks take."""
    made = []
    for tool in MANIFEST["tools"]:
        names = list(tool["parameters"]["properties"])
        # `from` is no name in Python.
        safe = [name + "_" if name in ("from", "import") else name for name in names]
        source = f"def {tool['name']}({', '.join(f'{name}: str' for name in safe)}) -> str:\n"
        source += f"    return CALLS.run({tool['name']!r}, [{', '.join(safe)}])\n"
        scope = {"CALLS": CALLS}
        exec(source, scope)  # The text is ours.
        function = scope[tool["name"]]
        notes = [f"{name}: {rules['description']}"
                 for name, rules in tool["parameters"]["properties"].items()
                 if "description" in rules]
        function.__doc__ = " ".join([tool["description"], *notes])
        made.append(function)
    return made


def llama_index_model(url, model):
    from llama_index.llms.openai_like import OpenAILike

    return OpenAILike(model=model, api_base=url, api_key="none", is_chat_model=True,
                      temperature=0, context_window=8192, max_tokens=1024, timeout=600)


def pack(url, model, has_examples):
    """LlamaIndex's LLMCompiler, with the examples that come with it, or with those of the tools."""
    import logging

    logging.disable(logging.CRITICAL)
    from llama_index.core.agent import AgentRunner
    from llama_index.core.tools import FunctionTool
    from llama_index.packs.agents_llm_compiler.step import LLMCompilerAgentWorker

    tools = [FunctionTool.from_defaults(fn=function) for function in functions()]
    text = None
    if has_examples:
        blocks = []
        for plan in MANIFEST["plans"]:
            lines = [f"{n}. {call}" for n, call in enumerate([*plan["calls"], "join()"], 1)]
            lines.insert(-1, "Thought: I can answer the question now.")
            blocks.append(f"Question: {plan['goal']}\n" + "\n".join(lines) + "<END_OF_PLAN>\n###\n")
        text = "\n".join(blocks)
    llm = llama_index_model(url, model)
    # from_tools drops the examples.
    worker = LLMCompilerAgentWorker(tools, llm, planner_example_prompt_str=text)
    return lambda goal: str(AgentRunner(worker).chat(goal))


def llama_index_react(url, model):
    from llama_index.core.agent import ReActAgent
    from llama_index.core.tools import FunctionTool

    tools = [FunctionTool.from_defaults(fn=function) for function in functions()]
    llm = llama_index_model(url, model)
    return lambda goal: str(ReActAgent.from_tools(tools, llm=llm, max_iterations=15).chat(goal))


def langchain(url, model):
    from langchain.agents import create_agent
    from langchain.tools import tool
    from langchain_openai import ChatOpenAI

    llm = ChatOpenAI(model=model, base_url=url, api_key="none", temperature=0, max_tokens=1024,
                     timeout=600)
    agent = create_agent(llm, [tool(function) for function in functions()])

    def ask(goal):
        messages = [{"role": "user", "content": goal}]
        return agent.invoke({"messages": messages}, {"recursion_limit": 30})["messages"][-1].content

    return ask


PEERS = {
    "pack": lambda url, model: pack(url, model, has_examples=False),
    "pack-examples": lambda url, model: pack(url, model, has_examples=True),
    "llamaindex-react": llama_index_react,
    "langchain": langchain,
}


def stop(_number, _frame):
    raise TimeoutError("the time is up")


def main():
    way, url, model, limit = sys.argv[1:]
    goals = json.load(sys.stdin)
    # What the frameworks print is not for standard output.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    ask = PEERS[way](url, model)
    signal.signal(signal.SIGALRM, stop)
    for goal in goals:
        CALLS.__init__()
        answer, error = "", None
        signal.alarm(int(limit))
        try:
            answer = ask(goal)
        except BaseException as problem:  # A framework's own failure is its result.
            error = re.sub(r"\s+", " ", f"{type(problem).__name__}: {problem}")[:300]
        signal.alarm(0)
        figures = {"answer": answer, "outputs": CALLS.outputs, "error": error,
                   "seconds": time.monotonic() - CALLS.begun, "first_node": CALLS.first}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(figures, ensure_ascii=False), file=output, flush=True)


if __name__ == "__main__":
    main()
