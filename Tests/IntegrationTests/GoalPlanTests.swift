// Every kind of malformed plan through the real program, in both forms: which nodes ran, the
// message, and the end of the run. Not here: how replies arrive (GoalStreamTests), models that
// fail.
import Foundation
import TestKit
import Testing

extension Integration {
    @Suite("Goals and malformed plans", .timeLimit(.minutes(Patience.factor)))
    struct GoalPlanTests {
        /// One malformed plan in a form and its defined end.
        struct Malformed {
            var name: String
            var form: String
            var reply: Reply
            /// The outputs of the nodes, as one JSON object.
            var outputs: String
            /// The message; nil if there is nothing to repair.
            var problem: String?

            init(
                _ name: String,
                json text: String,
                ran outputs: String,
                says problem: String? = nil,
                cut: Bool = false
            ) {
                self.init(name, "json", text, outputs, problem, cut)
            }

            init(
                _ name: String,
                text: String,
                ran outputs: String,
                says problem: String? = nil,
                cut: Bool = false
            ) {
                self.init(name, "text", text, outputs, problem, cut)
            }

            private init(
                _ name: String,
                _ form: String,
                _ text: String,
                _ outputs: String,
                _ problem: String?,
                _ isCut: Bool
            ) {
                self.name = "\(name), \(form)"
                self.form = form
                reply = [.say(text, by: 5), .finish(isCut ? "length" : "stop"), .done]
                self.outputs = outputs
                self.problem = problem
            }
        }

        private static let tools = """
            tools:
              - name: search
                description: Finds something.
                parameters: {type: object, properties: {query: {type: string}}, required: [query]}
                command: [printf, "<%s>", "{query}"]
                idempotent: true
              - name: math
                description: Computes.
                parameters:
                  type: object
                  properties: {problem: {type: string}, context: {type: number}}
                  required: [problem]
                  additionalProperties: false
                command: [printf, "%s=%s", "{problem}", "{context}"]
                idempotent: true
            """

        private static let a = node("t1", "search", #"{"query":"a"}"#)
        private static let b = node("t2", "search", #"{"query":"b"}"#)
        private static let ranA = #"{"t1":"<a>"}"#
        private static let ranBoth = #"{"t1":"<a>","t2":"<b>"}"#
        private static let lineA = "1. search(\"a\")\n"
        private static let lineB = "2. search(\"b\")\n"
        private static let end = "9. join()<END_OF_PLAN>"
        private static let lineRanA = #"{"1":"<a>"}"#
        private static let lineRanBoth = #"{"1":"<a>","2":"<b>"}"#

        private static let inJSON: [Malformed] = [
            Malformed("prose around it", json: "Sure:\n\(planText(a))\nThat is all.", ran: ranA),
            Malformed("code fences", json: "```json\n\(planText(a, b))\n```\n", ran: ranBoth),
            Malformed(
                "cut within a task",
                json: "{\"tasks\":[\(a),{\"id\":\"t2\",\"tool",
                ran: ranA,
                says: "ends within the 2nd task",
                cut: true
            ),
            Malformed(
                "cut without a word",
                json: "{\"tasks\":[\(a)",
                ran: ranA,
                says: "ends before"
            ),
            Malformed(
                "over many lines",
                json: "{\n\"tasks\"\n:\n[\n\(a)\n,\n\(b)\n]\n}",
                ran: ranBoth
            ),
            Malformed("a comma is missing", json: "{\"tasks\":[\(a) \(b)]}", ran: ranBoth),
            Malformed(
                "ids are skipped",
                json: planText(a, node("t7", "search", #"{"query":"$t1"}"#)),
                ran: #"{"t1":"<a>","t7":"<<a>>"}"#
            ),
            Malformed(
                "an id is repeated",
                json: planText(a, node("t1", "search", #"{"query":"b"}"#)),
                ran: ranA,
                says: "there is a node t1 already"
            ),
            Malformed(
                "a later node is referred to",
                json: planText(node("t2", "search", #"{"query":"$t1"}"#), a),
                ran: #"{"t1":"<a>","t2":"<<a>>"}"#
            ),
            Malformed(
                "an unknown node is needed",
                json: planText(
                    a,
                    node("t2", "search", #"{"query":"of $t9"}"#)
                ),
                ran: ranA,
                says: "t9"
            ),
            Malformed(
                "a declared dependency on nothing",
                json: planText(
                    a,
                    node("t2", "search", #"{"query":"b"}"#, #","dependencies":["t9"]"#)
                ),
                ran: ranBoth
            ),
            Malformed(
                "a malformed reference",
                json: planText(a, node("t2", "search", #"{"query":"${t1.items[-1]}"}"#)),
                ran: ranA,
                says: "counted from 0"
            ),
            Malformed(
                "an unknown tool",
                json: planText(
                    a,
                    node("t2", "serch", "{}"),
                    node("t3", "search", #"{"query":"$t2"}"#)
                ),
                ran: ranA,
                says: "serch"
            ),
            Malformed(
                "arguments break the schema",
                json: planText(a, node("t2", "math", #"{"context":1}"#)),
                ran: ranA,
                says: "problem"
            ),
            Malformed(
                "a circle",
                json: planText(
                    a,
                    node("t2", "search", #"{"query":"$t3"}"#),
                    node("t3", "search", #"{"query":"$t2"}"#)
                ),
                ran: ranA,
                says: "circle"
            ),
            Malformed("no tasks", json: planText(), ran: "{}", says: "calls no tool"),
            Malformed("nothing", json: "", ran: "{}", says: "no plan"),
            Malformed("only words", json: "I would rather not.", ran: "{}", says: "no plan"),
            Malformed(
                "dollars that are none",
                json: planText(
                    node("t1", "search", #"{"query":"a"}"#),
                    node("t2", "search", #"{"query":"$t1 costs $15"}"#)
                ),
                ran: #"{"t1":"<a>","t2":"<<a> costs $15>"}"#
            ),
            Malformed(
                "references inside",
                json: planText(a, node("t2", "echo", #"{"x":{"y":["$t1","of $t1"]}}"#)),
                ran: #"{"t1":"<a>","t2":{"x":{"y":["<a>","of <a>"]}}}"#
            ),
            Malformed(
                "a task that is no JSON",
                json: "{\"tasks\":[\(a),{'id': 't3'},\(b)]}",
                ran: ranBoth,
                says: "2nd task"
            ),
        ]

        private static let inText: [Malformed] = [
            Malformed(
                "prose around it",
                text: "Plan:\nThought: easy\n\(lineA)\(end)\nDone!",
                ran: lineRanA
            ),
            Malformed("code fences", text: "```\n\(lineA)\(lineB)\(end)\n```", ran: lineRanBoth),
            Malformed(
                "cut within a call",
                text: lineA + "2. search(\"b",
                ran: lineRanA,
                says: "call 2",
                cut: true
            ),
            Malformed(
                "an argument over two lines",
                text: "1. search(\"a\nb\")\n\(end)",
                ran: #"{"1":"<a\nb>"}"#
            ),
            Malformed(
                "a parenthesis is missing",
                text: "1. search(\"a\"\n" + lineB + end,
                ran: lineRanBoth
            ),
            Malformed(
                "ids are skipped",
                text: lineA + "3. search($1)\n" + end,
                ran: #"{"1":"<a>","3":"<<a>>"}"#
            ),
            Malformed(
                "an id is repeated",
                text: lineA + "1. search(\"b\")\n" + end,
                ran: lineRanA,
                says: "there is a node 1 already"
            ),
            Malformed(
                "a later node is referred to",
                text: "1. search($2)\n" + lineB + end,
                ran: #"{"1":"<<b>>","2":"<b>"}"#
            ),
            Malformed(
                "an unknown node is referred to",
                text: lineA + "2. search($7)\n" + end,
                ran: lineRanA,
                says: "7"
            ),
            Malformed(
                "an unknown tool",
                text: lineA + "2. serch(\"b\")\n3. search($2)\n" + end,
                ran: lineRanA,
                says: "serch"
            ),
            Malformed(
                "arguments break the schema",
                text: lineA + "2. math(\"x\", \"many\")\n" + end,
                ran: lineRanA,
                says: "context"
            ),
            Malformed(
                "a circle",
                text: lineA + "2. search($3)\n3. search($2)\n" + end,
                ran: lineRanA,
                says: "circle"
            ),
            Malformed(
                "only join",
                text: "1. join()<END_OF_PLAN>",
                ran: "{}",
                says: "calls no tool"
            ),
            Malformed("nothing", text: "", ran: "{}", says: "no nodes"),
            Malformed("only words", text: "I would rather not.", ran: "{}", says: "no nodes"),
            Malformed("no join", text: lineA + lineB, ran: lineRanBoth),
            Malformed(
                "two arguments",
                text: lineA + "2. math($1, 2)\n" + end,
                ran: #"{"1":"<a>","2":"<a>=2"}"#
            ),
            Malformed(
                "dollars that are none",
                text: lineA + "2. search(\"$1 costs $15\")\n" + end,
                ran: #"{"1":"<a>","2":"<<a> costs $15>"}"#
            ),
            Malformed(
                "references inside",
                text: lineA + "2. echo(x={\"y\": [$1, \"of $1\"]})\n" + end,
                ran: #"{"1":"<a>","2":{"x":{"y":["<a>","of <a>"]}}}"#
            ),
            Malformed(
                "two calls and a third without an end of line",
                text: lineA + lineB + "3. search(\"c\")",
                ran: #"{"1":"<a>","2":"<b>","3":"<c>"}"#
            ),
        ]

        @Test("Uses the valid nodes; the run reports the problems and its end")
        func ends() async throws {
            try await atPlace { place in
                try place.tools(Self.tools)
                let server = try await ModelServer(place)
                let plans = Self.inJSON + Self.inText
                for plan in plans { try server.script(plan.name, planner: [plan.reply]) }
                try await place.startCluster(try server.configuration())
                for plan in plans {
                    let run = try await place.weft(
                        "run",
                        plan.name,
                        "--plan-format",
                        plan.form,
                        "--repairs",
                        "0",
                        "--join",
                        "json",
                        "--json"
                    )
                    let document = try run.document
                    var outputs: [String] = []
                    for id in document["nodes"].keys.sorted() {
                        outputs.append("\"\(id)\":\(document["nodes"][id]["output"])")
                    }
                    let ran = "{\(outputs.joined(separator: ","))}"
                    #expect(ran == plan.outputs, "\(plan.name)")
                    let message = document["error"]["message"].text
                    if let problem = plan.problem {
                        #expect(run.code == 1, "\(plan.name)")
                        #expect(document["error"]["code"].text == "bad_plan", "\(plan.name)")
                        #expect(message?.contains(problem) == true, "\(plan.name): \(run.output)")
                        // People see the same message during the run.
                        #expect(run.errors.contains(problem), "\(plan.name): \(run.errors)")
                    } else {
                        #expect(run.code == 0, "\(plan.name): \(run.output) \(run.errors)")
                        #expect(message == nil)
                    }
                }
                #expect(try server.requests().count == plans.count)
            }
        }

        @Test("Sends problems back as a list, a limited number of times, for nodes not yet running")
        func repairs() async throws {
            try await atPlace { place in
                try place.tools(Self.tools)
                let server = try await ModelServer(place)
                let bad = planText(Self.a, node("t2", "serch", "{}"), node("t3", "math", "{}"))
                let good = planText(node("t4", "search", #"{"query":"after $t1"}"#))
                try server.script("set right", planner: [.text(bad), .text(bad), .text(good)])
                try server.script("never", planner: [.text(bad), .text(bad), .text(bad)])
                try await place.startCluster(try server.configuration())
                let right = try await place.weft("run", "set right", "--join", "json")
                #expect(right.code == 0, "\(right.errors)")
                #expect(right.output == "{\"t1\":\"<a>\",\"t4\":\"<after <a>>\"}\n")
                let second = try server.requests(for: "set right")[1].text
                for words in ["\"serch\"", "math", "running already", #""query":"a""#] {
                    #expect(second.contains(words), "\(second)")
                }
                let never = try await place.weft("run", "never", "--join", "json", "--json")
                #expect(never.code == 1)
                #expect(try never.document["nodes"].keys == ["t1"])
                #expect(try never.document["nodes"]["t1"]["attempts"].number == 1)
                #expect(try server.requests(for: "never").count == 3)
            }
        }
    }
}
