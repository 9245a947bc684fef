// A goal, a Swift function as its tool, an answer; which models plan and join is in weft.yaml.

import Weftline

let length = FunctionTool(
    name: "river_length",
    description: "The length of a river in km.",
    parameters: RawJSON(["type": "object", "properties": ["river": ["type": "string"]]])
) { call, _ in
    call["river"] == "Rhine" ? 1233 : 1094
}
let result = try await LocalCluster.with(tools: [length], model: .configuration("weft.yaml")) {
    try await $0.run(goal: "How much longer is the Rhine than the Elbe?")
}
print(result.text)
