// The nodes of a run, page by page: each page is requested when the previous one has been handled,
// so that a run may have more nodes than fit into memory.
package import Core
package import JSON
internal import Wire

extension CoordinatorClient {
    /// Asks for pages of nodes in the order of the plan.
    ///
    /// - Parameters:
    ///   - run: Which run.
    ///   - from: The node to begin with.
    ///   - onPage: Called with a page and a closure that tells whether to continue; call that once.
    ///   - then: Called once, after the last page or when no further page is wanted.
    package func forEachPage(
        of run: RunID,
        from: Int = 0,
        onPage: @escaping (RawJSON, @escaping (Bool) -> Void) -> Void,
        then: @escaping (Result<Void, ClientError>) -> Void
    ) {
        get(.nodes, id: run.text, from: from) { [self] result in
            switch result {
            case .failure(let error):
                then(.failure(error))
            case .success(let page):
                onPage(page) { [self] goesOn in
                    guard goesOn, let next = page.value(at: [.key("next")])?.intValue, next > from
                    else { return then(.success(())) }
                    forEachPage(of: run, from: next, onPage: onPage, then: then)
                }
            }
        }
    }
}
