// Responses with JSON. Not here: streams, the page.
internal import Client
internal import Core
internal import Gateway
internal import HTTPServer
internal import JSON
internal import Plans
internal import UVLoop
internal import Wire

enum PageReply {
    /// Sends JSON.
    static func answer(_ exchange: HTTPExchange, _ status: Int, _ body: [UInt8]) {
        exchange.answer(status, headers: headers, body: body)
    }

    /// Says why a request is refused.
    static func refuse(_ exchange: HTTPExchange, _ error: GatewayError) {
        let own = error.header.map { [($0.name, $0.value)] } ?? []
        exchange.answer(error.status, headers: headers + own, body: error.body)
    }

    private static let headers = [
        ("Content-Type", "application/json"), ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    ]
}

/// Orders, given on a connection to the coordinator.
enum PageOrders {
    /// Sends the message of an order, and answers when the coordinator has taken it.
    static func send(_ message: Message, _ client: CoordinatorClient, _ exchange: HTTPExchange) {
        switch message {
        case .submit(let submit):
            client.submit(submit) { update in
                switch update {
                case .accepted(let accepted):
                    let body = RawJSON.object { writer in
                        writer.field("run", accepted.run.text)
                        writer.field("existing", accepted.isExisting)
                    }
                    PageReply.answer(exchange, 201, Array(body.bytes))
                case .failed(let error): PageReply.refuse(exchange, GatewayError(error))
                case .planComplete, .event: break
                }
            }
        case .cancelRun(let cancel):
            client.cancelRun(cancel.run, reason: cancel.reason) { report($0, to: exchange) }
        case .approve(let approve):
            client.answer(approve) { report($0, to: exchange) }
        case .drain(let drain):
            client.drain(
                worker: drain.worker ?? "",
                reason: drain.reason,
                deadline: drain.deadlineMilliseconds.map { .milliseconds($0) }
            ) { report($0, to: exchange) }
        default: preconditionFailure("orders are these messages, not \(message.kind)")
        }
    }

    private static func report(_ result: Result<Void, ClientError>, to exchange: HTTPExchange) {
        switch result {
        case .success: PageReply.answer(exchange, 202, Array("{}".utf8))
        case .failure(let error): PageReply.refuse(exchange, GatewayError(error))
        }
    }
}

extension GatewayError {
    /// Refuses as the connection to the coordinator does.
    init(_ error: ClientError) {
        self = GatewayError(error.code ?? .busy, error.message)
        guard !error.problems.isEmpty else { return }
        var writer = JSONWriter()
        writer.beginArray()
        for problem in error.problems { problem.encode(into: &writer) }
        writer.endArray()
        problems = RawJSON(trusted: writer.bytes[...])
    }
}
