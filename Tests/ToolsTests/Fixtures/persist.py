#!/usr/bin/env python3
"""A persistent tool that does as its arguments say."""
import json
import os
import signal
import sys
import time

calls = 0
if len(sys.argv) > 1 and sys.argv[1] == "banner":
    print("Loading the model ...", flush=True)
if len(sys.argv) > 1 and sys.argv[1] == "dies":
    print("no model here", file=sys.stderr, flush=True)
    sys.exit(3)


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


for line in sys.stdin:
    request = json.loads(line)
    args = request["args"]
    calls += 1
    reply = {"id": request["id"]}
    what = args.get("do", "echo")
    if what == "echo":
        say(json.dumps({**reply, "output": args.get("value")}))
    elif what == "last":
        say(json.dumps({**reply, "output": os.getpid()}))
        if args.get("close"):
            sys.stdin.close()
            os.close(0)
        time.sleep(0.2)
        sys.exit(args.get("code", 0))
    elif what == "complain":
        print("of this call: " + args["words"], file=sys.stderr, flush=True)
        say(json.dumps({**reply, "error": "it failed"}))
    elif what == "mutter":
        print("words of an earlier call", file=sys.stderr, flush=True)
        say(json.dumps({**reply, "output": os.getpid()}))
        if args.get("later"):
            time.sleep(0.1)
            print("more words of an earlier call", file=sys.stderr, flush=True)
            open(args["later"], "w").close()
    elif what == "facts":
        facts = {"pid": os.getpid(), "calls": calls, "folder": os.getcwd(),
                 "names": sorted(os.environ)}
        say(json.dumps({**reply, "output": facts}))
    elif what == "die":
        print("cannot go on", file=sys.stderr, flush=True)
        sys.exit(args.get("code", 4))
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "garbage":
        say("this is no reply")
    elif what == "wrong_id":
        say(json.dumps({"id": request["id"] + 1, "output": 1}))
    elif what == "no_id":
        say(json.dumps({"output": 1}))
    elif what == "empty":
        say(json.dumps(reply))
    elif what == "twice":
        say(json.dumps({**reply, "output": 1}) + "\n" + json.dumps({**reply, "output": 2}))
    elif what == "error":
        say(json.dumps({**reply, "error": args["error"]}))
    elif what == "slow_parts":
        print("working", file=sys.stderr, flush=True)
        text = json.dumps({**reply, "output": "x" * 100_000})
        for start in range(0, len(text), 30_000):
            sys.stdout.write(text[start:start + 30_000])
            sys.stdout.flush()
        say("")
    elif what == "hang":
        if args.get("ignore"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("hanging", file=sys.stderr, flush=True)
        while True:
            signal.pause()
    elif what == "ignore_end":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say(json.dumps({**reply, "output": os.getpid()}))
        while True:
            signal.pause()
