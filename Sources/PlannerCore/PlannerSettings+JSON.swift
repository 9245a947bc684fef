// The written form of a planner's settings and of what a model reports: with both, and with the run,
// a planner is made again after a restart. They are written and read by the same program; what
// cannot be read is nil.

internal import Core
public import JSON
internal import Plans

extension PlannerSettings {
    /// The settings as an object.
    public var document: RawJSON {
        .object { writer in
            writer.field("format", format.rawValue)
            writer.key("tools")
            writer.beginArray()
            for tool in tools { tool.encode(into: &writer) }
            writer.endArray()
            writer.key("examples")
            examples.encode(into: &writer)
            writer.key("remembered")
            remembered.encode(into: &writer)
            writer.key("options")
            options.encode(into: &writer)
            switch join {
            case .model: writer.field("join", "model")
            case .concat: writer.field("join", "concat")
            case .json: writer.field("join", "json")
            case .tool(let name): writer.field("join_tool", name)
            }
            writer.field("nodes", maxNodes)
            writer.field("tokens", maxTokens)
            writer.field("cost", maxCost)
            writer.field("input_price", highestPrices?.input)
            writer.field("output_price", highestPrices?.output)
            writer.field("reply_tokens", replyTokens)
            writer.field("temperature", temperature)
            writer.field("output_bytes", outputBytes)
            writer.field("outputs_bytes", outputsBytes)
        }
    }

    /// Reads settings; nil if these are none.
    public init?(decoding document: RawJSON) {
        let value = JSONValue(document)
        guard let format = value["format"]?.stringValue.flatMap(PlanFormat.init(rawValue:)),
            let tools = value["tools"]?.arrayValue, let nodes = value["nodes"]?.intValue
        else { return nil }
        let readable = tools.compactMap(PlannerTool.init(decoding:))
        guard readable.count == tools.count else { return nil }
        self.init(tools: readable, format: format)
        examples = [PlanExample](decoding: value["examples"])
        remembered = [PlanExample](decoding: value["remembered"])
        options = PlannerOptions(decoding: value["options"])
        if let name = value["join_tool"]?.stringValue {
            join = .tool(name)
        } else {
            switch value["join"]?.stringValue {
            case "model": join = .model
            case "concat": join = .concat
            case "json": join = .json
            default: return nil
            }
        }
        maxNodes = nodes
        maxTokens = value["tokens"]?.intValue
        maxCost = value["cost"]?.doubleValue
        highestPrices = TokenPrices(
            input: value["input_price"]?.doubleValue,
            output: value["output_price"]?.doubleValue
        )
        replyTokens = value["reply_tokens"]?.intValue
        temperature = value["temperature"]?.doubleValue
        outputBytes = value["output_bytes"]?.intValue ?? outputBytes
        outputsBytes = value["outputs_bytes"]?.intValue ?? outputsBytes
    }
}

extension PlannerTool {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("name", name)
        writer.field("description", description)
        writer.field("parameters", parameters)
        writer.field("repeatable", mayBeRepeated)
        writer.key("examples")
        examples.encode(into: &writer)
        writer.endObject()
    }

    fileprivate init?(decoding value: JSONValue) {
        guard let name = value["name"]?.stringValue,
            let description = value["description"]?.stringValue,
            let parameters = value["parameters"]
        else { return nil }
        self.init(
            name: name,
            description: description,
            parameters: RawJSON(parameters),
            mayBeRepeated: value["repeatable"]?.boolValue ?? false,
            examples: [PlanExample](decoding: value["examples"])
        )
    }
}

extension [PlanExample] {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginArray()
        for example in self {
            writer.beginObject()
            writer.field("goal", example.goal)
            writer.key("calls")
            writer.beginArray()
            for call in example.calls { writer.string(call) }
            writer.endArray()
            writer.endObject()
        }
        writer.endArray()
    }

    fileprivate init(decoding value: JSONValue?) {
        self = (value?.arrayValue ?? []).compactMap { example in
            guard let goal = example["goal"]?.stringValue else { return nil }
            let calls = (example["calls"]?.arrayValue ?? []).compactMap(\.stringValue)
            return PlanExample(goal: goal, calls: calls)
        }
    }
}

extension PlannerOptions {
    fileprivate func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("format", format?.rawValue)
        writer.field("repairs", repairs)
        writer.field("rounds", rounds)
        writer.field("on_model_failure", onModelFailure.rawValue)
        writer.field("strategy", strategy.rawValue)
        writer.field("plan_only", isPlanOnly)
        writer.endObject()
    }

    fileprivate init(decoding value: JSONValue?) {
        self.init()
        format = value?["format"]?.stringValue.flatMap(PlanFormat.init(rawValue:))
        repairs = value?["repairs"]?.intValue
        rounds = value?["rounds"]?.intValue
        if let text = value?["on_model_failure"]?.stringValue {
            onModelFailure = ModelFailurePolicy(rawValue: text) ?? onModelFailure
        }
        if let text = value?["strategy"]?.stringValue {
            strategy = PlanningStrategy(rawValue: text) ?? strategy
        }
        isPlanOnly = value?["plan_only"]?.boolValue ?? false
    }
}

extension TokenPrices {
    fileprivate init?(input: Double?, output: Double?) {
        guard let input, let output else { return nil }
        self.init(input: input, output: output)
    }
}

extension ModelEvent {
    /// The report as an object.
    public var document: RawJSON {
        .object { writer in
            switch self {
            case .delta(let text): writer.field("text", text)
            case .charged(let prices):
                writer.field("input_price", prices.input)
                writer.field("output_price", prices.output)
            case .usage(let usage):
                writer.field("input", usage.input)
                writer.field("output", usage.output)
            case .formatLowered(let format):
                switch format {
                case .text: writer.field("format", "text")
                case .jsonObject: writer.field("format", "json")
                case .jsonSchema(let name, let schema):
                    writer.field("schema_name", name)
                    writer.field("schema", schema)
                }
            case .ended(let stop): writer.field("ended", stop.rawValue)
            case .failed(let failure):
                writer.field("failed", failure.code.rawValue)
                writer.field("message", failure.message)
                writer.field("retryable", failure.isRetryable)
                writer.field("http_status", failure.status)
            }
        }
    }

    /// Reads a report; nil if this is none.
    public init?(decoding document: RawJSON) {
        let value = JSONValue(document)
        if let text = value["text"]?.stringValue {
            self = .delta(text)
        } else if let stop = value["ended"]?.stringValue.flatMap(ModelStop.init(rawValue:)) {
            self = .ended(stop)
        } else if let code = value["failed"]?.stringValue {
            let failure = ModelFailure(
                code: ModelFailure.Code(rawValue: code),
                message: value["message"]?.stringValue ?? "",
                isRetryable: value["retryable"]?.boolValue ?? false,
                status: value["http_status"]?.intValue
            )
            self = .failed(failure)
        } else if let input = value["input"]?.intValue, let output = value["output"]?.intValue {
            self = .usage(TokenUsage(input: input, output: output))
        } else if let prices = TokenPrices(
            input: value["input_price"]?.doubleValue,
            output: value["output_price"]?.doubleValue
        ) {
            self = .charged(prices)
        } else if let name = value["schema_name"]?.stringValue, let schema = value["schema"] {
            self = .formatLowered(to: .jsonSchema(name: name, schema: RawJSON(schema)))
        } else if let format = value["format"]?.stringValue {
            self = .formatLowered(to: format == "json" ? .jsonObject : .text)
        } else {
            return nil
        }
    }
}
