// The other half of the examples: upkeep of a connection, runs and questions.
import Core
import JSON
import Plans

@testable import Wire

extension MessageExamples {
    static let control = [
        MessageExample(#"{"type":"ping","n":7}"#, .ping(Ping(n: 7))),
        MessageExample(#"{"type":"pong","n":7}"#, .pong(Pong(n: 7))),
        MessageExample(
            #"{"type":"pong","n":7,"in_flight":["r7/0/1"]}"#,
            .pong(Pong(n: 7, inFlight: [attempt]))
        ),
        MessageExample(
            #"{"type":"pong","n":8,"in_flight":[]}"#,
            .pong(Pong(n: 8, inFlight: []))
        ),
        MessageExample(#"{"type":"drain"}"#, .drain(Drain())),
        MessageExample(
            #"{"type":"drain","reason":"update","deadline_ms":60000,"worker":"w-1"}"#,
            .drain(Drain(reason: "update", deadlineMilliseconds: 60_000, worker: "w-1"))
        ),
        MessageExample(#"{"type":"bye","reason":"drained"}"#, .bye(Bye(reason: "drained"))),
        MessageExample(
            #"{"type":"bye","reason":"shutting_down","keeps_runs":true}"#,
            .bye(Bye(reason: "shutting_down", keepsRuns: true))
        ),
        MessageExample(
            #"{"type":"error","code":"busy","message":"Later.","fatal":false}"#,
            .error(ErrorMessage(code: .busy, message: "Later.", isFatal: false))
        ),
        MessageExample(
            #"{"type":"error","code":"not_leader","message":"b leads.","fatal":true,"#
                + #""leader":"b:7420"}"#,
            .error(
                ErrorMessage(
                    code: .notLeader,
                    message: "b leads.",
                    isFatal: true,
                    leader: "b:7420"
                )
            )
        ),
        MessageExample(
            #"{"type":"error","code":"bad_plan","message":"No.","fatal":true,"about":"k1","#
                + #""request":4,"problems":[{"code":"cycle","node":"t1","message":"t1 → t1"},"#
                + #"{"code":"unknown_reference","message":"$x","warning":true}]}"#,
            .error(
                ErrorMessage(
                    code: .badPlan,
                    message: "No.",
                    isFatal: true,
                    about: "k1",
                    request: 4,
                    problems: [
                        PlanProblem(code: .cycle, node: "t1", message: "t1 → t1"),
                        PlanProblem(code: .unknownReference, message: "$x", isWarning: true),
                    ]
                )
            )
        ),
    ]

    static let runs = [
        MessageExample(
            #"{"type":"submit","key":"k1","plan":{"tasks":[]},"join":"concat","#
                + #""on_missing_tool":"wait"}"#,
            .submit(Submit(key: "k1", plan: raw(#"{"tasks":[]}"#)))
        ),
        MessageExample(
            #"{"type":"submit","key":"k1","plan":{"tasks":[]},"stream":true,"join":"json","#
                + #""tools":["search"],"budget":{"nodes":10,"wall_ms":5000},"#
                + #""on_missing_tool":"fail","watch":"all","join_instruction":"Say it.","#
                + #""label":"mine","#
                + #""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}"#,
            .submit(
                Submit(
                    key: "k1",
                    plan: raw(#"{"tasks":[]}"#),
                    isStreamed: true,
                    join: .json,
                    tools: ["search"],
                    budget: Budget(nodes: 10, wallMilliseconds: 5000),
                    onMissingTool: .fail,
                    watch: .all,
                    joinInstruction: "Say it.",
                    label: "mine",
                    traceParent: TraceParent(
                        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
                    )
                )
            )
        ),
        MessageExample(
            #"{"type":"submit","key":"k1","stream":true,"join":"concat","tools":[],"#
                + #""on_missing_tool":"wait"}"#,
            .submit(Submit(key: "k1", plan: nil, isStreamed: true, tools: []))
        ),
        MessageExample(
            #"{"type":"submit","key":"k1","goal":"Find it.","join":"llm","#
                + #""on_missing_tool":"wait"}"#,
            .submit(Submit(key: "k1", plan: nil, goal: "Find it.", join: .llm))
        ),
        MessageExample(
            #"{"type":"submit","key":"k1","goal":"Find it.","planner":{"format":"text","#
                + #""repairs":0,"rounds":20,"on_model_failure":"cancel"},"join":"json","#
                + #""budget":{"nodes":10,"wall_ms":5000,"tokens":900},"on_missing_tool":"wait"}"#,
            .submit(
                Submit(
                    key: "k1",
                    plan: nil,
                    goal: "Find it.",
                    planner: PlannerOptions(
                        format: .text,
                        repairs: 0,
                        rounds: 20,
                        onModelFailure: .cancel
                    ),
                    join: .json,
                    budget: Budget(nodes: 10, wallMilliseconds: 5000, tokens: 900)
                )
            )
        ),
        MessageExample(
            #"{"type":"submit","key":"k1","goal":"Find it.","planner":{"rounds":1,"#
                + #""on_model_failure":"finish"},"join":"concat","budget":{"tokens":1},"#
                + #""on_missing_tool":"wait"}"#,
            .submit(
                Submit(
                    key: "k1",
                    plan: nil,
                    goal: "Find it.",
                    planner: PlannerOptions(rounds: 1),
                    budget: Budget(tokens: 1)
                )
            )
        ),
        MessageExample(
            #"{"type":"submit","key":"k1","goal":"Find it.","planner":{"#
                + #""on_model_failure":"finish","strategy":"react","plan_only":true},"#
                + #""join":"tool:report","budget":{"cost":0.5,"running":1},"on_missing_tool":"wait"}"#,
            .submit(
                Submit(
                    key: "k1",
                    plan: nil,
                    goal: "Find it.",
                    planner: PlannerOptions(strategy: .react, isPlanOnly: true),
                    join: .tool("report"),
                    budget: Budget(cost: 0.5, running: 1)
                )
            )
        ),
        MessageExample(
            #"{"type":"nodes","key":"k1","tasks":[]}"#,
            .nodes(Nodes(key: "k1", tasks: []))
        ),
        MessageExample(
            #"{"type":"nodes","key":"k1","tasks":[{"id":"t1"},{"id":"t2"}],"last":true,"#
                + #""join_instruction":"Say it."}"#,
            .nodes(
                Nodes(
                    key: "k1",
                    tasks: [raw(#"{"id":"t1"}"#), raw(#"{"id":"t2"}"#)],
                    isLast: true,
                    joinInstruction: "Say it."
                )
            )
        ),
        MessageExample(
            #"{"type":"nodes","key":"k1","tasks":[],"broken_off":"it ends."}"#,
            .nodes(Nodes(key: "k1", tasks: [], brokenOff: "it ends."))
        ),
        MessageExample(
            #"{"type":"accepted","key":"k1","run":"r7","existing":false}"#,
            .accepted(Accepted(key: "k1", run: run))
        ),
        MessageExample(
            #"{"type":"accepted","key":"k1","run":"r7","existing":true}"#,
            .accepted(Accepted(key: "k1", run: run, isExisting: true))
        ),
        MessageExample(#"{"type":"cancel_run","run":"r7"}"#, .cancelRun(CancelRun(run: run))),
        MessageExample(
            #"{"type":"cancel_run","run":"r7","reason":"enough"}"#,
            .cancelRun(CancelRun(run: run, reason: "enough"))
        ),
        MessageExample(
            #"{"type":"submit","key":"k1","plan":{},"join":"concat","approve":["pay","*"],"#
                + #""budget":{"approval_ms":9},"on_missing_tool":"wait"}"#,
            .submit(
                Submit(
                    key: "k1",
                    plan: raw("{}"),
                    approve: ["pay", "*"],
                    budget: Budget(approvalMilliseconds: 9)
                )
            )
        ),
        MessageExample(
            #"{"type":"approve","run":"r7","approved":true}"#,
            .approve(Approve(run: run))
        ),
        MessageExample(
            #"{"type":"approve","run":"r7","nodes":["t1"],"approved":false,"reason":"no"}"#,
            .approve(Approve(run: run, nodes: [node], isApproved: false, reason: "no"))
        ),
        MessageExample(#"{"type":"remember","run":"r7"}"#, .remember(Remember(.run(run)))),
        MessageExample(
            #"{"type":"remember","goal":"Find it.","plan":{"tasks":[]}}"#,
            .remember(Remember(.plan(raw(#"{"tasks":[]}"#), goal: "Find it.")))
        ),
        MessageExample(#"{"type":"forget","plan":"p3"}"#, .forget(Forget(plan: "p3"))),
        MessageExample(#"{"type":"forget","all":true}"#, .forget(Forget(plan: nil))),
        MessageExample(
            #"{"type":"launch","name":"l","host":"h","pid":1,"groups":[],"members":[]}"#,
            .launch(
                LaunchReport(
                    LaunchDocument(
                        name: "l",
                        host: "h",
                        pid: 1,
                        groups: [],
                        members: []
                    )
                )
            )
        ),
    ]

    static let queries = [
        MessageExample(
            #"{"type":"watch","run":"r7","level":"nodes"}"#,
            .watch(Watch(run: run))
        ),
        MessageExample(
            #"{"type":"watch","run":"r7","from":12,"level":"end","request":2}"#,
            .watch(Watch(run: run, from: 12, level: .end, request: 2))
        ),
        MessageExample(
            #"{"type":"event","run":"r7","seq":0,"kind":"planned","at_us":0}"#,
            .event(EventMessage(run: run, sequence: 0, kind: .planned, atMicroseconds: 0))
        ),
        MessageExample(
            #"{"type":"event","run":"r7","seq":3,"kind":"node_succeeded","node":"t1","attempt":1,"#
                + #""worker":"w-1","data":{"output":[1,2]},"at_us":1234567}"#,
            .event(
                EventMessage(
                    run: run,
                    sequence: 3,
                    kind: .nodeSucceeded,
                    node: node,
                    attempt: 1,
                    worker: "w-1",
                    data: raw(#"{"output":[1,2]}"#),
                    atMicroseconds: 1_234_567
                )
            )
        ),
        MessageExample(
            #"{"type":"event","run":"r7","seq":4,"kind":"plan_problems","#
                + #""data":{"problems":[]},"at_us":5}"#,
            .event(
                EventMessage(
                    run: run,
                    sequence: 4,
                    kind: .planProblems,
                    data: raw(#"{"problems":[]}"#),
                    atMicroseconds: 5
                )
            )
        ),
        MessageExample(
            #"{"type":"event","run":"r7","seq":5,"kind":"replanned","#
                + #""data":{"round":2,"reason":"more"},"at_us":6}"#,
            .event(
                EventMessage(
                    run: run,
                    sequence: 5,
                    kind: .replanned,
                    data: raw(#"{"round":2,"reason":"more"}"#),
                    atMicroseconds: 6
                )
            )
        ),
        MessageExample(
            #"{"type":"event","run":"r7","seq":6,"kind":"answering","#
                + #""data":{"text":"It is"},"at_us":7}"#,
            .event(
                EventMessage(
                    run: run,
                    sequence: 6,
                    kind: .answering,
                    data: raw(#"{"text":"It is"}"#),
                    atMicroseconds: 7
                )
            )
        ),
        MessageExample(
            #"{"type":"get","request":1,"what":"status"}"#,
            .get(Get(request: 1, what: .status))
        ),
        MessageExample(
            #"{"type":"get","request":2,"what":"node","id":"r7","node":"t1","from":0,"limit":50}"#,
            .get(Get(request: 2, what: .node, id: "r7", node: node, from: 0, limit: 50))
        ),
        MessageExample(
            #"{"type":"reply","request":1,"what":"status","data":{"runs":0}}"#,
            .reply(
                Reply(request: 1, what: .status, data: .inline(raw(#"{"runs":0}"#)))
            )
        ),
        MessageExample(
            #"{"type":"reply","request":1,"what":"tools","data":[],"next":7}"#,
            .reply(Reply(request: 1, what: .tools, data: .inline(raw("[]")), next: 7))
        ),
        MessageExample(
            #"{"type":"reply","request":2,"what":"answer","#
                + #""data_chunks":{"count":3,"bytes":700000,"sha256":"\#(digits)"}}"#,
            .reply(
                Reply(
                    request: 2,
                    what: .answer,
                    data: .chunked(count: 3, bytes: 700_000, sha256: digits)
                )
            )
        ),
    ]
}
