// A run for programs: its document with the answer and every node, one JSON object, written piece by
// piece. It may be larger than what fits into memory twice.
internal import Client
internal import Console
internal import Core
internal import JSON
internal import Wire

/// What `run --json` and `show --json` print.
final class RunReport {
    private let client: LastingClient
    private let run: RunID
    private let output: OutputQueue
    private var text = Text()
    /// Why the answer is missing, if it is too large to be sent.
    private var omission: CommandFailure?

    init(_ client: LastingClient, _ run: RunID, _ output: OutputQueue) {
        self.client = client
        self.run = run
        self.output = output
    }

    /// Asks for everything and writes it; an answer that is known is not asked for.
    ///
    /// `then` gets why the answer is missing, or why the report broke off.
    func write(
        answer: RawJSON? = nil,
        then: @escaping (Result<CommandFailure?, ClientError>) -> Void
    ) {
        client.get(.run, id: run.text) { [self] result in
            do {
                let document = try result.get()
                let hasEnded = try RunDocument(decoding: document).status != .running
                guard hasEnded, answer == nil else {
                    output.write(Text.opening(document, answer: answer))
                    return writeNodes(then)
                }
                fetchAnswer(then) { [self] answer in
                    output.write(Text.opening(document, answer: answer))
                    writeNodes(then)
                }
            } catch let error as ClientError {
                then(.failure(error))
            } catch let error as WireError {
                then(.failure(.unreadable(error)))
            } catch {
                preconditionFailure("nothing else is thrown: \(error)")
            }
        }
    }

    private func fetchAnswer(
        _ fail: @escaping (Result<CommandFailure?, ClientError>) -> Void,
        then: @escaping (RawJSON) -> Void
    ) {
        client.get(.answer, id: run.text) { [self] result in
            switch result {
            case .success(let answer): then(answer)
            case .failure(let error) where error.code == .limit:
                // The nodes have its outputs, one by one.
                omission = CommandFailure(
                    .failed,
                    "the answer is left out, and null in its place: \(error.message)"
                )
                then(.null)
            case .failure(let error): fail(.failure(error))
            }
        }
    }

    private func writeNodes(
        _ then: @escaping (Result<CommandFailure?, ClientError>) -> Void
    ) {
        client.forEachPage(of: run) { [self] page, goOn in
            output.write(text.nodes(page))
            output.whenDrained { goOn(true) }
        } then: { [self] result in
            if case .success = result { output.write(Array("}}\n".utf8)) }
            then(result.map { omission })
        }
    }

    /// The text of the report, in parts.
    struct Text {
        private var hasNodes = false

        /// The document of the run with the answer, up to its nodes.
        static func opening(_ run: RawJSON, answer: RawJSON?) -> [UInt8] {
            var bytes = Array(run.bytes.dropLast())
            if let answer { bytes += Array(#","answer":"#.utf8) + answer.bytes }
            return bytes + Array(#","nodes":{"#.utf8)
        }

        /// The nodes of a page, behind those before.
        mutating func nodes(_ page: NodesPage) -> [UInt8] {
            guard page.nodes.count > 2 else { return [] }
            let comma: [UInt8] = hasNodes ? [0x2C] : []
            hasNodes = true
            return comma + page.nodes.bytes.dropFirst().dropLast()
        }
    }
}
