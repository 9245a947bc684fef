// Every shape of `weft bench` once at a tiny size, and the file of the results.
import TestKit
import Testing

extension Integration {
    @Suite("Benchmarks", .timeLimit(.minutes(2 * Patience.factor)))
    struct BenchTests {
        private static let figures: [String: [String]] = [
            "fanout": [], "layers": [], "million": [],
            "chain": ["floor_p50_us", "p50_over_floor"],
            "single": ["floor_p50_us", "p50_over_floor"],
            "payload": ["payload_mb_per_s"],
            "spawn": ["floor_per_s", "floor_over_rate"],
            "sleep": ["bound_s", "wall_over_bound"],
            "clients": ["runs_per_s", "slowest_over_median"],
            "planfile": ["first_node_s", "sent_s", "client_peak_rss_mb"],
            "idle": ["bare_cpu_percent", "idle_cpu_percent", "rss_kib_per_worker", "connect_s"],
        ]

        @Test("Runs every shape, writes the figures to the file, and compares it with itself")
        func all() async throws {
            try await atPlace { place in
                let file = "\(place.folder)/figures.json"
                let bench = try await place.weft(
                    "bench",
                    "all",
                    "--quick",
                    "--rounds",
                    "1",
                    "--json",
                    "--out",
                    file
                )
                #expect(bench.code == 0, "\(bench.errors)")
                let shapes = try bench.document["shapes"]
                #expect(try bench.document["cores"].number ?? 0 >= 1)
                #expect(try bench.document["date"].text?.isEmpty == false)
                for place in 0..<Self.figures.count {
                    let name = try #require(shapes[place]["shape"].text)
                    let expected = try #require(Self.figures[name])
                    for figure in expected { #expect(shapes[place][figure].number != nil) }
                    guard name != "idle" else { continue }
                    for figure in ["nodes_per_s", "wall_s", "coordinator_cpu_us_per_node"] {
                        #expect(shapes[place][figure].number ?? 0 > 0, "\(name) \(figure)")
                    }
                    #expect(shapes[place]["coordinator_peak_rss_mb"].number ?? 0 > 1)
                }
                let same = try await place.weft("bench", "compare", file, file, "--json")
                #expect(same.code == 0, "\(same.errors)")
                #expect(try same.document["figures"][0]["figure"].text == "wall_s")
                #expect(try same.document["figures"][0]["ratio"].number == 1)
                let none = try await place.weft("bench", "compare", file, "\(file)x")
                #expect(none.code == 2)
            }
        }

        @Test("Accepts the most slots of several workers, and runs all nodes")
        func manySlots() async throws {
            try await atPlace { place in
                let bench = try await place.weft(
                    "bench",
                    "fanout",
                    "--nodes",
                    "20000",
                    "--slots",
                    "4096",
                    "--workers",
                    "3",
                    "--json"
                )
                #expect(bench.code == 0, "\(bench.errors)")
                #expect(try bench.document["slots"].number == 4_096)
                #expect(try bench.document["nodes_per_s"].number ?? 0 > 0)
                let more = try await place.weft("bench", "fanout", "--slots", "4097")
                #expect(more.code == 2)
            }
        }

        @Test("Measures the core alone with many workers and with two")
        func core() async throws {
            try await atPlace { place in
                let bench = try await place.weft(
                    "bench",
                    "core",
                    "--workers",
                    "300",
                    "--tools",
                    "50",
                    "--tools-each",
                    "10",
                    "--nodes",
                    "6000",
                    "--runs",
                    "30",
                    "--rounds",
                    "1",
                    "--churn",
                    "--json"
                )
                #expect(bench.code == 0, "\(bench.errors)")
                let document = try bench.document
                for figure in [
                    "core_cpu_us_per_node", "core_2_workers_cpu_us_per_node",
                    "core_over_2_workers", "join_cpu_us_per_worker", "schema_check_us",
                    "schema_decode_us",
                ] {
                    #expect(document[figure].number ?? 0 > 0, "\(figure)")
                }
                let none = try await place.weft(
                    "bench",
                    "core",
                    "--workers",
                    "1",
                    "--tools",
                    "9",
                    "--tools-each",
                    "2"
                )
                #expect(none.code == 2)
            }
        }
    }
}
