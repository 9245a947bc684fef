"""What a chaos session did and found, as a text or as JSON."""

import collections
import dataclasses
import json
import time


@dataclasses.dataclass
class Statistics:
    """What the auditor compared."""

    runs: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    nodes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    attempts: int = 0
    starts: int = 0
    compared: int = 0
    answers: int = 0
    unknown: int = 0
    poisoned: int = 0
    refused: int = 0
    unrecorded: int = 0
    records: int = 0

    def run(self, status, nodes):
        self.runs[status] += 1
        for node in nodes:
            self.nodes["taken over" if node.end and node.end["kind"] == "taken_over"
                       else node.status] += 1
            self.attempts += len(node.attempts)


class Report:
    """Everything that is told at the end."""

    def __init__(self, seed, weft):
        self.seed, self.weft = seed, weft
        self.statistics = Statistics()
        self.problems = []
        self.begun = time.monotonic()
        self.rounds = 0
        self.promises = collections.Counter()
        self.resubmitted = 0
        self.ends_after_healing = []
        self.calm = 0
        self.retried = 0
        self.logs = 0
        self.scans = 0
        self.by_themselves = collections.Counter()
        self.peak_memory = 0
        self.descriptors = []
        self.restarts = {}
        self.faults = {}
        self.skipped = 0
        self.cuts = 0

    def wrong(self, words):
        self.problems.append(words)

    def ended_by_itself(self, process, status, why):
        """A worker may find its name taken, and a coordinator its disk full; nothing else ends."""
        if process.name != "coordinator" and "duplicate_name" in why:
            self.by_themselves["a worker whose name was still taken"] += 1
        elif process.name == "coordinator" and "no room on the disk" in why and status == 2:
            self.by_themselves["a coordinator without room on its disk"] += 1
        else:
            self.wrong(why)

    def document(self):
        statistics, ends = self.statistics, sorted(self.ends_after_healing)
        return {
            "seed": self.seed, "minutes": round((time.monotonic() - self.begun) / 60, 1),
            "rounds": self.rounds, "good": not self.problems, "problems": self.problems,
            "runs": dict(sorted(statistics.runs.items())),
            "nodes": dict(sorted(statistics.nodes.items())),
            "attempts": statistics.attempts, "starts": statistics.starts,
            "records": statistics.records,
            "clients": dict(sorted(self.promises.items())),
            "submitted_again": self.resubmitted,
            "faults": self.faults, "faults_without_a_target": self.skipped,
            "connections_cut_within": self.cuts,
            "starts_of_processes": self.restarts,
            "ended_by_themselves": dict(self.by_themselves),
            "compared": {
                "nodes_with_what_was_computed": statistics.compared,
                "answers_that_clients_got": statistics.answers,
                "runs_in_calm": self.calm, "runs_retried": self.retried, "logs": self.logs,
                "scans_for_what_is_left": self.scans},
            "unknown_outcomes": statistics.unknown, "lost_with_three_workers": statistics.poisoned,
            "refused_submissions": statistics.refused,
            "starts_in_no_record": statistics.unrecorded,
            "seconds_until_all_ended_after_healing": {
                "median": ends[len(ends) // 2], "most": ends[-1]} if ends else {},
            "coordinator": {"most_mib": round(self.peak_memory / (1 << 20), 1),
                            "descriptors": sorted(set(self.descriptors))},
        }

    def text(self):
        found = self.document()
        compared, after = found["compared"], found["seconds_until_all_ended_after_healing"]

        def listed(counts):
            return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"
        lines = [
            f"seed {found['seed']}: {found['minutes']} minutes, {found['rounds']} rounds",
            f"runs: {listed(found['runs'])}",
            f"nodes: {listed(found['nodes'])}; {found['attempts']} attempts, {found['starts']} "
            f"starts noted, {found['records']} records",
            f"clients: {listed(found['clients'])}; {found['submitted_again']} runs submitted again",
            f"faults: {listed(found['faults'])}; {found['faults_without_a_target']} without a target",
            f"starts of processes: {listed(found['starts_of_processes'])}; ended by themselves: "
            f"{listed(found['ended_by_themselves'])}",
            f"compared: {compared['nodes_with_what_was_computed']} nodes, "
            f"{compared['answers_that_clients_got']} answers, {compared['runs_in_calm']} runs in "
            f"calm, {compared['runs_retried']} retried, {compared['logs']} logs, "
            f"{compared['scans_for_what_is_left']} scans for what is left",
            f"allowed: {found['unknown_outcomes']} unknown outcomes, "
            f"{found['lost_with_three_workers']} lost with three workers, "
            f"{found['refused_submissions']} submissions refused, "
            f"{found['starts_in_no_record']} starts of repeatable tools in no record",
        ]
        if after:
            lines.append(f"after healing all runs had ended within {after['median']:.1f} s (median), "
                         f"{after['most']:.1f} s (most)")
        lines.append(f"coordinator: {found['coordinator']['most_mib']} MiB at most, descriptors in "
                     f"calm {found['coordinator']['descriptors']}")
        for words in found["problems"][:40]:
            lines.append(f"WRONG: {words}")
        if len(found["problems"]) > 40:
            lines.append(f"WRONG: and {len(found['problems']) - 40} more")
        return "\n".join(lines)

    def json(self):
        return json.dumps(self.document(), indent=1)
