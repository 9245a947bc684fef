"""Compares what clients were told, what tools noted and what the journal has with what was computed
beforehand. It knows nothing of how the program works: the invariants are those of its documents."""

import dataclasses
import functools
import json

from tools import NOT_NOTED

SETTLED = ("succeeded", "failed", "skipped", "cancelled", "taken_over")


@dataclasses.dataclass
class Exported:
    """A run of the journal's export."""

    row: dict
    records: list = dataclasses.field(default_factory=list)

    @functools.cached_property
    def nodes(self):
        """Ids of nodes in the order of their positions."""
        return [str(task["id"]) for record in self.records if record["kind"] == "nodes_added"
                for task in record["tasks"]]


def read_export(text):
    """The runs of `weft journal export`, by id."""
    runs = {}
    for line in text.splitlines():
        entry = json.loads(line)
        if "record" in entry:
            runs[entry["run"]].records.append(entry["record"])
        elif "run" in entry:
            runs[entry["run"]] = Exported(entry)
    return runs


class Folded:
    """What the records of a run say of one node."""

    def __init__(self, name):
        self.name = name
        self.ends = []
        self.attempts = []
        self.workers = []
        self.dispatched = []
        self.causes = {}
        self.ready_at = None
        self.ended_place = None
        self.is_live = False
        self.last_at = 0

    @property
    def end(self):
        return self.ends[-1] if self.ends else None

    @property
    def status(self):
        kind = self.end["kind"] if self.ends else None
        return "succeeded" if kind == "taken_over" else kind


class Audit:
    """One audit of some runs; `problems` is what is wrong."""

    def __init__(self, faults, side_log, statistics):
        self.faults, self.statistics = faults, statistics
        self.problems = []
        self.started = {}
        for line in side_log.splitlines():
            run, node, attempt = line.split(" ")
            self.started.setdefault((run, node), []).append(int(attempt))

    def wrong(self, run, words):
        self.problems.append(f"run {run}: {words}")

    # -- A run

    def run(self, plan, exported, is_calm=False, was_cancelled=False):
        """Checks one run that has ended against its plan; returns its nodes by id."""
        run, records = exported.row["run"], exported.records
        nodes = {name: Folded(name) for name in exported.nodes}
        order = list(nodes.values())
        if set(nodes) != {node.id for node in plan.nodes}:
            self.wrong(run, f"has other nodes than its plan: {sorted(nodes)}")
            return nodes
        for place, record in enumerate(records):
            if "node" in record:
                self.fold(run, order[record["node"]], place, record)
        ends = [place for place, record in enumerate(records) if record["kind"] == "ended"]
        if ends != [len(records) - 1]:
            self.wrong(run, f"ends at {ends} of {len(records)} records")
            return nodes
        status = records[-1]["status"]
        asked = [place for place, record in enumerate(records) if record["kind"] == "cancel_asked"]
        if (asked or status == "cancelled") and not was_cancelled:
            self.wrong(run, "was cancelled, and nobody asked for it")
        for node in plan.nodes:
            self.node(plan, exported, node, nodes, bool(asked), is_calm)
            if asked and nodes[node.id].dispatched and nodes[node.id].dispatched[-1] > asked[0]:
                self.wrong(run, f"{node.id} was dispatched after the run was cancelled")
        whole = all(node.status == "succeeded" for node in nodes.values())
        wanted = "succeeded" if whole else "cancelled" if asked else "failed"
        if status != wanted:
            self.wrong(run, f"is {status} and should be {wanted}")
        if exported.row["status"] != status:
            self.wrong(run, f"is {status} by its records and {exported.row['status']} in its row")
        counts = {kind: sum(node.status == kind for node in nodes.values())
                  for kind in ("succeeded", "failed", "skipped", "cancelled")}
        if counts != {kind: exported.row[kind] for kind in counts}:
            self.wrong(run, f"has {counts}, and its row says {exported.row}")
        self.statistics.run(status, nodes.values())
        return nodes

    def fold(self, run, node, place, record):
        kind = record["kind"]
        if kind in SETTLED:
            node.ends.append(record)
            node.ended_place = place
            node.is_live = False
            if len(node.ends) > 1:
                self.wrong(run, f"{node.name} ended twice: {node.ends}")
        elif kind == "ready":
            node.ready_at = place
        elif kind == "dispatched":
            number = record["attempt"]
            if node.attempts and number <= node.attempts[-1]:
                self.wrong(run, f"{node.name} got attempt {number} after {node.attempts}")
            if node.is_live:
                self.wrong(run, f"{node.name} got attempt {number} while {node.attempts[-1]} ran")
            if node.ends:
                self.wrong(run, f"{node.name} got attempt {number} after its end")
            node.attempts.append(number)
            node.workers.append(record["worker"])
            node.dispatched.append(place)
            node.is_live = True
            node.last_at = record["at"]
        elif kind in ("retrying", "returned"):
            node.is_live = False
            cause = record.get("cause", "never_ran")
            # A tool that was killed did not report anything.
            if cause == "failed" and record["error"].get("exit_code") != 9:
                cause = "not by itself"
            node.causes[record["attempt"]] = cause

    # -- A node

    def node(self, plan, exported, node, nodes, is_cancelled, is_calm):
        run, folded = exported.row["run"], nodes[node.id]
        behind = [name for name in node.dependencies if nodes[name].status != "succeeded"]
        end, status = folded.end, folded.status
        self.starts(run, node, folded)
        if end is None:
            self.wrong(run, f"{node.id} has no end")
        elif status == "cancelled":
            if not is_cancelled:
                self.wrong(run, f"{node.id} was cancelled, and nobody asked for it")
        elif behind:
            because = list(nodes)[end["because"]] if status == "skipped" else None
            if status != "skipped" or because not in plan.ancestors(node.id) or \
                    nodes[because].status == "succeeded":
                self.wrong(run, f"{node.id} should be skipped because of {behind}: {end}")
        elif status == "failed":
            self.failure(exported, node, folded, is_calm)
        elif status == "skipped":
            self.wrong(run, f"{node.id} was skipped, and nothing before it failed")
        elif node.tool == "fails":
            self.wrong(run, f"{node.id} succeeded, and its tool always fails")
        elif end["output"] != node.output:
            self.wrong(run, f"{node.id} gave {str(end['output'])[:100]} instead of "
                       f"{str(node.output)[:100]}")
        if folded.ready_at is not None and end and end["kind"] != "taken_over":
            early = [name for name in node.dependencies
                     if (nodes[name].ended_place or 0) > folded.ready_at]
            if early:
                self.wrong(run, f"{node.id} was ready before {early}")
        self.statistics.compared += 1

    def failure(self, exported, node, folded, is_calm):
        """A failure is that of the tool, or one that the faults explain."""
        run, error = exported.row["run"], folded.end["error"]
        if node.tool == "fails":
            if error["code"] == "tool_error" and error.get("exit_code") == 7:
                return
        elif error["code"] == "outcome_unknown":
            began = exported.row["accepted_unix_ms"] / 1000
            names = (folded.workers[-1], "coordinator") if folded.workers else ("coordinator",)
            if node.is_idempotent:
                self.wrong(run, f"{node.id} may be repeated, and was given up: {error}")
            elif is_calm or not self.faults.was_hurt(
                    names, began + folded.last_at / 1e6, began + folded.end["at"] / 1e6):
                self.wrong(run, f"{node.id} failed with an unknown outcome, and {names} were well: "
                           f"{error}")
            self.statistics.unknown += 1
            return
        elif error["code"] == "worker_lost":
            lost = list(folded.causes.values()).count("worker_lost")
            if lost >= 2 and not is_calm:
                self.statistics.poisoned += 1
                return
        self.wrong(run, f"{node.id} failed: {error}")

    def starts(self, run, node, folded):
        """The side log against the journal."""
        if node.tool in NOT_NOTED:
            return
        started = self.started.get((run, node.id), [])
        self.statistics.starts += len(started)
        if len(set(started)) != len(started):
            self.wrong(run, f"{node.id} started twice in one attempt: {started}")
        if folded.status == "succeeded" and folded.end["kind"] != "taken_over" and not started:
            self.wrong(run, f"{node.id} succeeded and never started")
        unrecorded = [number for number in started if number not in folded.attempts]
        if folded.end and folded.end["kind"] == "taken_over" and started:
            self.wrong(run, f"{node.id} started although its output was there: {started}")
        if node.is_idempotent:
            self.statistics.unrecorded += len(unrecorded)
            if unrecorded and not self.faults.was_hurt(("coordinator", "disk"), 0, float("inf")):
                self.wrong(run, f"{node.id} started in attempts {unrecorded}, in no record")
            return
        if unrecorded:
            self.wrong(run, f"{node.id} may not be repeated and started in attempts {unrecorded}, "
                       "in no record")
        # Only what the tool itself reported as a failure lets it start again.
        for number in sorted(started)[:-1]:
            if folded.causes.get(number) != "failed":
                self.wrong(run, f"{node.id} may not be repeated and started in {started}: attempt "
                           f"{number} ended as {folded.causes.get(number)}")
        if folded.status == "succeeded" and folded.end["kind"] != "taken_over" and \
                started and max(started) != folded.attempts[-1]:
            self.wrong(run, f"{node.id} succeeded in attempt {folded.attempts[-1]}, and the last "
                       f"that started is {max(started)}")

    # -- A promise

    def promise(self, promise, runs, was_refusable):
        """Checks what a client was told; returns the run that belongs to it, if there is one."""
        label = promise.plan.label
        found = [each for each in runs if each.row.get("label") == label]
        if len(found) > 1:
            self.problems.append(f"{label}: there are {len(found)} runs of one submission")
            return None
        exported = found[0] if found else None
        if promise.run and (exported is None or exported.row["run"] != promise.run):
            self.problems.append(f"{label}: run {promise.run} was accepted and is not in the journal")
            return None
        self.exit(promise, exported, was_refusable)
        if exported and promise.status:
            self.told(promise, exported)
        return exported

    def exit(self, promise, exported, was_refusable):
        """How a command ended."""
        code, label = promise.exit, promise.plan.label
        if promise.way == "raw" or promise.was_killed:
            return
        if code in (3, 4) and was_refusable:
            self.statistics.refused += 1
            if code == 4 and exported and "not known" not in promise.said:
                self.problems.append(f"{label}: refused, and its run is there: {promise.said}")
        elif code not in (0, 1) or (promise.report is None and promise.way != "detached"):
            self.problems.append(f"{label}: weft run ended with {code}: {promise.said[-600:]}")

    def told(self, promise, exported):
        """What the client was told is what the journal has."""
        row, label = exported.row, promise.plan.label
        if promise.status != row["status"]:
            self.problems.append(f"{label}: a client was told {promise.status}, and it is "
                                 f"{row['status']}")
        answer = promise.answer if isinstance(promise.answer, dict) else {}
        ends = {name: None for name in exported.nodes}
        for record in exported.records:
            if record["kind"] in ("succeeded", "taken_over"):
                ends[exported.nodes[record["node"]]] = record
        for name, record in ends.items():
            if record and answer.get(name) != promise.plan[name].output:
                self.problems.append(f"{label}: the answer has {str(answer.get(name))[:100]} for "
                                     f"{name}")
            told = promise.report and promise.report["nodes"].get(name, {})
            if record and promise.report and told.get("output") != promise.plan[name].output:
                self.problems.append(f"{label}: the report has {str(told)[:200]} for {name}")
        self.statistics.answers += 1
