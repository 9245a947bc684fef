"""Runs the suite of goals with a model and prints how each way of planning did.

Started by Deploy/goals, which says what the options mean and installs what this needs.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
WAYS = {
    "json": ["--plan-format", "json"],
    "text": ["--plan-format", "text"],
    "planned": ["--plan-format", "text", "--strategy", "planned"],
    "react": ["--strategy", "react"],
}


def say(text):
    """Progress, for a person only."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def served(model):
    """The base URL of a server with the model: it is one already, or a file to serve."""
    if model.startswith(("http://", "https://")):
        yield model.rstrip("/")
        return
    command = [sys.executable, HERE / "serve.py", model]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            line = server.stdout.readline().split()
            if line[:1] != ["url"]:
                sys.exit(f"The model {model} could not be served.")
            yield line[1] + "/v1"
        finally:
            server.kill()


def plain(text):
    """Small letters, no signs of markup, no separators within numbers, no decimals of 0."""
    text = re.sub(r"[*_`$\\]", "", text.lower().replace("km²", "km2"))
    text = re.sub(r"(?<=\d)\.0+(?!\d)", "", text)
    return re.sub(r"(?<=\d)[,\u202f\u00a0 ](?=\d{3}\b)", "", text)


def matches(pattern, text):
    """A number must stand alone; a word in capitals must be in capitals."""
    if pattern.isupper():
        return pattern in text
    return re.search(rf"(?<![\d.\w])(?:{pattern})(?!\w|\.\d)", plain(text)) is not None


def judge(goal, run):
    wanted = goal["answer"] if isinstance(goal["answer"], list) else [goal["answer"]]
    answer = run.get("answer", "")
    answer = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    nodes = run.get("nodes", {}).values()
    outputs = "\n".join(str(node.get("output", "")) for node in nodes)
    succeeded = run.get("status") == "succeeded"
    is_right = succeeded and all(matches(each, answer) for each in wanted)
    if goal.get("may_fail") and not succeeded:
        is_right = True
    return {
        "right": is_right,
        "outputs": goal["calls"] == 0 or all(matches(each, outputs) for each in wanted),
        "answer": answer,
        "calls": len(nodes),
    }


def reach(weft, config, goal, way, limit):
    """Runs one goal; the figures of its run."""
    command = [weft, "run", goal["goal"], "--json", "--config", config, "--tools", "tools.yaml",
               "--workers", "1", "--timeout", f"{limit}s", *WAYS[way]]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_")}
    begun = time.monotonic()
    result = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True,
                            timeout=limit + 60, check=False)
    wall = time.monotonic() - begun
    try:
        run = json.loads(result.stdout)
    except json.JSONDecodeError:
        run = {}
    figures = judge(goal, run)
    usage = run.get("usage", {})
    ready = [node["ready_at_ms"] for node in run.get("nodes", {}).values() if "ready_at_ms" in node]
    figures.update(
        goal=goal["goal"], kind=goal["kind"], way=way, needed=goal["calls"],
        input=usage.get("input", 0), output=usage.get("output", 0),
        seconds=run.get("timing", {}).get("wall_ms", wall * 1_000) / 1_000,
        first_node=min(ready) / 1_000 if ready else None,
        error=run.get("error", {}).get("code") if run else result.stderr.strip()[-300:],
    )
    return figures


def median(values):
    values = [value for value in values if value is not None]
    return round(statistics.median(values), 2) if values else None


def summary(way, runs):
    return {
        "way": way,
        "goals": len(runs),
        "right_answers": sum(run["right"] for run in runs),
        "right_outputs": sum(run["outputs"] for run in runs),
        "tokens_in": median([run["input"] for run in runs]),
        "tokens_out": median([run["output"] for run in runs]),
        "first_node_s": median([run["first_node"] for run in runs]),
        "answer_s": median([run["seconds"] for run in runs]),
        "slowest_s": round(max(run["seconds"] for run in runs), 2),
        "calls": sum(run["calls"] for run in runs),
        "calls_needed": sum(run["needed"] for run in runs),
    }


def table(summaries):
    names = list(summaries[0])
    rows = [names] + [[str(each[name] if each[name] is not None else "-") for name in names]
                      for each in summaries]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    for row in rows:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths)))


def main():
    parser = argparse.ArgumentParser(prog="Deploy/goals", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="URL of a server, or a .gguf file")
    parser.add_argument("--name", default="model", help="the model's name at the server")
    parser.add_argument("--ways", default="json,text,react", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--only", default="", help="goals that contain this text")
    parser.add_argument("--limit", type=int, default=120, help="seconds that a goal may take")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    ways = options.ways.split(",")
    unknown = [way for way in ways if way not in WAYS]
    if unknown:
        parser.error(f"there is no way {unknown[0]}; there are {', '.join(WAYS)}")
    goals = json.loads((HERE / "goals.json").read_text(encoding="utf-8"))
    goals = [goal for goal in goals if options.only in goal["goal"]]
    if not goals:
        parser.error(f"no goal contains {options.only}")
    runs = []
    with served(options.model) as url, tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "weft.yaml"
        config.write_text(
            "models:\n  planner: {api: openai, model: '%s', base_url: '%s', temperature: 0}\n"
            % (options.name, url),
            encoding="utf-8",
        )
        for way in ways:
            for number, goal in enumerate(goals, 1):
                run = reach(os.environ["WEFT"], config, goal, way, options.limit)
                runs.append(run)
                mark = "right" if run["right"] else "WRONG"
                say(f"{way} {number}/{len(goals)} {mark} {run['seconds']:.1f} s  {goal['goal']}")
    summaries = [summary(way, [run for run in runs if run["way"] == way]) for way in ways]
    if options.json:
        print(json.dumps({
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "cores": os.cpu_count(), "model": os.path.basename(options.model),
            "ways": summaries, "runs": runs,
        }, ensure_ascii=False))
        return
    table(summaries)
    for run in runs:
        if not run["right"]:
            why = run["error"] or run["answer"].replace("\n", " ")[:200]
            print(f"\n{run['way']}: {run['goal']}\n    {why}")


if __name__ == "__main__":
    main()
