// The nodes of a run, page by page: each page is requested when the previous one has been handled,
// so that a run may have more nodes than fit into memory.
package import Core
package import JSON
package import Wire

/// Gives pages of the nodes of runs.
///
/// Confined to its loop.
package protocol NodeSource: AnyObject {
    /// Asks for the page of a run that begins with a node.
    func getNodes(
        of run: RunID,
        from: Int,
        then: @escaping (Result<RawJSON, ClientError>) -> Void
    )
}

extension CoordinatorClient: NodeSource {
    package func getNodes(
        of run: RunID,
        from: Int,
        then: @escaping (Result<RawJSON, ClientError>) -> Void
    ) {
        get(.nodes, id: run.text, from: from, then: then)
    }
}

extension LastingClient: NodeSource {
    package func getNodes(
        of run: RunID,
        from: Int,
        then: @escaping (Result<RawJSON, ClientError>) -> Void
    ) {
        get(.nodes, id: run.text, from: from, then: then)
    }
}

extension NodeSource {
    /// Asks for pages of nodes in the order of the plan.
    ///
    /// - Parameters:
    ///   - run: Which run.
    ///   - from: The node to begin with.
    ///   - onPage: Called with a page and a closure that tells whether to continue; call that
    ///     once, unless the page cannot be read.
    ///   - then: Called once, after the last page, when no further page is wanted, or when one cannot
    ///     be read.
    package func forEachPage(
        of run: RunID,
        from: Int = 0,
        onPage: @escaping (NodesPage, @escaping (Bool) -> Void) throws(WireError) -> Void,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        getNodes(of: run, from: from) { [self] result in
            do {
                let page = try NodesPage(decoding: try result.get())
                try onPage(page) { [self] goesOn in
                    guard goesOn, let next = page.next, next > from else {
                        return then(.success(()))
                    }
                    forEachPage(of: run, from: next, onPage: onPage, then: then)
                }
            } catch let error as WireError {
                then(.failure(.unreadable(error)))
            } catch let error as ClientError {
                then(.failure(error))
            } catch {
                preconditionFailure("nothing else is thrown: \(error)")
            }
        }
    }
}
