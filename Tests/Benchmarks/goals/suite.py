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

from counting import counted

HERE = pathlib.Path(__file__).resolve().parent
# A way: flags of `weft run`, and fields of the model's configuration.
WAYS = {
    "text": (["--plan-format", "text"], ""),
    "grammar": (["--plan-format", "text"], ", grammar: true"),
    "json": (["--plan-format", "json"], ""),
    "planned": (["--plan-format", "text", "--strategy", "planned"], ""),
    "growing": (["--plan-format", "text", "--strategy", "growing"], ""),
    "react": (["--strategy", "react"], ""),
}
PEERS = ["pack", "pack-examples", "llamaindex-react", "langchain"]


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


def judge(goal, answer, outputs, succeeded):
    """Whether an answer is right, and whether the outputs of the calls have what it needs."""
    wanted = goal["answer"] if isinstance(goal["answer"], list) else [goal["answer"]]
    needed = goal.get("outputs", wanted)
    answer = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    text = "\n".join(map(str, outputs))
    is_right = succeeded and all(matches(each, answer) for each in wanted)
    if goal.get("may_fail") and not succeeded:
        is_right = True
    return {
        "right": is_right,
        "outputs": goal["calls"] == 0 or all(matches(each, text) for each in needed),
        "answer": answer,
        "calls": len(outputs),
    }


def written(recording):
    """What the models wrote, one text for each call."""
    texts = []
    for line in recording.read_text(encoding="utf-8").splitlines() if recording.exists() else []:
        event = json.loads(line)
        if "call" in event:
            texts.append(event["call"] + ": ")
        elif "delta" in event:
            texts[-1] += event["delta"]
    recording.unlink(missing_ok=True)
    return texts


def reach(weft, config, goal, way, limit):
    """Runs one goal; the figures of its run."""
    recording = config.with_name("recording")
    command = [weft, "run", goal["goal"], "--json", "--config", config, "--tools", "tools.yaml",
               "--workers", "1", "--timeout", f"{limit}s", "--record", recording, *WAYS[way][0]]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_")}
    begun = time.monotonic()
    result = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True,
                            timeout=limit + 60, check=False)
    wall = time.monotonic() - begun
    try:
        run = json.loads(result.stdout)
    except json.JSONDecodeError:
        run = {}
    nodes = run.get("nodes", {}).values()
    outputs = [node.get("output", "") for node in nodes]
    figures = judge(goal, run.get("answer", ""), outputs, run.get("status") == "succeeded")
    usage = run.get("usage", {})
    ready = [node["ready_at_ms"] for node in nodes if "ready_at_ms" in node]
    figures.update(
        goal=goal["goal"], kind=goal["kind"], way=way, needed=goal["calls"],
        input=usage.get("input", 0), output=usage.get("output", 0),
        seconds=run.get("timing", {}).get("wall_ms", wall * 1_000) / 1_000,
        first_node=min(ready) / 1_000 if ready else None,
        error=run.get("error", {}).get("code") if run else result.stderr.strip()[-300:],
        written=written(recording),
    )
    figures["ended"] = bool(run.get("status")) and figures["error"] != "timeout"
    # Each plan has one call of the planner, and one of the joiner if it could be used.
    calls = [text.split(":")[0] for text in figures["written"]]
    plans = calls.count("joiner") + (1 if calls[-1:] == ["planner"] else 0)
    figures["repairs"] = max(0, calls.count("planner") - plans) if way != "react" else 0
    return figures


def reach_by_peer(peer, url, name, goals, limit):
    """Runs all goals with another framework; the figures of each."""
    with counted(url) as (proxy, counter):
        command = [os.environ["PEERS_PYTHON"], HERE / "peers.py", peer, proxy, name, str(limit)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            json.dump([goal["goal"] for goal in goals], process.stdin)
            process.stdin.close()
            for goal in goals:
                run = json.loads(process.stdout.readline())
                tokens = counter.take()
                figures = judge(goal, run["answer"], run["outputs"], run["error"] is None)
                figures.update(
                    goal=goal["goal"], kind=goal["kind"], way=peer, needed=goal["calls"],
                    input=tokens[0], output=tokens[1], seconds=run["seconds"],
                    first_node=run["first_node"], error=run["error"], written=[],
                    ended=run["error"] is None or "time is up" not in run["error"], repairs=0,
                )
                yield figures


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
        "ended": sum(run["ended"] for run in runs),
        "broken": len([run for run in runs if run["repairs"]]),
        "repaired": len([run for run in runs if run["repairs"] and run["error"] != "bad_plan"]),
    }


def table(summaries):
    heads = ["way", "goals", "right", "out ok", "tok in", "tok out", "1st s", "answer s", "max s",
             "calls", "need", "ended", "broken", "mended"]
    rows = [heads] + [[str("-" if value is None else value) for value in each.values()]
                      for each in summaries]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths)))


def report(summaries, runs):
    table(summaries)
    for run in runs:
        if not run["right"]:
            why = run["error"] or run["answer"].replace("\n", " ")[:200]
            print(f"\n{run['way']}: {run['goal']}\n    {why}")
            for text in run["written"]:
                print("    | " + text.strip()[:600].replace("\n", "\n    |   "))


def main():
    parser = argparse.ArgumentParser(prog="Deploy/goals", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="URL of a server, or a .gguf file")
    parser.add_argument("--name", default="model", help="the model's name at the server")
    parser.add_argument("--ways", default="text,json,react",
                        help=f"of {', '.join([*WAYS, *PEERS])}")
    parser.add_argument("--only", default="", help="goals that contain this text")
    parser.add_argument("--limit", type=int, default=120, help="seconds that a goal may take")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--check", action="store_true",
                        help="fail unless every goal ended by itself, right or not")
    options = parser.parse_args()
    ways = options.ways.split(",")
    unknown = [way for way in ways if way not in WAYS and way not in PEERS]
    if unknown:
        parser.error(f"there is no way {unknown[0]}; there are {', '.join([*WAYS, *PEERS])}")
    if "PEERS_PYTHON" not in os.environ and not WAYS.keys() >= set(ways):
        parser.error("peers need a Python that has them, named by PEERS_PYTHON")
    goals = json.loads((HERE / "goals.json").read_text(encoding="utf-8"))
    goals = [goal for goal in goals if options.only in goal["goal"]]
    if not goals:
        parser.error(f"no goal contains {options.only}")
    runs = []
    with served(options.model) as url, tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "weft.yaml"
        for way in ways:
            if way in WAYS:
                config.write_text(
                    "models:\n  planner: {api: openai, model: '%s', base_url: '%s', "
                    "temperature: 0%s}\n" % (options.name, url, WAYS[way][1]),
                    encoding="utf-8",
                )
                found = (reach(os.environ["WEFT"], config, goal, way, options.limit)
                         for goal in goals)
            else:
                found = reach_by_peer(way, url, options.name, goals, options.limit)
            for number, run in enumerate(found, 1):
                runs.append(run)
                mark = "right" if run["right"] else "WRONG"
                say(f"{way} {number}/{len(goals)} {mark} {run['seconds']:.1f} s  {run['goal']}")
    summaries = [summary(way, [run for run in runs if run["way"] == way]) for way in ways]
    if options.json:
        print(json.dumps({
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "cores": os.cpu_count(), "model": os.path.basename(options.model),
            "ways": summaries, "runs": runs,
        }, ensure_ascii=False))
    else:
        report(summaries, runs)
    if options.check and not all(run["ended"] for run in runs):
        sys.exit("Not every goal ended by itself.")


if __name__ == "__main__":
    main()
