// One full and one minimal example of every kind of message, with the line each is written as.
// This half: the handshake and everything between coordinator and worker.
import Core
import JSON
import OrderedCollections
import Testing

@testable import Wire

/// A message and the line it is written as.
struct MessageExample: Sendable, CustomTestStringConvertible {
    let message: Message
    let line: String

    init(_ line: String, _ message: Message) {
        self.message = message
        self.line = line
    }

    var testDescription: String { line }
}

enum MessageExamples {
    static let all = opening + registration + attempts + control + runs + queries

    static let run = id(RunID("r7"))
    static let node = id(NodeID("t1"))
    static let attempt = AttemptID(run: run, node: 0, number: 1)
    static let other = AttemptID(run: run, node: 12, number: 3)
    static let bytes = [UInt8](repeating: 0xA7, count: 32)
    static let digits = String(repeating: "a7", count: 32)

    private static func id<ID>(_ id: ID?) -> ID {
        guard let id else { preconditionFailure("the example is no id") }
        return id
    }

    static func raw(_ text: String) -> RawJSON {
        RawJSON(trusted: Array(text.utf8)[...])
    }

    private static let opening = [
        MessageExample(
            #"{"type":"hello","versions":[1],"role":"client","name":"ada","nonce":"\#(digits)"}"#,
            .hello(Hello(role: .client, name: "ada", nonce: bytes))
        ),
        MessageExample(
            #"{"type":"hello","versions":[1],"role":"client","name":"ada","nonce":"\#(digits)","#
                + #""key":"alice~2"}"#,
            .hello(Hello(role: .client, name: "ada", nonce: bytes, key: "alice~2"))
        ),
        MessageExample(
            #"{"type":"hello","versions":[2,1],"role":"worker","name":"w-1","nonce":"\#(digits)","#
                + #""resume":{"session":"s1","epoch":3}}"#,
            .hello(
                Hello(
                    versions: [2, 1],
                    role: .worker,
                    name: "w-1",
                    nonce: bytes,
                    resume: Hello.Resume(session: "s1", epoch: 3)
                )
            )
        ),
        MessageExample(
            #"{"type":"challenge","version":1,"nonce":"\#(digits)","session":"s2","mac":"\#(digits)"}"#,
            .challenge(Challenge(nonce: bytes, session: "s2", mac: bytes))
        ),
        MessageExample(
            #"{"type":"auth","mac":"\#(digits)"}"#,
            .auth(Auth(mac: bytes))
        ),
        MessageExample(
            #"{"type":"welcome","session":"s2","epoch":3,"software":"weft 0.1","limits":"#
                + #"{"max_line":1048576,"max_value":268435456,"window":8388608},"#
                + #""heartbeat_ms":2000,"lease_ms":6000}"#,
            .welcome(
                Welcome(
                    session: "s2",
                    epoch: 3,
                    software: "weft 0.1",
                    limits: Limits().announced,
                    heartbeatMilliseconds: 2000,
                    leaseMilliseconds: 6000
                )
            )
        ),
    ]

    private static let registration = [
        MessageExample(
            #"{"type":"register","slots":4,"tools":[]}"#,
            .register(Register(slots: 4, tools: []))
        ),
        MessageExample(
            #"{"type":"register","slots":4096,"queue":16,"tools":[{"name":"search","description":"Finds.","#
                + #""parameters":{"type":"object"},"version":"2","idempotent":true,"#
                + #""read_only":true,"timeout_ms":1000,"max_attempts":3,"concurrency":2},"#
                + #"{"name":"x","description":"","parameters":{}}],"#
                + #""labels":{"zone":"a","gpu":"yes"},"#
                + #""in_flight":[{"attempt":"r7/0/1","state":"running"},"#
                + #"{"attempt":"r7/12/3","state":"done"}],"#
                + #""host":"h1","pid":77,"software":"weft 0.1"}"#,
            .register(
                Register(
                    slots: 4096,
                    queue: 16,
                    tools: [
                        ToolDescription(
                            name: "search",
                            description: "Finds.",
                            parameters: raw(#"{"type":"object"}"#),
                            version: "2",
                            isIdempotent: true,
                            isReadOnly: true,
                            timeoutMilliseconds: 1000,
                            maxAttempts: 3,
                            concurrency: 2
                        ),
                        ToolDescription(name: "x", description: ""),
                    ],
                    labels: ["zone": "a", "gpu": "yes"],
                    inFlight: [
                        InFlight(attempt: attempt, state: .running),
                        InFlight(attempt: other, state: .done),
                    ],
                    host: "h1",
                    pid: 77,
                    software: "weft 0.1"
                )
            )
        ),
        MessageExample(
            #"{"type":"register","slots":1,"tools":[],"#
                + #""withheld":[{"name":"search","reason":"gone"}],"replace":true}"#,
            .register(
                Register(
                    slots: 1,
                    tools: [],
                    withheld: [WithheldTool(name: "search", reason: "gone")],
                    isReplacing: true
                )
            )
        ),
        MessageExample(
            #"{"type":"offer","slots":1,"tools":[]}"#,
            .offer(Offer(slots: 1, tools: []))
        ),
        MessageExample(
            #"{"type":"offer","slots":2,"tools":[{"name":"x","description":"","parameters":{}}],"#
                + #""withheld":[{"name":"search","reason":""}]}"#,
            .offer(
                Offer(
                    slots: 2,
                    tools: [ToolDescription(name: "x", description: "")],
                    withheld: [WithheldTool(name: "search", reason: "")]
                )
            )
        ),
        MessageExample(
            #"{"type":"registered","adopt":[],"abandon":[]}"#,
            .registered(Registered())
        ),
        MessageExample(
            #"{"type":"registered","adopt":["r7/0/1"],"abandon":["r7/12/3"],"conflicts":["search"]}"#,
            .registered(
                Registered(adopt: [attempt], abandon: [other], conflicts: ["search"])
            )
        ),
        MessageExample(
            #"{"type":"registered","adopt":[],"abandon":[],"conflicts":["x"],"#
                + #""refused":[{"name":"x","reason":"no schema"}]}"#,
            .registered(
                Registered(
                    conflicts: ["x"],
                    refused: [WithheldTool(name: "x", reason: "no schema")]
                )
            )
        ),
    ]

    private static let attempts = [
        MessageExample(
            #"{"type":"dispatch","attempt":"r7/0/1","run":"r7","node":"t1","tool":"search","#
                + #""args":{"q":"x"},"lease_ms":6000,"max_output":1024,"number":1}"#,
            .dispatch(
                Dispatch(
                    attempt: attempt,
                    run: run,
                    node: node,
                    tool: "search",
                    arguments: .inline(raw(#"{"q":"x"}"#)),
                    leaseMilliseconds: 6000,
                    maxOutput: 1024,
                    number: 1
                )
            )
        ),
        MessageExample(
            #"{"type":"dispatch","attempt":"r7/12/3","run":"r7","node":"t1","tool":"search","#
                + #""args_chunks":{"count":2,"bytes":300000,"sha256":"\#(digits)"},"#
                + #""timeout_ms":1000,"lease_ms":6000,"max_output":1024,"number":3,"#
                + #""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#,
            .dispatch(
                Dispatch(
                    attempt: other,
                    run: run,
                    node: node,
                    tool: "search",
                    arguments: .chunked(count: 2, bytes: 300_000, sha256: digits),
                    timeoutMilliseconds: 1000,
                    leaseMilliseconds: 6000,
                    maxOutput: 1024,
                    number: 3,
                    traceParent: TraceParent(
                        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
                    )
                )
            )
        ),
        MessageExample(
            #"{"type":"started","attempt":"r7/0/1"}"#,
            .started(Started(attempt: attempt))
        ),
        MessageExample(
            #"{"type":"reject","attempt":"r7/0/1","code":"busy"}"#,
            .reject(Reject(attempt: attempt, code: .busy))
        ),
        MessageExample(
            #"{"type":"reject","attempt":"r7/0/1","code":"bad_args","message":"q is missing"}"#,
            .reject(Reject(attempt: attempt, code: .badArguments, message: "q is missing"))
        ),
        MessageExample(
            #"{"type":"reject","attempt":"r7/0/1","code":"busy","shortage":true}"#,
            .reject(Reject(attempt: attempt, code: .busy, isShortage: true))
        ),
        MessageExample(
            #"{"type":"progress","attempt":"r7/0/1"}"#,
            .progress(Progress(attempt: attempt))
        ),
        MessageExample(
            #"{"type":"progress","attempt":"r7/0/1","fraction":0.5,"note":"half"}"#,
            .progress(Progress(attempt: attempt, fraction: 0.5, note: "half"))
        ),
        MessageExample(
            #"{"type":"chunk","attempt":"r7/0/1","seq":0,"stream":"stdout","encoding":"utf8","#
                + #""data":"a \"b\"\n"}"#,
            .chunk(
                Chunk(
                    about: .attempt(attempt),
                    sequence: 0,
                    stream: .standardOutput,
                    data: Array("a \"b\"\n".utf8)
                )
            )
        ),
        MessageExample(
            #"{"type":"chunk","request":5,"seq":1,"stream":"value","encoding":"base64","#
                + #""data":"/w=="}"#,
            .chunk(Chunk(about: .request(5), sequence: 1, stream: .value, data: [0xFF]))
        ),
        MessageExample(
            #"{"type":"window","attempt":"r7/0/1","bytes":65536}"#,
            .window(Window(attempt: attempt, bytes: 65536))
        ),
        MessageExample(
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output":null}"#,
            .result(ResultMessage(attempt: attempt, outcome: .success(.inline(.null))))
        ),
        MessageExample(
            #"{"type":"result","attempt":"r7/0/1","ok":true,"output_chunks":{"count":1,"bytes":9},"#
                + #""truncated":true,"duration_us":1500}"#,
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .success(.chunked(count: 1, bytes: 9, sha256: nil)),
                    isTruncated: true,
                    durationMicroseconds: 1500
                )
            )
        ),
        MessageExample(
            #"{"type":"result","attempt":"r7/0/1","ok":false,"error":{"code":"timeout","#
                + #""message":"too slow","retryable":false}}"#,
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .failure(Failure(code: .timeout, message: "too slow"))
                )
            )
        ),
        MessageExample(
            #"{"type":"result","attempt":"r7/0/1","ok":false,"error":{"code":"tool_error","#
                + #""message":"exit 3","retryable":true,"exit_code":3,"signal":9,"#
                + #""stderr_tail":"no\n"},"duration_us":0}"#,
            .result(
                ResultMessage(
                    attempt: attempt,
                    outcome: .failure(
                        Failure(
                            code: .toolError,
                            message: "exit 3",
                            isRetryable: true,
                            exitCode: 3,
                            signal: 9,
                            stderrTail: "no\n"
                        )
                    ),
                    durationMicroseconds: 0
                )
            )
        ),
        MessageExample(
            #"{"type":"ack","attempts":["r7/0/1"]}"#,
            .ack(Ack(attempts: [attempt]))
        ),
        MessageExample(
            #"{"type":"ack","attempts":[],"stale":["r7/0/1","r7/12/3"]}"#,
            .ack(Ack(attempts: [], stale: [attempt, other]))
        ),
        MessageExample(
            #"{"type":"cancel","attempt":"r7/0/1","reason":"timeout","grace_ms":5000}"#,
            .cancel(Cancel(attempt: attempt, reason: Cancel.timeout, graceMilliseconds: 5000))
        ),
    ]
}
