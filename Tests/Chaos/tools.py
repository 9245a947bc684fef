"""The tools of a chaos session: their manifest, the programs that Python runs, and what each tool
makes of its arguments, computed here without any of them."""

import hashlib
import itertools
import json
import sys

ADD = """
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    output = sum(call["args"]["values"]) % 1000003
    print(json.dumps({"id": call["id"], "output": output}), flush=True)
"""
MEASURE = """
import hashlib, json, os, sys
with open(sys.argv[1], "a") as log:
    log.write("%s %s %s\\n" % tuple(os.environ["WEFT_" + name] for name in ("RUN", "NODE", "ATTEMPT")))
text = json.load(sys.stdin)["text"].encode()
print(json.dumps({"length": len(text), "digest": hashlib.sha256(text).hexdigest()[:16]}))
"""
# Each program notes its start before it does anything else: one write at the end of the side log.
NOTE = 'echo "$WEFT_RUN $WEFT_NODE $WEFT_ATTEMPT" >> "$0"; '
FLAKY = 'if [ "$WEFT_ATTEMPT" = 1 ]; then echo not yet >&2; exit 9; fi; '
# The sleeper has left session, parents, folder and environment behind.
DAEMON = "(cd / && env -i setsid sh -c 'setsid sleep %s &' < /dev/null > /dev/null 2>&1 &); "

IDEMPOTENT = {"add", "digest", "slow", "flaky", "large", "measure", "daemon", "fails"}
NOT_NOTED = {"add"}
"""Tools that stay, and so do not know for which node they run."""


def manifest(folder, side_log, sleeper):
    """The manifest, and beside it the programs that it names; `sleeper` marks what a tool leaves."""
    (folder / "add.py").write_text(ADD)
    (folder / "measure.py").write_text(MEASURE)
    integer, text = {"type": "integer"}, {"type": "string"}

    def shell(name, script, *words, output="json", **parameters):
        return {
            "name": name, "description": f"Does what {name} says.", "output": output,
            "parameters": {"type": "object", "properties": parameters,
                           "required": list(parameters)},
            "command": ["sh", "-c", NOTE + script, side_log, *words],
            "idempotent": name in IDEMPOTENT, "timeout": "60s", "max_attempts": 5}

    def python(name, *words, **fields):
        return {"name": name, "description": f"Does what {name} says.",
                "command": [sys.executable, "-I", "-S", f"{{manifest_dir}}/{name}.py", *words],
                "idempotent": name in IDEMPOTENT, "timeout": "60s", "max_attempts": 5, **fields}

    tools = [
        python("add", persistent=True, concurrency=2, parameters={
            "type": "object", "properties": {"values": {"type": "array", "items": integer}},
            "required": ["values"]}),
        python("measure", side_log, output="json", parameters={
            "type": "object", "properties": {"text": text}, "required": ["text"]}),
        shell("digest", 'printf %s "$1" | sha256sum | cut -c1-16', "{text}", output="text", text=text),
        shell("slow", 'sleep "$1"; echo "$2"', "{seconds}", "{value}", seconds=text, value=integer),
        shell("flaky", FLAKY + 'echo "$1"', "{value}", value=integer),
        shell("large", 'yes "$1" | head -c "$2"', "{word}", "{size}", output="text", word=text,
              size=integer),
        shell("daemon", DAEMON % sleeper + 'echo "$1"', "{value}", value=integer),
        shell("once", 'echo "once $2" >&2; sleep "$1"; echo $(($2 + 1))', "{seconds}", "{value}",
              seconds=text, value=integer),
        shell("flaky_once", FLAKY + 'echo $(($1 + 2))', "{value}", value=integer),
        {**shell("fails", "exit 7"), "max_attempts": 1},
    ]
    path = folder / "tools.yaml"
    path.write_text(json.dumps({"tools": tools}, indent=1))
    return path


def output(tool, args):
    """What the tool makes of these arguments."""
    match tool:
        case "add":
            return sum(args["values"]) % 1000003
        case "digest":
            return hashlib.sha256(args["text"].encode()).hexdigest()[:16]
        case "slow" | "flaky" | "daemon":
            return args["value"]
        case "once":
            return args["value"] + 1
        case "flaky_once":
            return args["value"] + 2
        case "large":
            repeated = itertools.islice(itertools.cycle(args["word"] + "\n"), args["size"])
            return "".join(repeated).removesuffix("\n")
        case "measure":
            text = args["text"].encode()
            return {"length": len(text), "digest": hashlib.sha256(text).hexdigest()[:16]}
    raise ValueError(tool)


def as_text(value):
    """A value within a text, as references put it there."""
    return value if isinstance(value, str) else json.dumps(
        value, separators=(",", ":"), ensure_ascii=False)
