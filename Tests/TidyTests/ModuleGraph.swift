// The module graph as Package.swift writes it: which targets there are and what each depends on.
// Not here: what a module may import beside its dependencies (ModuleRules).
import Foundation

/// The targets of a package.
struct ModuleGraph: Sendable {
    /// How a target is declared.
    enum Kind: String, Sendable {
        case pure
        case shell
        case tests
        case library = ".target"
        case executable = ".executableTarget"
        case system = ".systemLibrary"
    }

    struct Target: Sendable, Equatable {
        var kind: Kind
        /// The modules that it may import, of this package and of others.
        var dependencies: Set<String>
        /// The folder, if it is not the usual one.
        var path: String?
    }

    let targets: [String: Target]

    /// Reads the text of a Package.swift.
    init(package text: String) {
        var products: [String: String] = [:]
        for match in text.matches(of: /let (\w+) = Target\.Dependency\.product\(name: "(\w+)"/) {
            products[String(match.output.1)] = String(match.output.2)
        }
        let declaration =
            /(\bpure|\bshell|\btests|\.target|\.executableTarget|\.systemLibrary)\(\s*(?:name:\s*)?"(\w+)"/
        var targets: [String: Target] = [:]
        let starts = Array(text.matches(of: declaration))
        for (index, start) in starts.enumerated() {
            guard let kind = Kind(rawValue: String(start.output.1)) else { continue }
            let isLast = index + 1 == starts.count
            let end = isLast ? text.endIndex : starts[index + 1].range.lowerBound
            let body = text[start.range.upperBound..<end]
            let list =
                body.prefixMatch(of: /,\s*\[([^\]]*)\]/)?.output.1
                ?? body.firstMatch(of: /dependencies:\s*\[([^\]]*)\]/)?.output.1 ?? ""
            let names = list.split { !$0.isLetter && !$0.isNumber }.map(String.init)
            targets[String(start.output.2)] = Target(
                kind: kind,
                dependencies: Set(names.map { products[$0] ?? $0 }),
                path: body.firstMatch(of: /\bpath:\s*"([^"]+)"/).map { String($0.output.1) }
            )
        }
        self.targets = targets
    }

    /// The targets that live under `Sources`.
    var modules: Set<String> {
        Set(targets.filter { $0.value.kind != .tests && $0.value.path == nil }.keys)
    }

    /// The modules that only compute.
    var pure: Set<String> { Set(targets.filter { $0.value.kind == .pure }.keys) }

    /// The folders of targets under `Tests`.
    var testFolders: Set<String> {
        Set(
            targets.compactMap { name, target in
                if target.kind == .tests { return name }
                let parts = target.path?.split(separator: "/") ?? []
                return parts.first == "Tests" && parts.count > 1 ? String(parts[1]) : nil
            }
        )
    }
}
