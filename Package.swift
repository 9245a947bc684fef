// swift-tools-version: 6.2
// The modules, their arrows, and why each dependency is here. Arrows go down only. This is the one
// place where they are written; the tidy tests and the README's table are checked against it.
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// For modules that wait for others most of the time, so that they should be small.
///
/// Only Deploy/build wants it: a package with such flags cannot be the dependency of another one.
let small =
    Context.environment["WEFT_BUILD_SMALL"] == nil
    ? settings : settings + [.unsafeFlags(["-Osize"], .when(configuration: .release))]

/// For pure modules, whose tests compute for long: six times as fast, with all assertions.
///
/// Only Deploy/test wants it: a package with such flags cannot be the dependency of another one.
let quick: [SwiftSetting] =
    Context.environment["WEFT_BUILD_QUICK"] == nil
    ? [] : [.unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug))]

/// A module that computes and does nothing else: it depends on such modules and collections only.
func pure(
    _ name: String,
    _ dependencies: [Target.Dependency],
    _ settings: [SwiftSetting] = settings
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings + quick)
}

/// A module that talks to the system.
func shell(
    _ name: String,
    _ dependencies: [Target.Dependency],
    _ settings: [SwiftSetting] = settings
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(
    _ name: String,
    _ dependencies: [Target.Dependency],
    exclude: [String] = [],
    _ settings: [SwiftSetting] = settings
) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies,
        exclude: exclude,
        swiftSettings: settings
    )
}

// Parsing and help of the command line; the ecosystem's own.
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
// Diagnostics of the shells; pure modules have no logger.
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
// Heaps, deques and ordered dictionaries of the scheduler and the JSON tree.
let heaps = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let deques = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")

let package = Package(
    name: "weftline",
    products: [
        .executable(name: "weft", targets: ["weft"]),
        .library(name: "Weftline", targets: ["Weftline"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // C: system libraries and the shims over them.
        .systemLibrary(
            name: "CLibuv",
            pkgConfig: "libuv",
            providers: [.apt(["libuv1-dev"])]
        ),
        .target(
            name: "CSimdJSON",
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]
        ),
        // Manifests and configuration files are YAML.
        .target(name: "CYAML", linkerSettings: [.linkedLibrary("yaml")]),
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("crypto")]),
        // TLS 1.3 with pre-shared keys, over memory.
        .target(
            name: "CTLS",
            linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]
        ),
        // The journal's file.
        .target(name: "CSQLite", linkerSettings: [.linkedLibrary("sqlite3"), .linkedLibrary("m")]),
        // A journal that several coordinators share; loaded when it is needed, like libcurl.
        .target(name: "CPostgreSQL", linkerSettings: [.linkedLibrary("dl")]),
        // What libuv has no call for: protecting this process, keeping those of tools.
        .target(name: "CProcess"),
        // Loaded when it is needed, not linked: workers do without libcurl.
        .target(name: "CCurl", linkerSettings: [.linkedLibrary("dl")]),
        // The listener for HTTP, loaded by `weft mcp --http` alone.
        .target(name: "CMicroHTTPD", linkerSettings: [.linkedLibrary("dl")]),
        // The page of the coordinator: its files become bytes when it is compiled.
        .target(name: "CPages", exclude: ["page", "openapi.json"]),
        // Timers that are precise to microseconds, for benchmarks.
        .target(name: "CBench"),
        // What Deploy/build tells about a build. It is C, so that a new commit compiles one file.
        .target(
            name: "CBuild",
            cSettings: ["WEFT_BUILD_COMMIT", "WEFT_BUILD_SWIFT"].compactMap { name in
                Context.environment[name].map { .define(name, to: "\"\($0)\"") }
            }
        ),

        // Pure: values in, values out.
        pure("Core", []),
        pure("Metrics", []),
        pure("JSON", ["CSimdJSON", ordered]),
        pure("YAML", ["CYAML"], small),
        pure("Schemas", ["JSON", ordered]),
        pure("Plans", ["Core", "JSON", ordered]),
        pure("Wire", ["CSimdJSON", "COpenSSL", "Core", "JSON", "Plans", deques, ordered]),
        pure("Runs", ["Core", "JSON", "Plans", "Wire", deques]),
        pure("Telemetry", ["Core", "JSON", "Plans", "Runs", "Wire"], small),
        pure("Reports", ["Core", "JSON", "Plans", "Runs", "Wire"], small),
        pure("Scheduling", ["Core", "Plans", heaps, deques]),
        pure("PlannerCore", ["Core", "JSON", "Schemas", "Plans", ordered], small),
        pure(
            "CoordinatorCore",
            [
                "Core", "JSON", "Metrics", "Schemas", "Plans", "Wire", "Runs", "Scheduling",
                "PlannerCore", "Telemetry",
                deques, heaps, ordered,
            ]
        ),
        pure("LaunchCore", ["Core"], small),
        pure("HTTPRequests", [], small),
        // The interface over HTTP: what requests mean, and who may ask.
        pure("Gateway", ["Core", "JSON", "HTTPRequests", "Wire"], small),
        pure("MCP", ["Core", "JSON"], small),
        pure(
            "MCPServer",
            [
                "Core", "HTTPRequests", "JSON", "MCP", "PlannerCore", "Plans", "Schemas", "Wire",
            ],
            small
        ),
        pure("WorkerCore", ["Core", "JSON", "Plans", "Wire", deques, heaps, ordered]),

        // Shells: sockets, timers, processes, logging.
        shell("UVLoop", ["CLibuv", "CProcess", "Core"]),
        shell("Configuration", ["Core", "YAML"], small),
        shell("HTTP", ["CCurl", "UVLoop", "Core"], small),
        shell("HTTPServer", ["CMicroHTTPD", "UVLoop"], small),
        shell(
            "LanguageModels",
            ["HTTP", "UVLoop", "Core", "JSON", "PlannerCore", "Configuration", "YAML"],
            small
        ),
        shell("Transport", ["CTLS", "UVLoop", "JSON", "Wire"]),
        shell(
            "Journal",
            [
                "CPostgreSQL", "CSQLite", "UVLoop", "Core", "JSON", "Metrics", "Wire", "Runs",
                deques,
            ]
        ),
        shell(
            "Tools",
            [
                "UVLoop", "HTTP", "MCP", "Core", "JSON", "Schemas", "Plans", "Wire", "PlannerCore",
                "Configuration", "YAML", deques, ordered,
            ],
            small
        ),
        shell(
            "Coordinator",
            [
                "UVLoop", "Transport", "Core", "HTTP", "JSON", "Metrics", "Plans", "Wire", "Runs",
                "Telemetry", "Journal", "CoordinatorCore", "PlannerCore", "LanguageModels",
                "Configuration", "YAML", deques, logging,
            ]
        ),
        shell(
            "Worker",
            [
                "UVLoop", "Transport", "Core", "JSON", "Metrics", "Plans", "Wire", "WorkerCore",
                "Tools", logging, ordered,
            ]
        ),
        shell("Client", ["UVLoop", "Transport", "Core", "JSON", "Plans", "Wire"]),
        shell(
            "Pages",
            [
                "CPages", "UVLoop", "HTTPServer", "Transport", "Core", "JSON", "Plans",
                "HTTPRequests", "Gateway", "Metrics", "Wire", "Client",
            ],
            small
        ),

        shell(
            "Launch",
            [
                "UVLoop", "Transport", "Core", "JSON", "YAML", "Wire", "Tools", "Configuration",
                "LaunchCore", deques,
            ],
            small
        ),

        // Faces: the library and the command.
        shell(
            "Weftline",
            [
                "UVLoop", "Transport", "Core", "JSON", "Plans", "Wire", "Tools", "Coordinator",
                "CoordinatorCore", "Worker", "WorkerCore", "Client", "LanguageModels",
                "PlannerCore", "Configuration", logging, ordered,
            ],
            small
        ),
        // What all commands share: outputs, terminal, exit codes, one command on a loop.
        shell(
            "Console",
            [
                "UVLoop", "Transport", "Core", "JSON", "Plans", "Wire", "Configuration", "Client",
                arguments, logging,
            ],
            small
        ),
        shell(
            "Bench",
            [
                "CBench", "Console", "UVLoop", "Transport", "Core", "JSON", "Schemas", "Plans",
                "Wire",
                "CoordinatorCore", "LanguageModels", "Client", "Weftline", arguments, logging,
                ordered,
            ]
        ),
        .executableTarget(
            name: "weft",
            dependencies: [
                "CBuild", "CPages", "Bench", "Console", "UVLoop", "Transport", "Core", "JSON",
                "YAML",
                "Schemas", "Plans", "Wire", "Runs", "Reports", "Tools", "Coordinator", "Worker",
                "WorkerCore", "CoordinatorCore", "Journal", "Client", "Launch", "LaunchCore",
                "HTTP", "Gateway", "HTTPRequests", "Pages",
                "HTTPServer", "LanguageModels", "MCP", "MCPServer", "Metrics", "PlannerCore",
                "Configuration", "Telemetry",
                "Weftline",
                arguments, logging, ordered,
            ],
            swiftSettings: small
        ),

        // What programs do with the library; built, run and checked by the tests.
        .executableTarget(
            name: "EmbeddedWorkerExample",
            dependencies: ["Weftline"],
            path: "Tests/Examples/EmbeddedWorker",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "GoalExample",
            dependencies: ["Weftline"],
            path: "Tests/Examples/Goal",
            exclude: ["weft.yaml", "rivers.jsonl"],
            swiftSettings: settings
        ),

        // Tests, and what several of them share.
        .target(
            name: "TestKit",
            dependencies: ["UVLoop", "JSON", "Wire"],
            path: "Tests/TestKit",
            swiftSettings: settings
        ),
        .target(
            name: "HTTPTestKit",
            dependencies: ["UVLoop", "TestKit"],
            path: "Tests/HTTPTestKit",
            swiftSettings: settings
        ),
        tests("CoreTests", ["Core"]),
        tests("MetricsTests", ["Metrics"]),
        tests("TelemetryTests", ["Core", "JSON", "Plans", "Runs", "Telemetry", "Wire"]),
        tests("JSONTests", ["JSON", "Schemas", ordered]),
        tests("YAMLTests", ["YAML"]),
        tests("MCPTests", ["JSON", "MCP"]),
        tests(
            "MCPServerTests",
            ["Core", "HTTPRequests", "JSON", "MCP", "MCPServer", "Plans", "Wire"]
        ),
        tests("GatewayTests", ["Core", "Gateway", "HTTPRequests", "JSON", "Wire"]),
        tests(
            "ConfigurationTests",
            ["Configuration", "Plans", "Wire", "Coordinator", "LanguageModels"]
        ),
        tests("PlansTests", ["Core", "JSON", "Plans", ordered]),
        tests("WireTests", ["Core", "JSON", "Plans", "Wire", ordered]),
        tests("UVLoopTests", ["UVLoop", "CLibuv", "TestKit"]),
        tests("HTTPTests", ["UVLoop", "HTTP", "HTTPTestKit", "TestKit"]),
        tests(
            "LanguageModelsTests",
            [
                "UVLoop", "HTTP", "Core", "JSON", "PlannerCore", "Configuration", "LanguageModels",
                "HTTPTestKit", "TestKit",
            ]
        ),
        tests("TransportTests", ["UVLoop", "JSON", "Wire", "Transport", "TestKit"]),
        tests("LaunchCoreTests", ["Core", "LaunchCore"]),
        tests("LaunchTests", ["Configuration", "Launch", "LaunchCore", "Tools", "Transport"]),
        tests("WorkerCoreTests", ["Core", "JSON", "Wire", "WorkerCore"]),
        tests(
            "WorkerTests",
            [
                "UVLoop", "Transport", "Core", "JSON", "Plans", "Wire", "WorkerCore", "Tools",
                "Worker", "TestKit", logging,
            ]
        ),
        tests(
            "ClientTests",
            [
                "UVLoop", "Core", "JSON", "Plans", "Wire", "Transport", "Client", "PlannerCore",
                "LanguageModels", "Weftline", "Console", "weft", "Launch", "LaunchCore", "TestKit",
                arguments, ordered,
            ]
        ),
        tests(
            "BenchTests",
            [
                "UVLoop", "JSON", "Plans", "PlannerCore", "LanguageModels", "Wire", "Bench",
                "TestKit",
            ]
        ),
        tests("TidyTests", ["Wire", "Scheduling", "Tools"]),
        tests(
            "WeftlineTests",
            [
                "UVLoop", "Core", "Wire", "Coordinator", "CoordinatorCore", "LanguageModels",
                "HTTPTestKit", "Weftline", "EmbeddedWorkerExample", "GoalExample", "TestKit",
                logging,
            ]
        ),
        tests("ReportsTests", ["Core", "JSON", "Wire", "Reports"]),
        tests("RunsTests", ["Core", "JSON", "Plans", "Wire", "Runs"]),
        tests(
            "JournalTests",
            [
                "CSQLite", "UVLoop", "Core", "JSON", "Plans", "Wire", "Runs", "Journal", "TestKit",
            ]
        ),
        tests("SchedulingTests", ["Core", "Plans", "Scheduling"]),
        tests("PlannerCoreTests", ["Core", "JSON", "Schemas", "Plans", "PlannerCore", ordered]),
        tests(
            "SimulationTests",
            [
                "Core", "JSON", "Plans", "Wire", "Runs", "Scheduling", "PlannerCore",
                "CoordinatorCore", "WorkerCore", "TestKit", heaps, deques,
            ],
            exclude: ["README.md", "Mutations"],
            settings + quick
        ),
        tests(
            "CoordinatorCoreTests",
            [
                "Core", "JSON", "Metrics", "Schemas", "Plans", "Wire", "Runs", "PlannerCore",
                "CoordinatorCore", "TestKit", ordered,
            ]
        ),
        tests(
            "ToolsTests",
            [
                "UVLoop", "HTTP", "Core", "JSON", "Plans", "Wire", "Configuration", "MCP", "Tools",
                "TestKit",
            ],
            exclude: ["Fixtures"]
        ),
        // Real processes: the program is built because the tests depend on it.
        tests(
            "IntegrationTests",
            ["weft", "Core", "Wire", "Runs", "Journal", "TestKit"],
            exclude: ["Fixtures"]
        ),
        // What is tried with any bytes; the kept corpus runs with the tests, more with Deploy/fuzz.
        .target(
            name: "FuzzKit",
            dependencies: [
                "Core", "JSON", "MCP", "MCPServer", "Gateway", "HTTPRequests", "YAML", "Plans",
                "Wire", "PlannerCore", "CoordinatorCore", "TestKit", ordered,
            ],
            path: "Tests/FuzzKit",
            swiftSettings: settings
        ),
        tests("FuzzTests", ["FuzzKit"], exclude: ["Corpus"]),
    ]
)

// The fuzzer brings the entry of the program, so that it links with `--sanitize fuzzer` alone.
if Context.environment["WEFT_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "FuzzRunner",
            dependencies: ["FuzzKit"],
            path: "Tests/FuzzRunner",
            exclude: ["words.dict"],
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        )
    )
}

// `WEFT_ONLY=SimulationTests` builds that target and what it needs, nothing else: for campaigns and
// for trying one change after the other.
if let only = Context.environment["WEFT_ONLY"] {
    var wanted: Set<String> = []
    func want(_ name: String) {
        guard wanted.insert(name).inserted else { return }
        for target in package.targets where target.name == name {
            for case .byNameItem(let dependency, _) in target.dependencies { want(dependency) }
        }
    }
    for name in only.split(separator: ",") { want(String(name)) }
    package.products = []
    package.targets = package.targets.filter { wanted.contains($0.name) }
}
