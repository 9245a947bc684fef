// Answers about single nodes: pages of them, and one with its arguments. Outputs stay where they
// are, however large.

internal import Core
internal import JSON
internal import Plans
internal import Runs
internal import Wire

extension CoordinatorMachine {
    /// A page of nodes in plan order; `next` continues.
    func nodesPage(_ run: Int, from: Int, limit: Int) -> (data: JSONPieces, next: Int?) {
        let count = runs[run].state.plan.count
        let first = min(from, count)
        var next = first
        var work = PageWork()
        var page = NodesPage.Writer()
        while next < count, next - first < limit, !work.isUsedUp,
            next == first
                || page.count + (runs[run].state.results.outputs[next]?.count ?? 0)
                    < limits.maxValue - limits.maxLine
        {
            let before = page.count
            page.add(runs[run].state.plan[next].id, runs[run].state.document(of: next))
            work.look(2)
            work.write(bytes: page.count - before)
            next += 1
        }
        let continuation = next < count ? next : nil
        return (page.finish(next: continuation, total: count), continuation)
    }

    /// A page of nodes without anything large; `next` continues.
    func graphPage(_ run: Int, from: Int, limit: Int) -> (data: JSONPieces, next: Int?) {
        let plan = runs[run].state.plan
        var node = min(from, plan.count)
        var work = PageWork()
        var page = GraphPage(nodes: [], total: plan.count)
        while node < plan.count, page.nodes.count < limit, !work.isUsedUp {
            let dependencies = plan.dependencies(of: node).map { Int($0) }
            let planned = plan[node]
            work.look(1 + dependencies.count / 8)
            work.write(bytes: 160 + planned.id.text.utf8.count + planned.tool.utf8.count)
            page.nodes.append(
                GraphPage.Node(
                    id: planned.id,
                    course: runs[run].state.document(of: node),
                    dependencies: dependencies
                )
            )
            node += 1
        }
        return (JSONPieces(page.json), node < plan.count ? node : nil)
    }

    func nodeDetails(_ run: Int, _ node: Int, _ now: Instant) -> NodeDetails {
        let plan = runs[run].state.plan
        let arguments = shownArguments(of: node, run)
        return NodeDetails(
            id: plan[node].id,
            node: runs[run].state.document(of: node),
            dependencies: plan.dependencies(of: node).map { plan[$0].id },
            arguments: arguments.value,
            areArgumentsOmitted: arguments.isOmitted,
            reasons: told(reasons(for: node, in: run, now), run)
        )
    }
}
